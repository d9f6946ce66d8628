package fetch

import (
	"strings"
	"testing"
)

func TestTransportRefusesLinkLocal(t *testing.T) {
	for _, address := range []string{"169.254.169.254:80", "[::ffff:169.254.169.254]:80", "[fe80::1%lo]:80"} {
		c, err := NewTransport().DialContext(t.Context(), "tcp", address)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "link-local") || MayMend(err) {
			t.Errorf("%s: error %v", address, err)
		}
	}
}

package link

import (
	"errors"
	"io"
	"testing"
	"time"
)

func TestShares(t *testing.T) {
	host, guest := cable(t)
	if err := OfferShare(guest, secret, 7); err != nil {
		t.Fatal(err)
	}
	io.WriteString(guest, "more")
	if number, err := AcceptShare(host, secret, time.Minute); number != 7 || err != nil {
		t.Errorf("got %d, %v", number, err)
	}
	if text, err := io.ReadAll(io.LimitReader(host, 4)); string(text) != "more" || err != nil {
		t.Errorf("then came %q, %v", text, err)
	}
	for name, says := range map[string]string{
		"nothing": "", "a link": greeting + string(secret) + "\x00", "another secret": shareGreeting + string(Secret([]byte("other"))) + "\x00",
		"no number": shareGreeting + string(secret),
	} {
		host, guest := cable(t)
		io.WriteString(guest, says)
		guest.Close()
		if _, err := AcceptShare(host, secret, time.Minute); !errors.Is(err, ErrStranger) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

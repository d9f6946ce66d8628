package disks

import (
	"slices"
	"strings"
	"testing"
)

func TestReadMounts(t *testing.T) {
	const mounts = `/dev/mapper/banger-root / ext4 rw 0 0
proc /proc proc rw 0 0
/dev/vdd /srv/a\040b\134c ext4 rw 0 0
/dev/vde /srv/x\04 ext4 rw 0 0
/dev/vdc
`
	want := []fileSystem{{"/dev/vdd", "/srv/a b\\c"}, {"/dev/vde", "/srv/x\\04"}}
	if got := readMounts(strings.NewReader(mounts)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

package supervisor

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// What is dropped of a process must come back as it was.
func TestUnwritten(t *testing.T) {
	const smaps = `00400000-00cf5000 r-xp 00000000 fe:00 131 /usr/bin/banger
Rss:                9044 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
00cf5000-01d11000 r--p 008f5000 fe:00 131 /usr/bin/banger
Rss:               14960 kB
Anonymous:             4 kB
01d11000-01d12000 r--p 01911000 fe:00 131 /usr/bin/banger
Anonymous:             0 kB
01d12000-01d98000 rw-p 01912000 fe:00 131 /usr/bin/banger
Anonymous:             0 kB
1bdc79c00000-1bdc7a400000 r--p 00000000 00:00 0 
Anonymous:             0 kB
7fe154740000-7fe154a00000 r--p 00000000 fe:00 132 /other/usr/bin/banger
Anonymous:             0 kB
7fe154b00000-7fe154c00000 r--p 00000000 fe:00 133 /lib/libc.so.6
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0xcf5000}, {0x1d11000, 0x1d12000}}
	if got := unwritten(strings.NewReader(smaps), "/usr/bin/banger"); !reflect.DeepEqual(got, want) {
		t.Errorf("%x", got)
	}
}

func TestReleaseBoot(t *testing.T) {
	before := residentFile(t)
	releaseBoot()
	if after := residentFile(t); after >= before {
		t.Errorf("%d KiB of files are mapped, %d before", after, before)
	}
}

func residentFile(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "RssFile: %d kB", &kib)
	}
	return kib
}

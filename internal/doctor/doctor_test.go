package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"

	"banger/internal/vmm"
)

type backend struct {
	vmm.Backend
	err error
}

func (b backend) Probe(context.Context) (vmm.Info, error) {
	return vmm.Info{Path: "/bin/vmm", Version: "1.2.3", Accel: vmm.TCG}, b.err
}

func examine(t *testing.T, firecracker, qemu error) map[string]Result {
	t.Helper()
	results := Examine(t.Context(), Host{
		Firecracker: backend{err: firecracker}, QEMU: backend{err: qemu},
		Jail: []string{"/bin/false"}, State: t.TempDir(),
		Hint: func(err error) string { return "mend " + err.Error() },
	})
	byName := map[string]Result{}
	for _, r := range results {
		byName[r.Name] = r
		if !r.OK && r.Remedy == "" || r.Found == "" || strings.Contains(r.Found+r.Remedy, "\n") {
			t.Errorf("%+v is of no help", r)
		}
	}
	return byName
}

func TestExamine(t *testing.T) {
	all := examine(t, errors.New("too old"), nil)
	if r := all["firecracker"]; r.OK || r.Found != "too old" || r.Remedy != "mend too old" || r.String() != "no: too old" {
		t.Errorf("got %+v", r)
	}
	if r := all["qemu"]; !r.OK || r.String() != "ok: /bin/vmm 1.2.3, tcg" {
		t.Errorf("got %+v", r)
	}
	if r := all["jail"]; r.OK {
		t.Errorf("a command that makes no jail passes: %+v", r)
	}
	if r := all["disk"]; !strings.Contains(r.Found, "free in") {
		t.Errorf("got %+v", r)
	}
}

func TestCanRun(t *testing.T) {
	for _, test := range []struct {
		firecracker, qemu, can bool
	}{
		{true, true, true},
		{true, false, true},
		{false, true, true},
		{false, false, false},
	} {
		results := []Result{{Name: "firecracker", OK: test.firecracker}, {Name: "qemu", OK: test.qemu}}
		if CanRun(results) != test.can {
			t.Errorf("%+v: got %v", test, !test.can)
		}
	}
}

func TestAddressOf(t *testing.T) {
	for site, want := range map[string]string{
		"http://archive.example/debian":       "archive.example:80",
		"https://archive.example/debian":      "archive.example:443",
		"http://archive.example:3142/debian":  "archive.example:3142",
		"https://user:secret@archive.example": "archive.example:443",
		"http://[::1]/debian":                 "[::1]:80",
		"file:/srv/debian":                    "",
		"cdrom://[Debian 12]/":                "",
		"":                                    "",
	} {
		if got := addressOf(site); got != want {
			t.Errorf("%q: got %q, want %q", site, got, want)
		}
	}
}

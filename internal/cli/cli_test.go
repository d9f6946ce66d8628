package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"banger/internal/process"
	"banger/internal/statedir"
	"banger/internal/vm"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"banger": func() { os.Exit(Main(os.Args[1:], Stdio())) },
	})
}

// The scripts run the real command line. What needs a guest is in test/vm.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve, "registry": serveRegistry, "sign": sign, "vmlinux": makeVmlinux, "silent": silent, "await-client": awaitClient,
		},
		Condition: func(name string) (bool, error) {
			_, err := process.LookPath(name) // of a program
			return err == nil, nil
		},
	})
}

func TestHints(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{withHint(errors.New("x"), "do %s", "y"), "do y"},
		{fmt.Errorf("wrapped: %w", &vm.NotFoundError{Name: "a", Nearest: "b"}), `did you mean "b"?`},
		{&vm.NotFoundError{Name: "a"}, "banger vm list shows those there are"},
		{&vm.PhaseError{Name: "a", Phase: vm.Running}, "banger vm stop a stops it"},
		{&vm.PhaseError{Name: "a", Phase: vm.Stopped}, "banger vm start a starts it"},
		{&process.NotFoundError{Program: "qemu-system-x86_64"}, "on Debian and Ubuntu: sudo apt install qemu-system-x86"},
		{&process.NotFoundError{Program: "/opt/qemu"}, "its path comes from BANGER_QEMU_BIN, BANGER_FIRECRACKER_BIN or config.toml"},
		{&vm.StartError{Message: "x", Hint: "do that"}, "do that"},
		{
			fmt.Errorf("start: %w", &vm.LinkedError{Mount: vm.Mount{Source: "/a", Target: "/b", ReadOnly: true}}),
			"banger vm set --mount /a:/b:ro NAME mounts what it leads to today, in place of all its mounts",
		},
		{fmt.Errorf("write: %w", syscall.EDQUOT), "your quota of the disk is used up; nothing was left behind"},
		{fmt.Errorf("vm %w", statedir.ErrExist), "choose another name, or remove that one first"},
		{errors.New("plain"), ""},
	}
	for _, test := range tests {
		if got := (&app{}).hint(test.err); got != test.want {
			t.Errorf("%v: got %q, want %q", test.err, got, test.want)
		}
	}
}

// No status that a guest claims reads as success, but 0.
func TestExitCodes(t *testing.T) {
	a := &app{}
	for status, want := range map[int]int{0: 0, 1: 1, 255: 255, 256: 255, 1 << 31: 255, -256: 255} {
		if got := a.report(t.Context(), ended(status, nil)); got != want {
			t.Errorf("%d: got %d", status, got)
		}
	}
}

func TestCompleteEnv(t *testing.T) {
	t.Setenv("SET", "here")
	os.Unsetenv("UNSET")
	got, err := completeEnv([]string{"A=1=2", "SET", "UNSET", "EMPTY="})
	if err != nil || fmt.Sprint(got) != "[A=1=2 SET=here EMPTY=]" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := completeEnv([]string{"=x"}); err == nil {
		t.Error("a variable without a name passed")
	}
}

func TestAge(t *testing.T) {
	now := time.Now()
	for d, want := range map[time.Duration]string{
		time.Second: "1 second ago", 3 * time.Second: "3 seconds ago", 5 * time.Minute: "5 minutes ago",
		3 * time.Hour: "3 hours ago", 72 * time.Hour: "3 days ago",
	} {
		if got := age(now.Add(-d)); got != want {
			t.Errorf("%v: got %q", d, got)
		}
	}
	if got := age(time.Time{}); got != "" {
		t.Errorf("never is %q", got)
	}
}

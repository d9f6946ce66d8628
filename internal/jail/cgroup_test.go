package jail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCgroup(t *testing.T) {
	need(t)
	own, err := ownCgroup()
	if err != nil {
		t.Skip("needs a control group: ", err)
	}
	trial := filepath.Join(own, "banger-trial")
	if err := os.Mkdir(trial, 0o755); err != nil {
		t.Skip("this control group is not delegated: ", err)
	}
	os.Remove(trial)
	out, _ := run(t, "cat /proc/self/cgroup")
	if !strings.Contains(out, "/banger-") {
		t.Errorf("the jail is in %q", out)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		left, _ := filepath.Glob(filepath.Join(own, "banger-*"))
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %q", left)
		}
	}
}

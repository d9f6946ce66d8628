package boot

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestStartProcessors(t *testing.T) {
	dir := t.TempDir()
	before := map[string]string{"cpu1/online": "0\n", "cpu2/online": "1\n", "cpu10/online": "0\n", "cpufreq/online": "0\n"}
	for name, state := range before {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(state), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "cpu0"), 0o755); err != nil { // the first has no switch
		t.Fatal(err)
	}
	if err := startProcessors(dir); err != nil {
		t.Error(err)
	}
	got := map[string]string{}
	for name := range before {
		state, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = string(state)
	}
	want := map[string]string{"cpu1/online": "1", "cpu2/online": "1\n", "cpu10/online": "1", "cpufreq/online": "0\n"}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := startProcessors(filepath.Join(dir, "none")); err != nil {
		t.Errorf("one processor only: %v", err)
	}
}

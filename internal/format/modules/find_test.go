package modules

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	list := "kernel/a/top-one.ko.xz: kernel/b/mid.ko kernel/c/low.ko\nkernel/d/alone.ko:\nkernel/e/bad.ko: ../../etc/passwd\n"
	if err := os.WriteFile(filepath.Join(dir, "modules.dep"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]Module{
		"top_one": {{"low", "kernel/c/low.ko"}, {"mid", "kernel/b/mid.ko"}, {"top_one", "kernel/a/top-one.ko.xz"}},
		"alone":   {{"alone", "kernel/d/alone.ko"}},
		"none":    nil,
	} {
		if got, err := Find(dir, name); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if got, err := Find(dir, "bad"); err == nil {
		t.Errorf("got %v", got)
	}
}

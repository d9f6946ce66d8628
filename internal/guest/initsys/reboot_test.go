package initsys

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A command is given again until the machine ends: the init may have lost the first,
// and refuse those that follow.
func TestCommandUntilTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	said, end := filepath.Join(dir, "said"), filepath.Join(dir, "end")
	if err := syscall.Mkfifo(end, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer cancel()
		if f, err := os.Open(end); err == nil { // once it is written to
			f.Close()
		}
	}()
	const script = `echo >>"$0"; case $(wc -l <"$0") in 1) ;; 2) exit 1 ;; *) echo >"$1"; exec sleep 1000 ;; esac`
	if err := (Init{}).command(ctx, "sh", "-c", script, said, end); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(said); err != nil || string(text) != "\n\n\n" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestCommandThatFails(t *testing.T) {
	t.Parallel()
	if err := (Init{}).command(t.Context(), filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := (Init{}).command(t.Context(), "false"); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("got %v", err)
	}
}

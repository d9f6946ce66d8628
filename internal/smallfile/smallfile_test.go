package smallfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file, link, huge, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "huge"), filepath.Join(dir, "pipe")
	err := errors.Join(
		os.WriteFile(file, []byte("four"), 0o600), os.Symlink("file", link),
		os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 1<<40), unix.Mkfifo(pipe, 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		if got, err := Read(path, 4); string(got) != "four" || err != nil {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
	for path, limit := range map[string]int64{file: 3, huge: 1 << 20} {
		var large *TooLargeError
		if _, err := Read(path, limit); !errors.As(err, &large) || large.Max != limit {
			t.Errorf("%s: got %v", path, err)
		}
	}
	for _, path := range []string{pipe, "/dev/zero"} {
		if _, err := Read(path, 4); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if _, err := Read(filepath.Join(dir, "absent"), 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

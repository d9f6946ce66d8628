package statedir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/internal/smallfile"
)

const newPrefix = ".new-"

// maxJSON is how many bytes of JSON are written and read: some of what manifests
// hold, others chose.
const maxJSON = 8 << 20

var errTooLong = fmt.Errorf("it has more than %d MiB", maxJSON>>20)

// WriteJSON puts v at path, indented, in one step: a reader sees the old file
// or the new one, also after a crash.
func WriteJSON(path string, v any) error {
	data, err := marshal(path, v)
	if err != nil {
		return err
	}
	return WriteFile(path, data)
}

func marshal(path string, v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil && len(data) >= maxJSON {
		err = errTooLong
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return append(data, '\n'), nil
}

// WriteFile is WriteJSON for bytes. A new file is the owner's alone; one that is
// there keeps its mode. The file that becomes it is a lock until then, so that
// what a writer left that died is the next one's, or is swept up.
func WriteFile(path string, data []byte) error {
	dir, base := filepath.Split(path)
	err := writeFile(filepath.Join(dir, newPrefix+base), path, data)
	if err != nil {
		return fmt.Errorf("write %s: %w", base, err)
	}
	return nil
}

func writeFile(draft, path string, data []byte) error {
	lock, err := take(context.Background(), draft, unix.F_OFD_SETLKW, unix.F_WRLCK)
	if err != nil {
		return err
	}
	if err := fill(lock.file, modeOf(path), data); err != nil {
		lock.Remove()
		return err
	}
	if err := os.Rename(draft, path); err != nil {
		lock.Remove()
		return err
	}
	lock.Release()
	return flush(filepath.Dir(path))
}

func modeOf(path string) fs.FileMode {
	if before, err := os.Stat(path); err == nil {
		return before.Mode().Perm()
	}
	return 0o600
}

// fill makes data all of f, on the disk too.
func fill(f *os.File, mode fs.FileMode, data []byte) error {
	if err := errors.Join(f.Chmod(mode), f.Truncate(0)); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return flushFile(f)
}

// ReadJSON fills v from the file at path.
func ReadJSON(path string, v any) error {
	data, err := smallfile.Read(path, maxJSON)
	if errors.As(err, new(*smallfile.TooLargeError)) {
		return fmt.Errorf("read %s: %w", path, errTooLong)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

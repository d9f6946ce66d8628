package vmm

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"banger/internal/statedir"
)

// Versions is a file that remembers what VMMs' programs said of their versions:
// starting one for that takes longer than all else that a start begins with. "" is
// none.
type Versions string

// said is what a program said, as long as it is the same file.
type said struct {
	Device   uint64    `json:"device"`
	Inode    uint64    `json:"inode"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Changed  int64     `json:"changed"` // in nanoseconds
	Version  string    `json:"version"`
}

// Of returns the version of the program at path, and has ask find it out where it
// is not known. What begins with no machine's code may start another program
// tomorrow, and is asked each time.
func (v Versions) Of(path string, ask func() (string, error)) (string, error) {
	now, ok := identify(path)
	if v == "" || !ok {
		return ask()
	}
	all := map[string]said{}
	_ = statedir.ReadJSON(string(v), &all) // what cannot be read is asked for
	known := all[path]
	now.Version = known.Version
	if known.Version != "" && known == now {
		return known.Version, nil
	}
	version, err := ask()
	if err != nil {
		return "", err
	}
	now.Version = version
	all[path] = now
	if statedir.MakeDir(filepath.Dir(string(v))) == nil {
		_ = statedir.WriteJSON(string(v), all) // else it is asked for again
	}
	return version, nil
}

// identify tells a program from any other; ok is false where it is none of machine
// code.
func identify(path string) (s said, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return s, false
	}
	defer f.Close()
	magic := make([]byte, len(elf.ELFMAG))
	if _, err := io.ReadFull(f, magic); err != nil || string(magic) != elf.ELFMAG {
		return s, false
	}
	info, err := f.Stat()
	if err != nil {
		return s, false
	}
	stat := info.Sys().(*syscall.Stat_t)
	return said{
		Device: stat.Dev, Inode: stat.Ino, Size: info.Size(), Modified: info.ModTime().UTC(),
		Changed: stat.Ctim.Nano(),
	}, true
}

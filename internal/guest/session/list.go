package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"banger/internal/agentapi"
)

// List writes what there is at a path to stdout, as JSON.
func (s *Session) List(request agentapi.ListStream) Program {
	return s.program(func() {
		listing, err := list(s.path(string(request.Path)), request.Follow)
		if err == nil {
			err = json.NewEncoder(s.client.Stdout).Encode(listing)
		}
		if err != nil {
			s.fail(1, err)
			return
		}
		s.exit(0)
	})
}

func list(file string, follow bool) (l agentapi.Listing, err error) {
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	info, err := look(file)
	if err != nil {
		return l, err
	}
	l = agentapi.Listing{FileInfo: fileInfo(filepath.Dir(file), info), Path: filepath.Clean(file), Entries: []agentapi.FileInfo{}}
	if !info.IsDir() {
		return l, nil
	}
	l.Entries, l.More, err = entries(file)
	return l, err
}

// entries are those of a directory, as many as are told.
func entries(dir string) (all []agentapi.FileInfo, more bool, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, false, err
	}
	defer d.Close()
	names, err := d.Readdirnames(agentapi.MaxListed + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if more = len(names) > agentapi.MaxListed; more {
		names = names[:agentapi.MaxListed]
	}
	slices.Sort(names)
	all = make([]agentapi.FileInfo, 0, len(names))
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, false, err
		}
		all = append(all, fileInfo(dir, info))
	}
	return all, more, nil
}

// fileInfo is what is told of a file in a directory.
func fileInfo(dir string, info fs.FileInfo) agentapi.FileInfo {
	told := agentapi.FileInfo{
		Name: strings.ToValidUTF8(info.Name(), "\ufffd"), Type: typeOf(info.Mode()), Size: info.Size(), Modified: info.ModTime(),
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		told.UID, told.GID, told.Mode = st.Uid, st.Gid, fmt.Sprintf("%04o", st.Mode&0o7777)
	}
	if told.Type == "symlink" {
		told.Target, _ = os.Readlink(filepath.Join(dir, info.Name()))
	}
	return told
}

func typeOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symlink"
	case fs.ModeNamedPipe:
		return "pipe"
	case fs.ModeSocket:
		return "socket"
	}
	return "device"
}

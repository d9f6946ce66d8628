// Package modules works on a kernel's modules directory, the content of
// /lib/modules/<release>: it writes the indexes that modprobe and udev look
// things up in, and knows which of them a guest loads to boot.
//
// It does depmod's work for kernels that were unpacked and never installed. It
// loads nothing, and takes the modules' bytes for foreign ones.
package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"banger/internal/smallfile"
)

// maxList is more than any list of modules has, in bytes.
const maxList = 32 << 20

// Module is a module's file.
type Module struct {
	Name string // as the kernel writes it, with underscores
	Path string // slash-separated, relative to the modules directory
}

// suffixes are those that a module's file may have.
var suffixes = []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// nameOf returns the name of the module in a file, or false where the file's
// name is no module's.
func nameOf(file string) (string, bool) {
	base := path.Base(file)
	for _, suffix := range suffixes {
		if stem, ok := strings.CutSuffix(base, suffix); ok {
			return underscored(stem), stem != ""
		}
	}
	return "", false
}

// IsModule reports whether a file's name is a module's.
func IsModule(file string) bool {
	_, ok := nameOf(file)
	return ok
}

func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }

// normal writes an alias as the kernel does: with underscores for dashes,
// except in character classes.
func normal(alias string) string {
	key, inClass := []byte(alias), false
	for i, c := range key {
		switch {
		case c == '[':
			inClass = true
		case c == ']':
			inClass = false
		case c == '-' && !inClass:
			key[i] = '_'
		}
	}
	return string(key)
}

// readOptional reads a file that not every directory has.
func readOptional(dir, name string) (string, error) {
	data, err := smallfile.Read(filepath.Join(dir, name), maxList)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(data), nil
}

// replace writes a new file. Whatever had its name, such as a link to somewhere
// else, goes first.
func replace(dir, name string, data []byte) (err error) {
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(data)
	return err
}

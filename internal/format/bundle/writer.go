package bundle

import (
	"archive/tar"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// writer writes a bundle's entries below root.
type writer struct {
	root    *os.Root
	options Options
	entries int
	text    int   // bytes of names and targets
	left    int64 // bytes of content that may still come
	kinds   map[string]kind
	files   []File
	content *content
}

// kind is what an entry of the bundle has become. A file's is its place among
// the files, and up.
type kind int

const (
	absent kind = iota
	directory
	symlink
	firstFile
)

func newWriter(root *os.Root, o Options) *writer {
	return &writer{
		root:    root,
		options: o,
		left:    o.maxBytes(),
		kinds:   map[string]kind{".": directory},
		content: &content{make([]byte, chunkSize), o.Room},
	}
}

func (w *writer) write(h *tar.Header, content io.Reader) error {
	if err := w.count(); err != nil {
		return err
	}
	if w.text += len(h.Name) + len(h.Linkname); w.text > maxText {
		return &Error{"", "has too long names"}
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	if h.Mode&0o6000 != 0 {
		return &Error{name, "is refused: it is setuid or setgid"}
	}
	if name == "." && h.Typeflag == tar.TypeDir {
		return nil
	}
	if err := w.checkPlace(h, name); err != nil {
		return err
	}
	if err := w.makeParents(name); err != nil {
		return err
	}
	switch before := w.kinds[name]; {
	case before == directory && h.Typeflag == tar.TypeDir:
		return nil
	case before != absent:
		return &Error{name, "is there twice"}
	}
	return w.make(h, name, content)
}

// count counts an entry.
func (w *writer) count() error {
	if w.entries++; w.entries > w.options.maxEntries() {
		return &Error{"", "has too many entries"}
	}
	return nil
}

// checkPlace reports whether an entry of h's type may be at name.
func (w *writer) checkPlace(h *tar.Header, name string) error {
	top, _, below := strings.Cut(name, "/")
	isFile := h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse || h.Typeflag == tar.TypeLink
	switch {
	case top == w.options.Dir && top != "":
		if !below && h.Typeflag != tar.TypeDir {
			return &Error{name, "is refused: it is no directory"}
		}
	case !slices.Contains(w.options.Files, top):
		return &Error{name, "is refused: nothing of that name is expected"}
	case below || !isFile:
		return &Error{name, "is refused: " + top + " has to be a plain file"}
	}
	return nil
}

// makeParents makes the directories above name that the archive left out.
func (w *writer) makeParents(name string) error {
	parent := path.Dir(name)
	switch w.kinds[parent] {
	case directory:
		return nil
	case symlink:
		return &Error{name, "is refused: it is below the symbolic link " + parent}
	case absent:
		if err := w.makeParents(parent); err != nil {
			return err
		}
		if err := w.count(); err != nil {
			return err
		}
		return w.mkdir(parent)
	}
	return &Error{name, "is refused: it is below the file " + parent}
}

func (w *writer) make(h *tar.Header, name string, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return w.writeFile(name, h.Size, content)
	case tar.TypeDir:
		return w.mkdir(name)
	case tar.TypeSymlink:
		return w.symlink(name, h.Linkname)
	case tar.TypeLink:
		return w.link(name, h.Linkname)
	case tar.TypeChar, tar.TypeBlock:
		return &Error{name, "is refused: it is a device"}
	case tar.TypeFifo:
		return &Error{name, "is refused: it is a fifo"}
	}
	return &Error{name, "is refused: it is neither file, directory nor link"}
}

func (w *writer) mkdir(name string) error {
	w.kinds[name] = directory
	return w.root.Mkdir(name, 0o755)
}

func (w *writer) symlink(name, target string) error {
	if err := checkTarget(name, target); err != nil {
		return err
	}
	w.kinds[name] = symlink
	return w.root.Symlink(target, name)
}

func (w *writer) link(name, to string) error {
	target, err := cleanName(to)
	if err != nil || w.kinds[target] < firstFile {
		return &Error{name, "is refused: it is a hard link to no earlier file of the bundle"}
	}
	file := w.files[w.kinds[target]-firstFile]
	if err := w.root.Link(target, name); err != nil {
		return err
	}
	file.Path = name
	w.add(file)
	return nil
}

func (w *writer) add(f File) {
	w.kinds[f.Path] = firstFile + kind(len(w.files))
	w.files = append(w.files, f)
}

func (w *writer) writeFile(name string, size int64, r io.Reader) error {
	if w.left -= size; w.left < 0 {
		return errTooLarge
	}
	digest, err := w.content.write(w.root, name, size, r)
	if err != nil {
		return err
	}
	w.add(File{Path: name, SHA256: digest, Size: size})
	return nil
}

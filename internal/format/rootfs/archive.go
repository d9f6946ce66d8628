package rootfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"

	"banger/internal/format/tarfile"
)

// archive reads one tar.
type archive struct {
	src     io.Reader
	budget  *budget
	entries int    // how many were seen
	last    string // the newest of them
	marked  bool   // the end mark was there

	start  []byte // what it begins with, while that can tell what it is
	at     int64  // bytes read
	behind int64  // the least that at was behind the newest entry's content
	tail   tail
}

// Types of entries that GNU tar knows and archive/tar has no name for.
const (
	gnuDumpDir = 'D' // a directory of an incremental dump; the content lists what is in it
	gnuVolume  = 'V' // the archive's label
	gnuRest    = 'M' // the rest of a file in the volume before
	solarisPAX = 'X' // what TypeXHeader is, as Solaris had it before POSIX
)

// each calls visit for every entry, cleaned, and reads the source to its end.
func (a *archive) each(visit func(*tar.Header, io.Reader) error) error {
	tr := tarfile.NewReader(a)
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, tar.ErrHeader) && a.loneZeros() {
			break
		}
		if err != nil {
			return a.explain(err)
		}
		if hdr.Typeflag == tar.TypeXGlobalHeader || hdr.Typeflag == gnuVolume {
			continue
		}
		a.last = hdr.Name
		a.entries++
		if err := a.budget.spendEntry(hdr); err != nil {
			return err
		}
		content := &entry{archive: a, file: tr.File()}
		err = clean(hdr)
		if err == nil {
			err = visit(hdr, content)
		}
		if err == nil {
			err = content.drain(tr)
		}
		a.behind = a.at
		if content.err != nil {
			return content.err
		}
		if err != nil {
			return err
		}
	}
	if a.entries == 0 {
		if err := a.checkKind(); err != nil {
			return err
		}
	}
	a.marked = a.at-a.behind >= blockSize // of zeros
	if _, err := io.Copy(io.Discard, a); err != nil {
		return a.explain(err)
	}
	return nil
}

func (a *archive) Read(p []byte) (int, error) {
	n, err := a.src.Read(p)
	a.at += int64(n)
	a.tail.add(p[:n])
	a.start = append(a.start, p[:min(n, KindSize-len(a.start))]...)
	if err := a.budget.spendBytes(int64(n)); err != nil {
		return 0, err
	}
	return n, err
}

// checkKind refuses what has no entry where that is for it is no tar.
func (a *archive) checkKind() error {
	io.CopyN(io.Discard, a, KindSize) // an error comes again
	if kind := Kind(a.start); kind != "" {
		return notTar(kind)
	}
	if again := Compression(a.start); again != "" {
		return fmt.Errorf("compressed twice: it is %s data once more", again)
	}
	return nil
}

// loneZeros reports whether one block of zeros came where two are due, and then
// something else. As for GNU tar, that is the archive's end.
func (a *archive) loneZeros() bool {
	since := a.at - a.behind
	return since >= 2*blockSize && since < 3*blockSize && a.tail.lone()
}

const blockSize = 512

// tail is the last two blocks of what was read.
type tail [2 * blockSize]byte

func (t *tail) add(p []byte) {
	p = p[max(0, len(p)-len(t)):]
	copy(t[:], t[len(p):])
	copy(t[len(t)-len(p):], p)
}

func (t *tail) lone() bool { return [blockSize]byte(t[:blockSize]) == [blockSize]byte{} }

// explain makes a message of what archive/tar found or was told.
func (a *archive) explain(err error) error {
	if a.entries == 0 && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrHeader)) {
		if kind := a.checkKind(); kind != nil {
			return kind
		}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && a.entries == 0:
		return errors.New("truncated, or not a tar")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("truncated in or after entry %s", quote(a.last))
	case errors.Is(err, tar.ErrHeader) && a.entries == 0:
		return errors.New("not a tar")
	case errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("damaged after entry %s", quote(a.last))
	}
	return err
}

// entry is an entry's content. It keeps the first error of the source, which
// says more than what its reader makes of it.
type entry struct {
	archive *archive
	file    *tarfile.File
	err     error
}

func (e *entry) Read(p []byte) (int, error) {
	n, err := e.file.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		e.err = e.archive.explain(err)
		err = e.err
	}
	return n, err
}

// SkipHole is that of the file.
func (e *entry) SkipHole(block int64) int64 { return e.file.SkipHole(block) }

// drain reads what the archive still has of the content.
func (e *entry) drain(from *tarfile.Reader) error {
	if err := from.Drain(); err != nil {
		e.err = e.archive.explain(err)
	}
	return e.err
}

// isXattr reports whether a PAX record is an extended attribute.
func isXattr(key string) bool { return strings.HasPrefix(key, "SCHILY.xattr.") }

// clean brings a header into the form that a Stream promises.
func clean(hdr *tar.Header) error {
	raw := hdr.Name
	if raw == "" && hdr.Typeflag == tar.TypeDir {
		hdr.Name = "." // as GNU tar has it
	}
	name, fault := cleanName(hdr.Name)
	if fault != "" {
		return fmt.Errorf("entry %s: the name %s", quote(raw), fault)
	}
	hdr.Name = name
	hdr.Mode &= 0o7777
	switch hdr.Typeflag {
	case tar.TypeSymlink:
		hdr.Mode = 0o777 // as Linux has them, whatever made the tar
		if len(hdr.Linkname) > maxPath {
			return fmt.Errorf("entry %s: the link's target has %d bytes, %d are possible", quote(raw), len(hdr.Linkname), maxPath)
		}
	case tar.TypeDir, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	case tar.TypeReg, tar.TypeCont:
		hdr.Typeflag = tar.TypeReg
		if strings.HasSuffix(raw, "/") { // as BSD's and old ones have directories
			hdr.Typeflag, hdr.Size = tar.TypeDir, 0
		}
	case gnuDumpDir:
		hdr.Typeflag, hdr.Size = tar.TypeDir, 0
	case gnuRest:
		return fmt.Errorf("entry %s: the archive is one of several volumes, and not the first", quote(raw))
	case solarisPAX:
		return fmt.Errorf("entry %s: Solaris' own extended headers are not understood", quote(raw))
	case tar.TypeLink:
		target := hdr.Linkname
		if hdr.Linkname, fault = cleanName(target); fault != "" {
			return fmt.Errorf("entry %s: the hard link's target %s %s", quote(raw), quote(target), fault)
		}
	default:
		return fmt.Errorf("entry %s: type %q is none that a file system has", quote(raw), hdr.Typeflag)
	}
	if hdr.Name == "." && hdr.Typeflag != tar.TypeDir {
		return fmt.Errorf("entry %s: the root must be a directory", quote(raw))
	}
	return nil
}

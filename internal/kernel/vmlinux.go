package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

var errNoKernel = errors.New("this is no kernel: neither a vmlinux nor a bzImage")

// writeVmlinux writes the kernel in the file at from, a vmlinux or a bzImage,
// to the file at to.
func writeVmlinux(ctx context.Context, from, to string) (err error) {
	in, size, err := openRegular(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if size > maxVmlinux {
		return fmt.Errorf("this is larger than the %d bytes that are sensible for a kernel", maxVmlinux)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return extract(contextReaderAt{ctx, in}, size, out)
}

// extract writes the vmlinux that is in a file of size bytes, or that the file
// is, to w.
func extract(in io.ReaderAt, size int64, w io.Writer) error {
	head := make([]byte, min(size, sizeBzHeader))
	if _, err := in.ReadAt(head, 0); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		_, err := io.Copy(w, io.NewSectionReader(in, 0, size))
		return err
	case isBzImage(head):
		b, err := openBzImage(in, size)
		if err != nil {
			return err
		}
		return b.unpack(w)
	}
	return errNoKernel
}

// checkVmlinux reports whether the file is a whole 64-bit x86 kernel, and its
// release, as uname -r says it.
func checkVmlinux(ctx context.Context, path string) (release string, err error) {
	f, size, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := checkELF(f, size); err != nil {
		return "", err
	}
	release, err = findRelease(contextReader{ctx, f})
	if err == nil && release == "" {
		err = errors.New("this is no Linux kernel: an ELF file that tells no version of Linux")
	}
	return release, err
}

func checkELF(r io.ReaderAt, size int64) error {
	file, err := elf.NewFile(r)
	if err != nil {
		return errors.New("this is no kernel, or a damaged one: it cannot be read as an ELF file")
	}
	if file.Class != elf.ELFCLASS64 || file.Machine != elf.EM_X86_64 {
		return fmt.Errorf("this is no %s kernel: an ELF file for %s", Arch, file.Machine)
	}
	if file.Type != elf.ET_EXEC {
		return fmt.Errorf("this is no kernel: an ELF file of type %s", file.Type)
	}
	loads := 0
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD {
			loads++
		}
		if end := p.Off + p.Filesz; end < p.Off || end > uint64(size) {
			return errors.New("this kernel is cut short")
		}
	}
	if loads == 0 {
		return errors.New("this is no kernel: an ELF file with nothing to load")
	}
	return nil
}

const (
	banner     = "Linux version "
	maxRelease = 64 // bytes, as uname has it
)

// findRelease looks for the kernel's banner, the first that a number follows.
func findRelease(r io.Reader) (string, error) {
	const chunk, overlap = 1 << 20, len(banner) + maxRelease + 1
	buf := make([]byte, overlap+chunk)
	kept := 0 // bytes of the last round, where a banner may begin
	for {
		n, err := io.ReadFull(r, buf[kept:])
		if release := releaseIn(buf[:kept+n]); release != "" {
			return release, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		kept = copy(buf, buf[len(buf)-overlap:])
	}
}

func releaseIn(data []byte) string {
	for {
		_, rest, found := bytes.Cut(data, []byte(banner))
		if !found {
			return ""
		}
		word, _, ended := strings.Cut(string(rest[:min(len(rest), maxRelease+1)]), " ")
		if ended && isRelease(word) {
			return word
		}
		data = rest
	}
}

func isRelease(word string) bool {
	for _, c := range []byte(word) {
		if c <= ' ' || c > '~' || c == '/' {
			return false
		}
	}
	return word != "" && word[0] >= '0' && word[0] <= '9'
}

package kernel

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
)

// writeVmlinux writes the kernel in the file at from, a vmlinux or a bzImage,
// to the file at to, and returns its release where the bzImage tells it.
func writeVmlinux(from, to string) (release string, err error) {
	image, err := readAtMost(from, maxVmlinux)
	if err != nil {
		return "", fmt.Errorf("read the kernel: %w", err)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	packed, err := parseBzImage(image)
	if errors.Is(err, errNotBzImage) {
		_, err = out.Write(image)
		return "", err
	}
	if err == nil {
		err = packed.unpack(out)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	return packed.release, nil
}

func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, err
}

// checkVmlinux tells whether the file is a whole 64-bit x86 kernel, and its
// release.
func checkVmlinux(path string) (release string, err error) {
	file, err := elf.Open(path)
	if err != nil {
		return "", errors.New("this is no kernel: neither a vmlinux nor a bzImage")
	}
	defer file.Close()
	if file.Class != elf.ELFCLASS64 || file.Machine != elf.EM_X86_64 || file.Type != elf.ET_EXEC {
		return "", fmt.Errorf("this is no %s kernel: an ELF file for %s", Arch, file.Machine)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	loads := 0
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD {
			loads++
		}
		if end := p.Off + p.Filesz; end < p.Off || end > uint64(info.Size()) {
			return "", errors.New("this kernel is cut short")
		}
	}
	if loads == 0 {
		return "", errors.New("this is no kernel: an ELF file with nothing to load")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if release = releaseOf(data); release == "" {
		return "", errors.New("this is no Linux kernel: an ELF file that tells no version of Linux")
	}
	return release, nil
}

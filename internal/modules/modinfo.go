package modules

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxModule bounds a module's size in bytes, unpacked.
const maxModule = 256 << 20

// ReadFile returns a module's content, decompressed where its name says that
// it is compressed.
func ReadFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := decompressor(file, f)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxModule {
		return nil, fmt.Errorf("is larger than %d bytes", maxModule)
	}
	return content, nil
}

func decompressor(name string, r io.Reader) (io.Reader, error) {
	switch {
	case strings.HasSuffix(name, ".gz"):
		return gzip.NewReader(r)
	case strings.HasSuffix(name, ".xz"):
		return xz.NewReader(r)
	case strings.HasSuffix(name, ".zst"):
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxModule))
	}
	return r, nil
}

// parse reads the .modinfo section, a list of NUL-terminated KEY=VALUE, see
// include/linux/module.h in the kernel.
func parse(content []byte) (Module, error) {
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return Module{}, errors.New("is not an ELF file")
	}
	section := file.Section(".modinfo")
	if section == nil || section.Type == elf.SHT_NOBITS || section.Size > uint64(len(content)) {
		return Module{}, errors.New("has no .modinfo section")
	}
	info, err := section.Data()
	if err != nil {
		return Module{}, fmt.Errorf("read its .modinfo: %w", err)
	}
	var m Module
	for field := range strings.SplitSeq(string(info), "\x00") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "depends":
			for name := range strings.SplitSeq(value, ",") {
				if name != "" {
					m.Depends = append(m.Depends, underscored(name))
				}
			}
		case "alias":
			m.Aliases = append(m.Aliases, value)
		case "softdep":
			m.Soft = append(m.Soft, value)
		}
	}
	return m, nil
}

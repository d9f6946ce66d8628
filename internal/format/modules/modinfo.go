package modules

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// info is what a module says of itself.
type info struct {
	depends []string // names
	aliases []string
	soft    []string // soft dependencies: "pre: a b post: c"
}

// maxModinfo bounds a .modinfo section in bytes; the largest known ones, of
// drivers for thousands of USB devices, have less than 100 KiB.
const maxModinfo = 4 << 20

// readInfo reads the file of a module below dir.
func readInfo(dir, file string) (info, error) {
	file = filepath.Join(dir, filepath.FromSlash(file))
	packed, err := isPacked(file)
	if err != nil {
		return info{}, err
	}
	if packed {
		data, err := content(file)
		if err != nil {
			return info{}, err
		}
		return parse(bytes.NewReader(data))
	}
	f, err := os.Open(file)
	if err != nil {
		return info{}, err
	}
	defer f.Close()
	return parse(f)
}

// parse finds the .modinfo section, a list of NUL-terminated KEY=VALUE, see
// include/linux/module.h in the kernel.
func parse(module io.ReaderAt) (info, error) {
	file, err := elf.NewFile(module)
	if err != nil {
		return info{}, errors.New("is not an ELF file")
	}
	section := file.Section(".modinfo")
	if section == nil || section.Type == elf.SHT_NOBITS {
		return info{}, errors.New("has no .modinfo section")
	}
	if section.Flags&elf.SHF_COMPRESSED != 0 || section.FileSize > maxModinfo {
		return info{}, errors.New("has a .modinfo section that is compressed or too large")
	}
	text, err := section.Data()
	if err != nil {
		return info{}, errors.New("is cut short")
	}
	var m info
	for field := range strings.SplitSeq(string(text), "\x00") {
		switch key, value, _ := strings.Cut(field, "="); key {
		case "depends":
			for name := range strings.SplitSeq(value, ",") {
				if name != "" {
					m.depends = append(m.depends, underscored(name))
				}
			}
		case "alias":
			m.aliases = append(m.aliases, value)
		case "softdep":
			m.soft = append(m.soft, value)
		}
	}
	return m, nil
}

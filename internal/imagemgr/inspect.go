package imagemgr

import (
	"archive/tar"
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"

	"banger/internal/format/rootfs"
	"banger/internal/format/tarfile"
)

// inspector looks at entries as they pass: what distribution they are of, and
// whether this machine can run their programs.
type inspector struct {
	etc, lib string // ID in /etc/os-release and in /usr/lib/os-release
	native   bool   // a program for this machine was seen
	foreign  error  // the first one for another
	head     *bufio.Reader

	described, nested bool // as an image of Incus is
}

// watch passes entries on. It stops at a program in a directory called bin or
// sbin that this machine cannot run, where it has seen none that it can: what
// is for other machines elsewhere may be there for good reasons. In the end
// there must be one that it can run, or none at all.
func (i *inspector) watch(entries rootfs.Stream) rootfs.Stream {
	i.head = bufio.NewReaderSize(nil, 4096)
	return func(yield func(*tar.Header, io.Reader) error) error {
		err := entries(func(hdr *tar.Header, content io.Reader) error {
			look := i.interest(hdr)
			if look == nil {
				return yield(hdr, content)
			}
			i.head.Reset(content)
			if err := look(hdr.Name); err != nil {
				return err
			}
			return yield(hdr, peeked{i.head, content})
		})
		if err == nil && !i.native {
			err = i.foreign
		}
		return err
	}
}

// peeked is content of which the head was looked at.
type peeked struct {
	*bufio.Reader
	rest io.Reader
}

// SkipHole is that of the content, once its head was read.
func (p peeked) SkipHole(block int64) int64 {
	if p.Buffered() > 0 {
		return 0
	}
	return tarfile.SkipHole(p.rest, block)
}

// interest returns what is to be done with an entry, or nil.
func (i *inspector) interest(hdr *tar.Header) func(name string) error {
	switch {
	case hdr.Typeflag != tar.TypeReg:
		return nil
	case hdr.Name == "etc/os-release" || hdr.Name == "usr/lib/os-release":
		return i.lookAtRelease
	case hdr.Name == "oci-layout" || hdr.Name == "manifest.json":
		return i.lookAtManifest
	case hdr.Name == "box.img" || hdr.Name == "box.ovf":
		return func(string) error {
			return errors.New("this is a Vagrant box, which holds a virtual disk and no root filesystem")
		}
	case hdr.Name == "metadata.yaml" || hdr.Name == "rootfs/etc/os-release" || hdr.Name == "rootfs/usr/lib/os-release":
		return i.lookAtIncus
	case hdr.Mode&0o111 != 0 && !i.native:
		return i.lookAtProgram
	}
	return nil
}

func (i *inspector) lookAtProgram(name string) error {
	head, _ := i.head.Peek(20)
	if len(head) < 20 || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return nil // a script; a read error comes again where the content is read
	}
	machine := machineOf(head)
	if runsHere(machine) {
		i.native = true
		return nil
	}
	fault := fmt.Errorf("%s is a program for %s: this machine is %s",
		name, strings.ToLower(strings.TrimPrefix(machine.String(), "EM_")), arch())
	if i.foreign == nil {
		i.foreign = fault
	}
	if dir := path.Base(path.Dir(name)); dir == "bin" || dir == "sbin" {
		return fault
	}
	return nil
}

// lookAtRelease finds ID in an os-release file, as os-release(5) describes it.
func (i *inspector) lookAtRelease(name string) error {
	head, _ := i.head.Peek(i.head.Size())
	for line := range strings.Lines(string(head)) {
		value, ok := strings.CutPrefix(line, "ID=")
		if !ok {
			continue
		}
		if value = strings.Trim(strings.TrimSpace(value), `"'`); name == "etc/os-release" {
			i.etc = value
		} else {
			i.lib = value
		}
	}
	return nil
}

// lookAtManifest finds out that an image's archive was taken for its root
// filesystem.
func (i *inspector) lookAtManifest(string) error {
	head, _ := i.head.Peek(i.head.Size())
	head = bytes.Join(bytes.Fields(head), nil)
	switch {
	case bytes.HasPrefix(head, []byte(`{"imageLayoutVersion"`)):
		return errors.New("this is an OCI image, not a root filesystem: pull it as oci-archive:FILE")
	case bytes.HasPrefix(head, []byte(`[{"`)) && (bytes.Contains(head, []byte(`"Config":`)) || bytes.Contains(head, []byte(`"Layers":`))):
		return errors.New("this is what docker save writes, not a root filesystem: pull it as docker-archive:FILE")
	}
	return nil
}

// lookAtIncus finds out that a tar has its root filesystem in a directory, beside
// what describes it.
func (i *inspector) lookAtIncus(name string) error {
	if name == "metadata.yaml" {
		i.described = true
	} else {
		i.nested = true
	}
	if i.described && i.nested {
		return errors.New("this is an image of Incus or LXD, whose root filesystem is below rootfs in it: pull a tar of that directory")
	}
	return nil
}

func (i *inspector) distro() string {
	if i.etc != "" {
		return i.etc
	}
	return i.lib
}

// machineOf reads e_machine of an ELF header.
func machineOf(head []byte) elf.Machine {
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		return elf.Machine(binary.BigEndian.Uint16(head[18:]))
	}
	return elf.Machine(binary.LittleEndian.Uint16(head[18:]))
}

func runsHere(m elf.Machine) bool {
	switch runtime.GOARCH {
	case "amd64":
		return m == elf.EM_X86_64 || m == elf.EM_386
	case "arm64":
		return m == elf.EM_AARCH64
	}
	return true
}

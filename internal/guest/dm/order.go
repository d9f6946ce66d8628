package dm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The sizes of what the kernel reads.
const (
	headerSize = unix.SizeofDmIoctl
	targetSize = unix.SizeofDmTargetSpec
)

// order is a call of the device mapper for one device.
type order struct {
	name  string
	flags uint32
	table []Target
}

// encode is the order as the kernel reads it: a header, then each target with
// its parameters.
func (o order) encode() ([]byte, error) {
	var h unix.DmIoctl
	if len(o.name) >= len(h.Name) {
		return nil, fmt.Errorf("the name %q is too long", o.name)
	}
	body := []byte{}
	for _, t := range o.table {
		spec := unix.DmTargetSpec{Sector_start: t.Start, Length: t.Length}
		if len(t.Type) >= len(spec.Target_type) {
			return nil, fmt.Errorf("the target %q is too long", t.Type)
		}
		copy(spec.Target_type[:], t.Type)
		params := append([]byte(t.Params), make([]byte, 8-len(t.Params)%8)...) // ends in a zero, aligned
		spec.Next = uint32(targetSize + len(params))
		var encoded bytes.Buffer
		if err := binary.Write(&encoded, binary.NativeEndian, spec); err != nil {
			return nil, err
		}
		body = slices.Concat(body, encoded.Bytes(), params)
	}
	h.Version = [3]uint32{4, 0, 0}
	h.Data_start = headerSize
	h.Data_size = uint32(headerSize + len(body))
	h.Target_count = uint32(len(o.table))
	h.Flags = o.flags
	copy(h.Name[:], o.name)
	var header bytes.Buffer
	if err := binary.Write(&header, binary.NativeEndian, h); err != nil {
		return nil, err
	}
	return append(header.Bytes(), body...), nil
}

// send gives the order and returns the header of the kernel's answer.
func (o order) send(c *os.File, request uintptr) (unix.DmIoctl, error) {
	var answer unix.DmIoctl
	data, err := o.encode()
	if err != nil {
		return answer, err
	}
	if err := ioctl(c, request, data); err != nil {
		return answer, err
	}
	_, err = binary.Decode(data[:headerSize], binary.NativeEndian, &answer)
	return answer, err
}

func ioctl(c *os.File, request uintptr, data []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, c.Fd(), request, uintptr(unsafe.Pointer(&data[0])))
	runtime.KeepAlive(data)
	if errno != 0 {
		return errno
	}
	return nil
}

// missing returns ErrUnsupported for the first target of table that the kernel
// does not have.
func missing(c *os.File, table []Target) error {
	known, err := targets(c)
	if err != nil {
		return err
	}
	for _, t := range table {
		if !slices.Contains(known, t.Type) {
			return fmt.Errorf("the device mapper's target %s: %w", t.Type, ErrUnsupported)
		}
	}
	return nil
}

// targets lists the types that the kernel has loaded.
func targets(c *os.File) ([]string, error) {
	data, err := order{}.encode()
	if err != nil {
		return nil, err
	}
	data = append(data, make([]byte, 16<<10)...)
	binary.NativeEndian.PutUint32(data[unsafe.Offsetof(unix.DmIoctl{}.Data_size):], uint32(len(data)))
	if err := ioctl(c, unix.DM_LIST_VERSIONS, data); err != nil {
		return nil, err
	}
	return parseTargets(data[headerSize:])
}

// parseTargets reads a list of dm_target_versions: the offset of the next one,
// three numbers and a name.
func parseTargets(list []byte) (names []string, err error) {
	const named = 16
	for len(list) >= named {
		name, _, ended := strings.Cut(string(list[named:]), "\x00")
		next := binary.NativeEndian.Uint32(list)
		if !ended || int64(next) > int64(len(list)) {
			return nil, errors.New("the list of targets makes no sense")
		}
		names = append(names, name)
		if next == 0 {
			break
		}
		list = list[next:]
	}
	return names, nil
}

// Package dm makes block devices of parts of others by the kernel's device
// mapper, as dmsetup does.
//
// It speaks to /dev/mapper/control alone and looks at no device's content.
package dm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// control takes the device mapper's orders.
const control = "/dev/mapper/control"

// ErrUnsupported says that the kernel lacks the device mapper or a target.
var ErrUnsupported = errors.New("the kernel does not have it")

// Target is a run of sectors of a device and what they are made of.
type Target struct {
	Start, Length uint64 // sectors of 512 bytes
	Type          string
	Params        string
}

// Linear maps length sectors at start to those of device at offset.
func Linear(start, length uint64, device Device, offset uint64) Target {
	return Target{start, length, "linear", fmt.Sprintf("%s %d", device.Number, offset)}
}

// Snapshot is origin as it is after the writes that store holds, which it keeps
// by chunks of a number of sectors. A store that begins with zeros is an empty
// one.
func Snapshot(origin, store Device, chunk uint64) Target {
	return Target{0, origin.Sectors, "snapshot", fmt.Sprintf("%s %s P %d", origin.Number, store.Number, chunk)}
}

// Create makes a device and returns the path of its node. Nothing is left where
// it fails.
func Create(name string, readOnly bool, table ...Target) (node string, err error) {
	c, err := open()
	if err != nil {
		return "", fmt.Errorf("map %s: %w", name, err)
	}
	defer c.Close()
	made, err := order{name: name}.send(c, unix.DM_DEV_CREATE)
	if err != nil {
		return "", fmt.Errorf("map %s: create: %w", name, err)
	}
	load := order{name: name, table: table}
	if readOnly {
		load.flags = unix.DM_READONLY_FLAG
	}
	if _, err = load.send(c, unix.DM_TABLE_LOAD); err == nil {
		_, err = order{name: name}.send(c, unix.DM_DEV_SUSPEND) // which without its flag resumes
	}
	if err != nil {
		order{name: name}.send(c, unix.DM_DEV_REMOVE)
		if lacks := missing(c, table); lacks != nil {
			err = lacks // the kernel calls such a table invalid
		}
		return "", fmt.Errorf("map %s: %w", name, err)
	}
	return fmt.Sprintf("/dev/dm-%d", unix.Minor(made.Dev)), nil
}

// Remove ends a device that nobody uses.
func Remove(name string) error {
	c, err := open()
	if err == nil {
		defer c.Close()
		_, err = order{name: name}.send(c, unix.DM_DEV_REMOVE)
	}
	if err != nil {
		return fmt.Errorf("unmap %s: %w", name, err)
	}
	return nil
}

func open() (*os.File, error) {
	c, err := os.OpenFile(control, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the device mapper: %w", ErrUnsupported)
	}
	return c, err
}

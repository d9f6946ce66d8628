package dm

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// SectorSize is what the device mapper counts in.
const SectorSize = 512

// Device is a block device to make others of.
type Device struct {
	Number  string // major:minor, which needs no path
	Sectors uint64
}

// Stat describes the device at a path.
func Stat(path string) (Device, error) {
	f, err := os.Open(path)
	if err != nil {
		return Device{}, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return Device{}, err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return Device{}, err
	}
	number := fmt.Sprintf("%d:%d", unix.Major(stat.Rdev), unix.Minor(stat.Rdev))
	return Device{number, uint64(size) / SectorSize}, nil
}

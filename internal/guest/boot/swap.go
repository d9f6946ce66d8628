package boot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"banger/internal/agentapi"

	"golang.org/x/sys/unix"
)

// zramControl is where Linux makes compressed disks in memory. It leaves the first one,
// which is there from the start, to the image.
const zramControl = "/sys/class/zram-control"

// swapPriority is before that of any swap on a disk, which the image may have.
const swapPriority = 100

// startSwap has the guest put into compressed memory what it has no room for. A kernel
// that cannot goes without.
func startSwap(s *agentapi.Swap) error {
	if s == nil {
		return nil
	}
	number, err := os.ReadFile(filepath.Join(zramControl, "hot_add")) // which makes one
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name := "zram" + strings.TrimSpace(string(number))
	settings := filepath.Join("/sys/block", name)
	_ = os.WriteFile(filepath.Join(settings, "comp_algorithm"), []byte("lzo-rle"), 0) // or it has one of its own
	if err := os.WriteFile(filepath.Join(settings, "disksize"), []byte(strconv.FormatInt(s.Bytes, 10)), 0); err != nil {
		return err
	}
	device := filepath.Join("/dev", name)
	if err := writeSwapHeader(device, s.Bytes); err != nil {
		return err
	}
	err = swapOn(device)
	if errors.Is(err, unix.ENOSYS) {
		return nil // a kernel without swap
	}
	return err
}

func writeSwapHeader(device string, size int64) error {
	f, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(swapHeader(os.Getpagesize(), size))
	return errors.Join(err, f.Close())
}

// swapHeader is the first page of swap, as Linux's union swap_header and mkswap(8)
// have it.
func swapHeader(pageSize int, size int64) []byte {
	const info, version = 1024, 1
	page := make([]byte, pageSize)
	binary.NativeEndian.PutUint32(page[info:], version)
	binary.NativeEndian.PutUint32(page[info+4:], uint32(size/int64(pageSize)-1)) // the last page's number
	copy(page[pageSize-10:], "SWAPSPACE2")
	return page
}

func swapOn(device string) error {
	path, err := unix.BytePtrFromString(device)
	if err != nil {
		return err
	}
	const prefer = 0x8000 // SWAP_FLAG_PREFER
	if _, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(path)), prefer|swapPriority, 0); errno != 0 {
		return fmt.Errorf("swap on %s: %w", device, errno)
	}
	return nil
}

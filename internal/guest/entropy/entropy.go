// Package entropy feeds the kernel's random pool.
package entropy

import (
	"encoding/binary"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Credit adds seed to the kernel's random pool and counts all its bits, see
// random(4): else the first reader of a guest without a random number generator
// would wait.
func Credit(seed []byte) error {
	if len(seed) == 0 {
		return nil
	}
	random, err := os.OpenFile("/dev/random", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer random.Close()
	return credit(random, seed)
}

// Renew is Credit for a pool that others have a copy of: what is read from now on
// depends on the seed.
func Renew(seed []byte) error {
	random, err := os.OpenFile("/dev/random", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer random.Close()
	if err := credit(random, seed); err != nil {
		return err
	}
	return unix.IoctlSetInt(int(random.Fd()), unix.RNDRESEEDCRNG, 0)
}

func credit(random *os.File, seed []byte) error {
	// struct rand_pool_info: the count of bits, the size in bytes, the bytes.
	info := binary.NativeEndian.AppendUint32(nil, uint32(8*len(seed)))
	info = binary.NativeEndian.AppendUint32(info, uint32(len(seed)))
	info = append(info, seed...)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, random.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&info[0])))
	if errno != 0 {
		return errno
	}
	return nil
}

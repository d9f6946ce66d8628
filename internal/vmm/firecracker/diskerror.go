package firecracker

import (
	"strconv"
	"syscall"

	"banger/internal/pattern"
)

// diskErrorLine is what Firecracker logs where the host fails a guest's request to
// a disk: a Rust error with a number of the host's (IoErr in its
// devices/virtio/block/virtio/request.rs). A guest's own mistakes have none.
var diskErrorLine = pattern.New(`Failed to execute .{1,40} virtio block request: .*Os \{ code: (\d{1,4}),`)

// diskError returns why a guest got an I/O error, where a line of Firecracker's log
// says that it did.
func diskError(line string) (why string, ok bool) {
	found := diskErrorLine().FindStringSubmatch(line)
	if found == nil {
		return "", false
	}
	number, err := strconv.Atoi(found[1])
	return syscall.Errno(number).Error(), err == nil
}

package firecracker

import (
	"fmt"
	"io"
	"slices"
	"testing"

	"banger/internal/vmm"
)

func TestDiskErrorsAreHeard(t *testing.T) {
	var heard []string
	m := newMachine(vmm.Config{Log: io.Discard, DiskError: func(why string) { heard = append(heard, why) }})
	const time = "2026-11-27T05:40:00.000000000 [anonymous-instance:fc_vcpu 0:ERROR:src/vmm/src/devices/virtio/block/virtio/request.rs:113] "
	for _, line := range []string{
		`Failed to execute Out virtio block request: FileEngine(Sync(Transfer(IOError(Os { code: 28, kind: StorageFull, message: "No space left on device" }))))`,
		`Failed to execute In virtio block request: FileEngine(Sync(Seek(Os { code: 5, kind: Uncategorized, message: "Input/output error" })))`,
		`Failed to execute In virtio block request: InvalidOffset`,
		`Received unsupported virtio block request: 99`,
		`Failed to parse virtio block request: Os { code: 28, kind: StorageFull }`,
	} {
		fmt.Fprintln(m.log, time+line)
	}
	if want := []string{"no space left on device", "input/output error"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}

package boot

import "testing"

func TestModuleParams(t *testing.T) {
	const cmdline = `console=ttyS0 virtio_mmio.device=4K@0xd0000000:5 virtio_mmio.device=4K@0xd0001000:6 ` +
		`virtio-blk.queue_depth=64 overlay.redirect_dir dyn="a b.c=d" nonsense= some.name="with blanks"` + "\n"
	for _, tt := range []struct{ file, want string }{
		{"virtio_mmio.ko", "device=4K@0xd0000000:5 device=4K@0xd0001000:6"},
		{"virtio_blk.ko", "queue_depth=64"},
		{"virtio-blk.ko", "queue_depth=64"},
		{"overlay.ko", "redirect_dir"},
		{"some.ko", `name="with blanks"`},
		{"b.ko", ""}, // stands inside of quotes
		{"ext4.ko", ""},
	} {
		if got := moduleParams(cmdline, tt.file); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.file, got, tt.want)
		}
	}
}

package rootfs

import (
	"bytes"
	"fmt"
	"strings"
)

// kinds are what people have that is no tar, and no compressed one: what is where
// in it, and its name.
var kinds = []struct {
	at          int
	magic, what string
}{
	{0, "\x04\x22\x4d\x18", "lz4 data"},
	{0, "\x02\x21\x4c\x18", "lz4 data"},
	{0, "LZIP", "lzip data"},
	{0, "\x89LZO\x00", "lzop data"},
	{0, "\x1f\x9d", "data of compress"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{0, "PK\x03\x04", "a zip archive"},
	{0, "070701", "a cpio archive"},
	{0, "070702", "a cpio archive"},
	{0, "070707", "a cpio archive"},
	{0, "\xed\xab\xee\xdb", "an RPM package"},
	{0, "!<arch>\n", "a Debian package or an ar archive"},
	{0, "hsqs", "a squashfs image"},
	{0, "QFI\xfb", "a qcow2 disk image"},
	{0, "KDMV", "a VMware disk image"},
	{0, "# Disk Descriptor", "a VMware disk image's description"},
	{0, "vhdxfile", "a VHDX disk image"},
	{0, "conectix", "a VHD disk image"},
	{64, "\x7f\x10\xda\xbe", "a VirtualBox disk image"},
	{0, "XFSB", "an XFS file system"},
	{1024, "\xe2\xe1\xf5\xe0", "an EROFS file system"},
	{1024 + 56, "\x53\xef", "an ext4 file system"},
	{64<<10 + 64, "_BHRfS_M", "a Btrfs file system"},
	{32<<10 + 1, "CD001", "an ISO image"},
	{510, "\x55\xaa", "a disk image with partitions"}, // and some of the others
}

// KindSize is how many bytes tell what data is.
const KindSize = 64<<10 + 64 + 8

// Kind names data that begins with head and is no tar, compressed or not, such as
// a disk image, or returns "".
func Kind(head []byte) string {
	for _, k := range kinds {
		if len(head) > k.at && bytes.HasPrefix(head[k.at:], []byte(k.magic)) {
			return k.what
		}
	}
	text := bytes.ToLower(bytes.TrimLeft(head[:min(len(head), blockSize)], "\ufeff \t\r\n"))
	if bytes.HasPrefix(text, []byte("<!doctype")) || bytes.HasPrefix(text, []byte("<html")) {
		return "an HTML page"
	}
	return ""
}

// notTar refuses what Kind names.
func notTar(kind string) error {
	if strings.Contains(kind, "data") {
		return fmt.Errorf("%s: gzip, zstd, xz, lzma and bzip2 are understood", kind)
	}
	return fmt.Errorf("%s, not a tar", kind)
}

package ext4

import (
	"archive/tar"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	// u::rw- u:1000:r-- g::r-- g:2000:rwx m::rwx o::r--
	aclInTar = "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xe8\x03\x00\x00" +
		"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x08\x00\x07\x00\xd0\x07\x00\x00" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"
)

func TestStoredACL(t *testing.T) {
	got, err := storedACL([]byte(aclInTar))
	want := "01000000" + "01000600" + "02000400e8030000" + "04000400" + "08000700d0070000" + "10000700" + "20000400"
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v, want %s", got, err, want)
	}
	for _, bad := range []string{"", "\x02\x00", "\x01\x00\x00\x00", aclInTar[:10], aclInTar + "x"} {
		if got, err := storedACL([]byte(bad)); err == nil {
			t.Errorf("%q became %x", bad, got)
		}
	}
}

// Values of 4 bytes with names of 4 take 24 bytes, and an inode has room for 92,
// 4 of which stay zero; a block has room for 4060.
func TestXattrPlaces(t *testing.T) {
	small := func(count int) (all []xattr) {
		for i := range count {
			all = append(all, xattr{index: 1, name: "nam" + string(rune('a'+i)), value: []byte("four")})
		}
		return all
	}
	big := func(name string, size int) xattr { return xattr{index: 4, name: name, value: make([]byte, size)} }
	tests := map[string]struct {
		all             []xattr
		inside, outside bool
		pending, fails  bool
	}{
		"none":             {},
		"one":              {all: small(1), inside: true},
		"three":            {all: small(3), inside: true},
		"four":             {all: small(4), inside: true, outside: true},
		"inode filled":     {all: []xattr{big("nnnn", 68)}, inside: true},
		"inode overfilled": {all: []xattr{big("nnnn", 69)}, outside: true},
		"small and big":    {all: append(small(1), big("b", 1000)), inside: true, outside: true},
		"block filled":     {all: []xattr{big("nnnn", 4040)}, outside: true},
		"block overfilled": {all: []xattr{big("nnnn", 4041)}, pending: true},
		"too much":         {all: []xattr{big("a", 3000), big("b", 3000)}, pending: true},
		"too many":         {all: slices.Repeat([]xattr{big(strings.Repeat("n", 250), 100)}, 20), fails: true},
		"empty value":      {all: []xattr{big("a", 0)}, inside: true},
	}
	for what, test := range tests {
		got, err := encodeXattrs(test.all)
		if (err != nil) != test.fails {
			t.Errorf("%s: %v", what, err)
		}
		if got == nil {
			got = &xattrs{}
		}
		if (got.pending != nil) != test.pending || (got.inline != nil) != test.inside || (got.head != nil) != test.outside {
			t.Errorf("%s: %d bytes in the inode, %d in a block", what, len(got.inline), len(got.head)+len(got.tail))
		}
	}
}

func TestXattrs(t *testing.T) {
	full := map[string]string{}
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		full["user."+strings.Repeat(string(c), 20)] = strings.Repeat(string(c), 100)
	}
	path := mustBuild(t,
		with(file("ping", "content"), map[string]string{"security.capability": capability}),
		with(file("some", ""), map[string]string{"user.a": "1", "user.bb": "", "trusted.c": "three", "user.\xff\xfe": "bytes"}),
		with(file("much", "content"), map[string]string{"user.big": strings.Repeat("v", 3000), "user.a": "x", "security.s": "y"}),
		with(file("many", ""), full),
		with(file("acl", ""), map[string]string{"system.posix_acl_access": aclInTar}),
		with(dir("d"), map[string]string{"system.posix_acl_default": aclInTar, "user.big": strings.Repeat("d", 2000)}),
		with(symlink("fast", "target"), map[string]string{"trusted.t": strings.Repeat("t", 500)}),
		with(symlink("slow", strings.Repeat("s", 100)), map[string]string{"trusted.t": strings.Repeat("t", 500)}),
		with(device("null", tar.TypeChar, 1, 3), map[string]string{"security.selinux": "system_u:object_r:null_device_t:s0"}),
		with(file("foreign", ""), map[string]string{"com.apple.provenance": "x", "system.other": "y", "system.posix_acl_access2": "z", "user.known": "k"}),
		with(file("e", ""), map[string]string{"user.old": "o"}), file("e", "without"),
		with(dir("described"), map[string]string{"user.old": strings.Repeat("o", 500)}), with(dir("described"), map[string]string{"user.new": "n"}),
	)
	for request, want := range map[string]string{
		"ea_get -x /ping security.capability":    "01 00 00 02 00 20",
		"ea_get /some user.a":                    "1",
		"ea_list /some":                          "user.bb (0)",
		"ea_get /much user.big":                  strings.Repeat("v", 3000),
		"ea_get /much security.s":                "y",
		"ea_get /many user.zzzzzzzzzzzzzzzzzzzz": strings.Repeat("z", 100),
		"ea_get -x /acl system.posix_acl_access": "02 00 00 00 01 00 06 00",
		"ea_list /d":                             "system.posix_acl_default (36)",
		"ea_get /d user.big":                     strings.Repeat("d", 2000),
		"ea_get /fast trusted.t":                 strings.Repeat("t", 500),
		"ea_get /slow trusted.t":                 strings.Repeat("t", 500),
		"ea_get /null security.selinux":          "null_device_t",
		"ea_get /foreign user.known":             "k",
		"ea_get /described user.new":             "n",
	} {
		if got := debug(t, path, request); !strings.Contains(got, want) {
			t.Errorf("%s: got %q", request, tail([]byte(got)))
		}
	}
	for request, unwanted := range map[string]string{
		"ea_list /foreign": "apple", "ea_list /e": "old", "ea_list /described": "old",
	} {
		if got := debug(t, path, request); strings.Contains(got, unwanted) {
			t.Errorf("%s: got %q", request, got)
		}
	}
}

func TestBadXattrs(t *testing.T) {
	bad := map[string]map[string]string{
		"too large":     {"user.a": strings.Repeat("v", maxXattr+1)},
		"no name":       {"user.": "x"},
		"name too long": {"user." + strings.Repeat("n", 256): "x"},
		"damaged acl":   {"system.posix_acl_access": "xx"},
	}
	for what, attributes := range bad {
		mustFail(t, what, with(file("f", ""), attributes))
		mustFail(t, what+" on a directory", with(dir("d"), attributes))
		mustFail(t, what+" on the root", with(dir("."), attributes))
	}
}

// A directory's attributes are kept until Close: not in a block each.
func TestXattrsAreKeptSmall(t *testing.T) {
	x, err := encodeXattrs([]xattr{{index: 1, name: "a", value: make([]byte, 200)}})
	if err != nil || len(x.inline)+len(x.head)+len(x.tail) > 600 {
		t.Errorf("200 bytes take %d+%d+%d, %v", len(x.inline), len(x.head), len(x.tail), err)
	}
}

// What does not fit beside its names has inodes, of files that were there as of
// directories, with two names or replaced.
func TestLargeXattrs(t *testing.T) {
	largest, zeros := strings.Repeat("0123456789abcdef", maxXattr/16), strings.Repeat("\x00", 9000)
	path := mustBuild(t,
		with(dir("."), map[string]string{"user.root": largest}),
		with(file("f", "content"), map[string]string{"user.largest": largest, "user.zeros": zeros, "trusted.small": "s", "user.a=b": "equal"}),
		with(dir("d"), map[string]string{"trusted.big": largest[:5000]}), file("d/x", "x"),
		with(symlink("s", "f"), map[string]string{"trusted.big": largest[:4096]}),
		with(file("gone", ""), map[string]string{"user.gone": largest}), file("gone", "without"),
		with(dir("described"), map[string]string{"user.old": largest}), with(dir("described"), map[string]string{"user.new": "n"}),
	)
	for request, want := range map[string]string{
		"ea_get /f user.largest": largest, "ea_get /f trusted.small": "s", "ea_get /d trusted.big": largest[:5000],
		"ea_get /s trusted.big": largest[:4096], "ea_get / user.root": largest, "ea_get /f user.a=b": "equal",
	} {
		if got := debug(t, path, request); !strings.Contains(got, want) {
			t.Errorf("%s: got %q", request, tail([]byte(got)))
		}
	}
	mounted, _ := mount(t, path, "ro")
	for name, want := range map[string]string{"/f user.largest": largest, "/f user.zeros": zeros, "/d trusted.big": largest[:5000], "/. user.root": largest} {
		file, key, _ := strings.Cut(name, " ")
		value := make([]byte, maxXattr+1)
		n, err := unix.Getxattr(mounted+file, key, value)
		if err != nil || string(value[:n]) != want {
			t.Errorf("the kernel sees %d bytes of %s, %v", n, name, err)
		}
	}
}

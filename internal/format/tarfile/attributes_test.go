package tarfile

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"
)

const (
	accessKey  = xattrPrefix + "system.posix_acl_access"
	defaultKey = xattrPrefix + "system.posix_acl_default"
)

// acl is a list in Linux' form: kinds, permissions and ids.
func acl(entries ...[3]byte) string {
	value := "\x02\x00\x00\x00"
	for _, e := range entries {
		id := string([]byte{e[2], 0x03, 0, 0})
		if e[2] == 0xff {
			id = "\xff\xff\xff\xff"
		}
		value += string([]byte{e[0], 0, e[1], 0}) + id
	}
	return value
}

func TestListsAsText(t *testing.T) {
	named := acl([3]byte{1, 7, 0xff}, [3]byte{2, 5, 0xe9}, [3]byte{4, 5, 0xff}, [3]byte{8, 6, 0xea}, [3]byte{16, 7, 0xff}, [3]byte{32, 0, 0xff})
	for text, want := range map[string]string{
		"user::rwx,group::r-x,group:staff:rw-:1002,user:lisa:r-x:1001,mask::rwx,other::---":             named, // star, bsdtar
		"user::rwx\nuser:1001:r-x\t#effective:r-x\ngroup::r-x\ngroup:1002:rw-\nmask::rwx\nother::---\n": named, // GNU tar
		"user::rwx,user:1001:r-x,group::r-x,group:1002:rw-,mask:rwx,other:---":                          named, // Solaris
		"user::rwx\ngroup::r-x\ngroup:adm:r-x\nmask::r-x\nother::r-x\n":                                 acl([3]byte{1, 7, 0xff}, [3]byte{4, 5, 0xff}, [3]byte{16, 5, 0xff}, [3]byte{32, 5, 0xff}),
		"user::rw-,group::r--,other::r--":                                                               acl([3]byte{1, 6, 0xff}, [3]byte{4, 4, 0xff}, [3]byte{32, 4, 0xff}),
		"user::rw-,group::r--":                                                                          "",
		"user::rw-,user::r--,group::r--,other::r--":                                                     "",
		"user::rw-,user:7:r--,group::r--,other::r--":                                                    "",
		"user::rwt,group::r--,other::r--":                                                               "",
		"owner@:rwxp:allow":                                                                             "",
		"":                                                                                              "",
	} {
		if got := listOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// headers are the entries of a tar.
func headers(t *testing.T, written ...*tar.Header) map[string]*tar.Header {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range written {
		h.Format = tar.FormatPAX
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	found := map[string]*tar.Header{}
	for r := NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = h
	}
}

func TestReadsLists(t *testing.T) {
	text := "user::rwx,group::r-x,mask::rwx,other::---"
	want := listOf(text)
	found := headers(t,
		&tar.Header{Name: "d/", Typeflag: tar.TypeDir, PAXRecords: map[string]string{"SCHILY.acl.access": text, "SCHILY.acl.default": text}},
		&tar.Header{Name: "both", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.acl.access": text, accessKey: "as it is"}},
	)
	if got := found["d/"].PAXRecords; !maps.Equal(got, map[string]string{accessKey: want, defaultKey: want}) {
		t.Errorf("a directory has %q", got)
	}
	if got := found["both"].PAXRecords; !maps.Equal(got, map[string]string{accessKey: "as it is"}) {
		t.Errorf("a file that has the attribute, too, has %q", got)
	}
}

func TestGlobalHeaders(t *testing.T) {
	global := func(records map[string]string) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: records}
	}
	file := func(name string, records map[string]string) *tar.Header {
		return &tar.Header{Name: name, Typeflag: tar.TypeReg, Uid: 1, Gid: 2, ModTime: time.Unix(3, 0), PAXRecords: records}
	}
	const key = xattrPrefix + "user.a"
	found := headers(t,
		file("before", nil),
		global(map[string]string{"uid": "3000000", "gid": "11", "mtime": "-2.25", key: "all", "comment": "c", "path": "p", "size": "9"}),
		file("behind", nil),
		file("own", map[string]string{key: "its"}),
		global(map[string]string{"uid": "12", key: ""}),
		file("later", nil),
	)
	for name, want := range map[string]struct {
		uid, gid int
		time     time.Time
		value    string
	}{
		"before": {1, 2, time.Unix(3, 0), ""},
		"behind": {3000000, 11, time.Unix(-3, 75e7), "all"},
		"own":    {3000000, 11, time.Unix(-3, 75e7), "its"},
		"later":  {12, 11, time.Unix(-3, 75e7), ""},
	} {
		h := found[name]
		if h == nil || h.Uid != want.uid || h.Gid != want.gid || !h.ModTime.Equal(want.time) || h.PAXRecords[key] != want.value || h.Size != 0 {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func TestGlobalHeadersAreBounded(t *testing.T) {
	for _, size := range []int{0, 64 << 10} {
		var g global
		var err error
		for i := range maxGlobal + 1 {
			if err == nil {
				err = g.add(map[string]string{fmt.Sprintf("%suser.%d", xattrPrefix, i): strings.Repeat("v", size)})
			}
		}
		if err == nil {
			t.Errorf("%d records of %d bytes: no error", maxGlobal+1, size)
		}
	}
	if err := (global{"uid": "root"}).apply(&tar.Header{}); !errors.Is(err, tar.ErrHeader) {
		t.Errorf("a uid that is no number: %v", err)
	}
}

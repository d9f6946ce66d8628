package account

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/usr/sbin:/usr/sbin/nologin
dev:x:1000:1000:,,,:/home/dev:/bin/zsh
bare:x:1001:1001:::
4242:x:7:7:a name that is a number:/num:/bin/sh
broken:x:one:1::/:/bin/sh
short:x:1
# dev:x:1:1::/:/bin/sh
early:x:1002:1003
none:x:4294967295:1::/:/bin/sh
`

const group = `root:x:0:
sudo:x:27:dev
docker:x:999:someone,dev
others:x:30:devel
bad:x:none:dev
none:x:4294967295:dev
short:x:40
50:x:51:
`

func etcWith(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLookup(t *testing.T) {
	etc := etcWith(t, map[string]string{"passwd": passwd, "group": group})
	for _, tt := range []struct {
		user string
		want Account
	}{
		{"root", Account{Name: "root", Groups: []uint32{0}, Home: "/root", Shell: "/bin/bash"}},
		{"0", Account{Name: "root", Groups: []uint32{0}, Home: "/root", Shell: "/bin/bash"}},
		{"dev", Account{Name: "dev", UID: 1000, GID: 1000, Groups: []uint32{1000, 27, 999}, Home: "/home/dev", Shell: "/bin/zsh"}},
		{"1000", Account{Name: "dev", UID: 1000, GID: 1000, Groups: []uint32{1000, 27, 999}, Home: "/home/dev", Shell: "/bin/zsh"}},
		{"dev:", Account{Name: "dev", UID: 1000, GID: 1000, Groups: []uint32{1000, 27, 999}, Home: "/home/dev", Shell: "/bin/zsh"}},
		{"bare", Account{Name: "bare", UID: 1001, GID: 1001, Groups: []uint32{1001}, Home: "/", Shell: "/bin/sh"}},
		{"early", Account{Name: "early", UID: 1002, GID: 1003, Groups: []uint32{1003}, Home: "/", Shell: "/bin/sh"}},
		{"7", Account{Name: "4242", UID: 7, GID: 7, Groups: []uint32{7}, Home: "/num", Shell: "/bin/sh"}},
		{"4242", Account{Name: "4242", UID: 4242, Groups: []uint32{0}, Home: "/", Shell: "/bin/sh"}},
		{"dev:docker", Account{Name: "dev", UID: 1000, GID: 999, Groups: []uint32{999}, Home: "/home/dev", Shell: "/bin/zsh"}},
		{"dev:short", Account{Name: "dev", UID: 1000, GID: 40, Groups: []uint32{40}, Home: "/home/dev", Shell: "/bin/zsh"}},
		{"dev:50", Account{Name: "dev", UID: 1000, GID: 50, Groups: []uint32{50}, Home: "/home/dev", Shell: "/bin/zsh"}},
		{"5000:27", Account{Name: "5000", UID: 5000, GID: 27, Groups: []uint32{27}, Home: "/", Shell: "/bin/sh"}},
		{"5000:docker", Account{Name: "5000", UID: 5000, GID: 999, Groups: []uint32{999}, Home: "/", Shell: "/bin/sh"}},
		{":docker", Account{Name: "root", GID: 999, Groups: []uint32{999}, Home: "/root", Shell: "/bin/bash"}},
		{"5000", Account{Name: "5000", UID: 5000, Groups: []uint32{0}, Home: "/", Shell: "/bin/sh"}},
	} {
		got, err := Lookup(etc, tt.user)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("Lookup(%q): %v\n%s", tt.user, err, diff)
		}
	}
}

func TestLookupUnknown(t *testing.T) {
	etc := etcWith(t, map[string]string{"passwd": passwd})
	for _, user := range []string{"", ":", "nobody", "broken", "short", "none", "# dev", "-1", "4294967295", "4294967296", "dev:nobody", "dev:4294967295"} {
		if got, err := Lookup(etc, user); !errors.Is(err, ErrUnknown) {
			t.Errorf("Lookup(%q) = %+v, %v; want ErrUnknown", user, got, err)
		}
	}
}

// Images with a single program have no user database.
func TestLookupWithoutFiles(t *testing.T) {
	etc := t.TempDir()
	for _, user := range []string{"root", "0"} {
		want := root
		want.Groups = []uint32{0}
		got, err := Lookup(etc, user)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Lookup(%q): %v\n%s", user, err, diff)
		}
	}
	if _, err := Lookup(etc, "dev"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Lookup(dev): %v, want ErrUnknown", err)
	}
}

// A line that is too long hides no other.
func TestLongLine(t *testing.T) {
	long := "many:x:5:" + strings.Repeat("member,", maxLine/7+1) + "dev\n"
	etc := etcWith(t, map[string]string{"passwd": passwd, "group": long + group})
	got, err := Lookup(etc, "dev")
	if diff := cmp.Diff([]uint32{1000, 27, 999}, got.Groups); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

package account

import (
	"errors"
	"os"
	"path/filepath"
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
`

const group = `root:x:0:
sudo:x:27:dev
docker:x:999:someone,dev
others:x:30:devel
bad:x:none:dev
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
		{"root", Account{Name: "root", Home: "/root", Shell: "/bin/bash"}},
		{"0", Account{Name: "root", Home: "/root", Shell: "/bin/bash"}},
		{"dev", Account{Name: "dev", UID: 1000, GID: 1000, Groups: []uint32{27, 999}, Home: "/home/dev", Shell: "/bin/zsh"}},
		{"1000", Account{Name: "dev", UID: 1000, GID: 1000, Groups: []uint32{27, 999}, Home: "/home/dev", Shell: "/bin/zsh"}},
		{"bare", Account{Name: "bare", UID: 1001, GID: 1001, Home: "/", Shell: "/bin/sh"}},
		{"4242", Account{Name: "4242", UID: 7, GID: 7, Home: "/num", Shell: "/bin/sh"}},
		{"dev:docker", Account{Name: "dev", UID: 1000, GID: 999, Home: "/home/dev", Shell: "/bin/zsh"}},
		{"5000:27", Account{Name: "5000", UID: 5000, GID: 27, Home: "/", Shell: "/bin/sh"}},
		{"5000", Account{Name: "5000", UID: 5000, Home: "/", Shell: "/bin/sh"}},
	} {
		got, err := Lookup(etc, tt.user)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("Lookup(%q): %v\n%s", tt.user, err, diff)
		}
	}
}

func TestLookupUnknown(t *testing.T) {
	etc := etcWith(t, map[string]string{"passwd": passwd})
	for _, user := range []string{"", "nobody", "broken", "short", "-1", "4294967296"} {
		if got, err := Lookup(etc, user); !errors.Is(err, ErrUnknown) {
			t.Errorf("Lookup(%q) = %+v, %v; want ErrUnknown", user, got, err)
		}
	}
}

// Images with a single program have no user database.
func TestLookupWithoutFiles(t *testing.T) {
	etc := t.TempDir()
	for _, user := range []string{"root", "0"} {
		got, err := Lookup(etc, user)
		if diff := cmp.Diff(root, got); err != nil || diff != "" {
			t.Errorf("Lookup(%q): %v\n%s", user, err, diff)
		}
	}
	if _, err := Lookup(etc, "dev"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Lookup(dev): %v, want ErrUnknown", err)
	}
}

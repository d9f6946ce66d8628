// Package initsys knows the init systems of images: how to find an image's
// own, tell it what machine it is in, wait for it and have it shut down.
package initsys

import (
	"os"
	"path/filepath"
)

// Init is an image's init.
type Init struct {
	Path string // what PID 1 executes; "" where the image has none
	Name string // the program's: systemd, busybox, sysvinit, openrc or another
}

// paths is where inits live, in the order in which they are tried.
var paths = []string{
	"/sbin/init", "/usr/lib/systemd/systemd", "/lib/systemd/systemd",
	"/etc/init", "/bin/init", "/usr/sbin/init",
}

// Detect finds the init of the image at root, which is "/" but in tests. It is
// no init where busybox would only complain: minimal images have its link and
// none of the programs that its table names.
func Detect(root string) Init {
	for _, path := range paths {
		target, err := filepath.EvalSymlinks(filepath.Join(root, path))
		if err != nil {
			continue
		}
		info, err := os.Stat(target)
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		init := Init{Path: path, Name: nameOf(root, target)}
		if init.Name == "busybox" && !busyboxHasWork(root) {
			return Init{}
		}
		return init
	}
	return Init{}
}

// nameOf tells the program at target, which is free of symbolic links.
func nameOf(root, target string) string {
	switch base := filepath.Base(target); base {
	case "openrc-init":
		return "openrc"
	case "init":
		if isBusybox(root, target) {
			return "busybox"
		}
		return "sysvinit"
	default:
		return base
	}
}

// isBusybox tells whether target is a hard link to busybox.
func isBusybox(root, target string) bool {
	init, err := os.Stat(target)
	if err != nil {
		return false
	}
	for _, path := range []string{"bin/busybox", "usr/bin/busybox", "bin/sh", "bin/["} {
		other, err := os.Stat(filepath.Join(root, path))
		if err == nil && os.SameFile(init, other) {
			return true
		}
	}
	return false
}

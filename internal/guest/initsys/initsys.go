// Package initsys knows the init systems of images: how to find an image's
// own, tell it what machine it is in, wait for it and have it shut down.
package initsys

import (
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Init is an image's init.
type Init struct {
	Path string // what PID 1 executes; "" where the image has none
	Name string // the program's: systemd, busybox, sysvinit, openrc, script or another

	Script bool // it begins as a script, and Name is a guess

	Booted *Booted `json:"-"` // whether Wait has seen that; nil keeps it to itself
}

// paths is where inits live, in the order in which they are tried.
var paths = []string{
	"/sbin/init", "/usr/lib/systemd/systemd", "/lib/systemd/systemd",
	"/etc/init", "/bin/init", "/usr/sbin/init",
}

// wrappers run the program of a container that they are given, and no other.
var wrappers = []string{"tini", "tini-static", "dumb-init", "catatonit", "docker-init"}

// Detect finds the init of the image at root, which is "/" but in tests. It is
// no init where it would only complain: minimal images have busybox's link and
// none of the programs that its table names, and a wrapper wants to be told one.
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
		init := Init{Path: path, Name: nameOf(root, target), Script: isScript(target)}
		if init.Script {
			init.Name = scriptName(root)
		}
		if init.Name == "busybox" && !busyboxHasWork(root) || slices.Contains(wrappers, init.Name) {
			return Init{}
		}
		return init
	}
	return initOfContainer(root)
}

// initOfContainer finds systemd where containers that run it have it. Any other
// /init is an entrypoint.
func initOfContainer(root string) Init {
	target, err := filepath.EvalSymlinks(filepath.Join(root, "init"))
	if err != nil || filepath.Base(target) != "systemd" {
		return Init{}
	}
	return Init{Path: "/init", Name: "systemd"}
}

// systemdPaths is where systemd's program is.
var systemdPaths = []string{"usr/lib/systemd/systemd", "lib/systemd/systemd"}

// isScript reports whether target is for an interpreter to run.
func isScript(target string) bool {
	f, err := os.Open(target)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 2)
	_, err = io.ReadFull(f, magic)
	return err == nil && string(magic) == "#!"
}

// scriptName tells what a script most likely ends in, which takes the script's
// place as PID 1: systemd, where the image has it.
func scriptName(root string) string {
	for _, path := range systemdPaths {
		if info, err := os.Stat(filepath.Join(root, path)); err == nil && info.Mode().IsRegular() {
			return "systemd"
		}
	}
	return script
}

// script is the name of an init of which only PID 1 can tell what it has become.
const script = "script"

// now is the init as it runs: where it began as a script, by what PID 1 is.
func (i Init) now() Init {
	if i.Name != script && i.Name != "systemd" {
		return i
	}
	exe, err := os.Readlink("/proc/1/exe")
	if err != nil {
		return i
	}
	return i.running(exe)
}

// running is the init given the program that PID 1 runs.
func (i Init) running(exe string) Init {
	switch base := filepath.Base(exe); {
	case base == "systemd":
		i.Name = base
	case i.Script:
		i.Name = script
	}
	return i
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

// isBusybox reports whether target is a hard link to busybox.
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

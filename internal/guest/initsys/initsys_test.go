package initsys

import (
	"os"
	"path/filepath"
	"testing"
)

// image is the files of a root. A name begins with > for a symbolic link, with
// = for a hard link, with ! for a program and with a blank for another file.
type image map[string]string

func (i image) make(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, links := range []bool{false, true} {
		for name, text := range i {
			if isLink := name[0] == '>' || name[0] == '='; isLink != links {
				continue
			}
			path := filepath.Join(root, name[1:])
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			var err error
			switch name[0] {
			case '>':
				err = os.Symlink(text, path)
			case '=':
				err = os.Link(filepath.Join(root, text), path)
			case '!':
				err = os.WriteFile(path, []byte(text), 0o755)
			default:
				err = os.WriteFile(path, []byte(text), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

const alpineInittab = `# /etc/inittab
::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
tty1::respawn:/sbin/getty 38400 tty1
::ctrlaltdel:/sbin/reboot
`

func TestDetect(t *testing.T) {
	for _, tt := range []struct {
		name  string
		image image
		want  Init
	}{
		{"empty", nil, Init{}},
		{"one program", image{"!app": ""}, Init{}},
		{
			"debian", // /sbin is a link there, as /lib is
			image{"!usr/lib/systemd/systemd": "", ">usr/sbin/init": "../lib/systemd/systemd", ">sbin": "usr/sbin"},
			Init{Path: "/sbin/init", Name: "systemd"},
		},
		{"systemd without a link", image{"!usr/lib/systemd/systemd": ""}, Init{Path: "/usr/lib/systemd/systemd", Name: "systemd"}},
		{"systemd of old", image{"!lib/systemd/systemd": ""}, Init{Path: "/lib/systemd/systemd", Name: "systemd"}},
		{"sysvinit", image{"!sbin/init": "", "!bin/sh": ""}, Init{Path: "/sbin/init", Name: "sysvinit"}},
		{"openrc", image{"!sbin/openrc-init": "", ">sbin/init": "openrc-init"}, Init{Path: "/sbin/init", Name: "openrc"}},
		{"another", image{"!sbin/runit-init": "", ">sbin/init": "runit-init"}, Init{Path: "/sbin/init", Name: "runit-init"}},
		{"a container's", image{"!usr/bin/tini": "", ">sbin/init": "../usr/bin/tini"}, Init{}},
		{"dangling link", image{">sbin/init": "absent"}, Init{}},
		{"link to itself", image{">sbin/init": "init"}, Init{}},
		{"not executable", image{" sbin/init": ""}, Init{}},
		{"a directory", image{"!sbin/init/file": ""}, Init{}},
		{"the next one counts", image{">sbin/init": "absent", "!bin/init": ""}, Init{Path: "/bin/init", Name: "sysvinit"}},
		{
			"alpine's system",
			image{"!bin/busybox": "", ">sbin/init": "../bin/busybox", "!sbin/openrc": "", " etc/inittab": alpineInittab},
			Init{Path: "/sbin/init", Name: "busybox"},
		},
		{
			"alpine's container, with getty but without openrc",
			image{"!bin/busybox": "", ">sbin/init": "../bin/busybox", ">sbin/getty": "../bin/busybox", " etc/inittab": alpineInittab},
			Init{},
		},
		{"busybox's container, of hard links", image{"!bin/[": "", "=bin/busybox": "bin/[", "=bin/init": "bin/[", "=bin/sh": "bin/["}, Init{}},
		{
			"busybox with a script",
			image{"!bin/busybox": "", "=sbin/init": "bin/busybox", "!etc/init.d/rcS": ""},
			Init{Path: "/sbin/init", Name: "busybox"},
		},
		{
			"a script that may end in systemd", image{"!sbin/init": "#!/bin/sh\n", "!lib/systemd/systemd": ""},
			Init{Path: "/sbin/init", Name: "systemd", Script: true},
		},
		{"systemd as a container has it", image{"!opt/systemd": "", ">init": "opt/systemd"}, Init{Path: "/init", Name: "systemd"}},
		{"an entrypoint", image{"!init": "#!/bin/sh\n"}, Init{}},
		{"another script", image{"!sbin/init": "#!/bin/sh\n", "!bin/sh": ""}, Init{Path: "/sbin/init", Name: "script", Script: true}},
		{
			"busybox with a service and no more",
			image{"!bin/busybox": "", ">sbin/init": "../bin/busybox", " etc/inittab": "::respawn:-app --flag\n", "!usr/bin/app": ""},
			Init{Path: "/sbin/init", Name: "busybox"},
		},
	} {
		if got := Detect(tt.image.make(t)); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// What a script has become counts, once it has.
func TestRunning(t *testing.T) {
	guess := Init{Path: "/sbin/init", Name: "systemd", Script: true}
	unknown := Init{Path: "/sbin/init", Name: "script", Script: true}
	for _, tt := range []struct {
		init Init
		exe  string
		want string
	}{
		{guess, "/usr/lib/systemd/systemd", "systemd"},
		{guess, "/bin/dash", "script"},
		{guess, "/usr/bin/runit", "script"},
		{unknown, "/nix/store/x-systemd-255/lib/systemd/systemd", "systemd"},
		{unknown, "/bin/sh", "script"},
		{Init{Name: "systemd"}, "/usr/lib/systemd/systemd", "systemd"},
	} {
		if got := tt.init.running(tt.exe); got.Name != tt.want {
			t.Errorf("%+v as %s: got %s, want %s", tt.init, tt.exe, got.Name, tt.want)
		}
	}
}

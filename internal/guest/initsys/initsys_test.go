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
			Init{"/sbin/init", "systemd"},
		},
		{"systemd without a link", image{"!usr/lib/systemd/systemd": ""}, Init{"/usr/lib/systemd/systemd", "systemd"}},
		{"systemd of old", image{"!lib/systemd/systemd": ""}, Init{"/lib/systemd/systemd", "systemd"}},
		{"sysvinit", image{"!sbin/init": "", "!bin/sh": ""}, Init{"/sbin/init", "sysvinit"}},
		{"openrc", image{"!sbin/openrc-init": "", ">sbin/init": "openrc-init"}, Init{"/sbin/init", "openrc"}},
		{"another", image{"!sbin/runit-init": "", ">sbin/init": "runit-init"}, Init{"/sbin/init", "runit-init"}},
		{"dangling link", image{">sbin/init": "absent"}, Init{}},
		{"link to itself", image{">sbin/init": "init"}, Init{}},
		{"not executable", image{" sbin/init": ""}, Init{}},
		{"a directory", image{"!sbin/init/file": ""}, Init{}},
		{"the next one counts", image{">sbin/init": "absent", "!bin/init": ""}, Init{"/bin/init", "sysvinit"}},
		{
			"alpine's system",
			image{"!bin/busybox": "", ">sbin/init": "../bin/busybox", "!sbin/openrc": "", " etc/inittab": alpineInittab},
			Init{"/sbin/init", "busybox"},
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
			Init{"/sbin/init", "busybox"},
		},
		{
			"busybox with a service and no more",
			image{"!bin/busybox": "", ">sbin/init": "../bin/busybox", " etc/inittab": "::respawn:-app --flag\n", "!usr/bin/app": ""},
			Init{"/sbin/init", "busybox"},
		},
	} {
		if got := Detect(tt.image.make(t)); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

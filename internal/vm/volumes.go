package vm

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"banger/internal/ref"
)

// Volume is one of a VM's volumes, and where its guest has it.
type Volume struct {
	Name     string `json:"name"`
	Path     string `json:"path"` // in the guest
	ReadOnly bool   `json:"read_only,omitempty"`
}

func (v Volume) String() string {
	text := v.Name + ":" + v.Path
	if v.ReadOnly {
		text += ":ro"
	}
	return text
}

// MaxVolumes is how many volumes a VM has at the most: machines have places for
// a few disks only.
const MaxVolumes = 8

// maxVolumePath is the longest path that a volume is at, in bytes.
const maxVolumePath = 1024

// ParseVolume reads NAME:PATH[:ro].
func ParseVolume(text string) (Volume, error) {
	parts := strings.Split(text, ":")
	if len(parts) == 3 && (parts[2] == "ro" || parts[2] == "rw") {
		v := Volume{Name: parts[0], Path: parts[1], ReadOnly: parts[2] == "ro"}
		return v, v.check()
	}
	if len(parts) != 2 {
		return Volume{}, fmt.Errorf("volume %q: write NAME:/PATH or NAME:/PATH:ro", text)
	}
	v := Volume{Name: parts[0], Path: parts[1]}
	return v, v.check()
}

func (v Volume) check() error {
	if strings.ContainsAny(v.Name, "/~") || strings.HasPrefix(v.Name, ".") {
		return fmt.Errorf("volume %q: that is a path of the host, and a volume has a name", v.Name)
	}
	if err := ref.CheckName("volume", v.Name); err != nil {
		return err
	}
	printable := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case !path.IsAbs(v.Path) || path.Clean(v.Path) != v.Path && path.Clean(v.Path)+"/" != v.Path:
		return fmt.Errorf("volume %q: its place in the guest %q is no absolute and plain path", v.Name, v.Path)
	case len(v.Path) > maxVolumePath || strings.ContainsFunc(v.Path, printable):
		return fmt.Errorf("volume %q: its place in the guest is too long, or has control characters", v.Name)
	}
	for _, taken := range []string{"/proc", "/sys", "/dev"} {
		if v.Path == taken || strings.HasPrefix(v.Path, taken+"/") {
			return fmt.Errorf("volume %q: %s is the guest kernel's own", v.Name, taken)
		}
	}
	if path.Clean(v.Path) == "/" {
		return fmt.Errorf("volume %q: it cannot be the guest's root", v.Name)
	}
	return nil
}

// checkVolumes checks each, and that no two are in one place and none is given twice.
func checkVolumes(volumes []Volume) error {
	if len(volumes) > MaxVolumes {
		return fmt.Errorf("%d volumes: a vm has %d at the most", len(volumes), MaxVolumes)
	}
	names, paths := map[string]bool{}, map[string]bool{}
	for _, v := range volumes {
		if err := v.check(); err != nil {
			return err
		}
		switch at := path.Clean(v.Path); {
		case names[v.Name]:
			return fmt.Errorf("volume %q is given twice", v.Name)
		case paths[at]:
			return fmt.Errorf("two volumes are to be at %s", at)
		default:
			names[v.Name], paths[at] = true, true
		}
	}
	return nil
}

// Uses reports whether the VM has the named volume, or had it at its start.
func (v VM) Uses(volume string) bool {
	is := func(of Volume) bool { return of.Name == volume }
	return slices.ContainsFunc(v.Volumes, is) || v.State.Phase.Alive() && slices.ContainsFunc(v.State.Volumes, is)
}

// GrowVolume makes a running VM's supervisor enlarge a volume that its guest writes to. If
// the VM does not run, the error is a *PhaseError.
func (s *Store) GrowVolume(ctx context.Context, name, volume string, bytes int64) error {
	conn, _, err := s.request(ctx, name, Request{Op: OpGrow, Volume: volume, Bytes: bytes})
	if err != nil {
		return err
	}
	return conn.Close()
}

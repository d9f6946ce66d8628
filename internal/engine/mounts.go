package engine

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/imagemgr"
	"banger/internal/vm"
)

// OwnStateError says that a directory cannot be a guest's, since banger's own is there:
// with that a guest would have the keys of other VMs, and say what they are.
type OwnStateError struct{ Dir, Own string }

func (e *OwnStateError) Error() string {
	return fmt.Sprintf("mount %s: banger's own files in %s are nothing for a guest", e.Dir, e.Own)
}

// mounts completes the directories of a new VM's by whose they are in it, and checks
// that they are there.
func (e *Engine) mounts(asked []vm.Mount, image imagemgr.Image) ([]vm.Mount, error) {
	mounts := slices.Clone(asked)
	for i := range mounts {
		m := &mounts[i]
		if image.Config != nil {
			m.User = cmp.Or(m.User, image.Config.User)
		}
		var err error
		if *m, err = m.Resolved(); err != nil {
			return nil, err
		}
		if err := e.checkOwn(m.Source); err != nil {
			return nil, err
		}
	}
	return mounts, nil
}

// mountsOf completes new directories of a VM that is there: they are whose those were
// that it had, or its own program's user's.
func (e *Engine) mountsOf(name string, asked []vm.Mount) ([]vm.Mount, error) {
	v, err := e.vms.Get(name)
	if err != nil {
		return nil, err
	}
	image, err := e.images.Get(v.Image)
	if err != nil {
		return nil, err
	}
	user := ""
	if v.Main != nil {
		user = v.Main.User
	}
	if len(v.Mounts) > 0 {
		user = v.Mounts[0].User
	}
	asked = slices.Clone(asked)
	for i := range asked {
		asked[i].User = user
	}
	return e.mounts(asked, image)
}

// checkOwn returns an *OwnStateError where a directory has banger's own in it, or is
// in it.
func (e *Engine) checkOwn(dir string) error {
	path, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for _, own := range []string{e.Dirs.State, e.Dirs.Config, e.Dirs.Cache, e.Dirs.Data, e.Dirs.Kernels} {
		at, err := filepath.EvalSymlinks(own)
		if errors.Is(err, os.ErrNotExist) {
			at, err = own, nil
		}
		if err != nil {
			return err
		}
		if within(path, at) || within(at, path) {
			return &OwnStateError{dir, own}
		}
	}
	return nil
}

// within reports whether path is dir, or in it.
func within(path, dir string) bool {
	to, err := filepath.Rel(dir, path)
	return err == nil && to != ".." && !strings.HasPrefix(to, "../")
}

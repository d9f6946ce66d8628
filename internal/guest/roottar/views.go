package roottar

import (
	"errors"
	"fmt"

	"banger/internal/guest/dm"

	"golang.org/x/sys/unix"
)

// views are two trees that no path of the guest leads to.
type views struct {
	root  view // the root without what is mounted on it
	image view // the image alone
}

// view is a mount that has no place, but a path all the same.
type view struct {
	fd   int
	path string
}

// openViews opens the root, and the image on device.
func openViews(device string) (*views, error) {
	root, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open the root alone: %w", err)
	}
	image, err := mountImage(device)
	if err != nil {
		unix.Close(root)
		return nil, fmt.Errorf("mount the image alone: %w", err)
	}
	return &views{newView(root), newView(image)}, nil
}

func newView(fd int) view { return view{fd, fmt.Sprintf("/proc/self/fd/%d", fd)} }

func (v *views) close() {
	unix.Close(v.root.fd)
	unix.Close(v.image.fd)
	dm.Remove(pristine) // whose mount has ended
}

// pristine is the image's to the device mapper, which has its device and
// shares it with nobody else.
const pristine = "banger-image"

// mountImage mounts the image as it was before the VM.
func mountImage(device string) (fd int, err error) {
	image, err := dm.Stat(device)
	if err != nil {
		return -1, err
	}
	node, err := dm.Create(pristine, true, dm.Linear(0, image.Sectors, image, 0))
	if err != nil {
		return -1, err
	}
	fd, err = mountReadOnly(node)
	if errors.Is(err, unix.EROFS) { // its journal was left dirty
		fd, err = mountReadOnly(node, "noload")
	}
	if err != nil {
		dm.Remove(pristine)
	}
	return fd, err
}

func mountReadOnly(device string, flags ...string) (int, error) {
	fs, err := unix.Fsopen("ext4", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "source", device); err != nil {
		return -1, err
	}
	for _, flag := range append(flags, "ro") {
		if err := unix.FsconfigSetFlag(fs, flag); err != nil {
			return -1, err
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
}

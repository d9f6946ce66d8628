package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// check is an error where something that banger lists is not whole, or something
// is left that it does not list. Nobody is at work in h meanwhile.
func (h *home) check() error {
	for _, kind := range []struct {
		list, disk string // the file that is a file system, if one is
		verify     []string
	}{
		{list: "kernel", verify: []string{"kernel", "verify"}},
		{list: "image", verify: []string{"image", "verify"}, disk: "images/%s/rootfs.ext4"},
		{list: "vm snapshot", verify: []string{"vm", "snapshot", "verify"}},
		{list: "vm", verify: []string{"vm", "show"}},
		{list: "volume", verify: []string{"volume", "show"}, disk: "volumes/%s/volume.ext4"},
		{list: "network", verify: []string{"network", "show"}},
	} {
		names, err := h.list(strings.Fields(kind.list)...)
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, err := h.must(append(kind.verify, name)...); err != nil {
				return err
			}
			if kind.disk == "" {
				continue
			}
			if err := fsck(h.state(fmt.Sprintf(kind.disk, name))); err != nil {
				return err
			}
		}
	}
	return errors.Join(h.noLeftovers(), h.noMounts())
}

// list returns the names that banger lists. It sweeps up too.
func (h *home) list(kind ...string) ([]string, error) {
	out, err := h.must(append(kind, "list", "--json")...)
	if err != nil {
		return nil, err
	}
	var all []struct{ Name string }
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, fmt.Errorf("%s list: %w", strings.Join(kind, " "), err)
	}
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
	}
	return names, nil
}

// fsck changes nothing. The journal of a disk that was in use is replayed in
// memory.
func fsck(file string) error {
	out, err := exec.Command("/sbin/e2fsck", "-fn", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("e2fsck %s: %w: %s", file, err, out)
	}
	return nil
}

// noLeftovers looks for names that begin with a dot, which is what is half-made
// or half-deleted, and for sockets.
func (h *home) noLeftovers() error {
	var left []string
	for _, root := range []string{h.state(), filepath.Join(h.dir, ".cache/banger"), filepath.Join(h.dir, ".config/banger")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && (strings.HasPrefix(d.Name(), ".") || d.Type() == fs.ModeSocket) {
				left = append(left, path)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("left behind: %q", left)
	}
	return nil
}

func (h *home) noMounts() error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err == nil && strings.Contains(string(mounts), " "+h.dir+"/") {
		err = fmt.Errorf("something is mounted below %s", h.dir)
	}
	return err
}

// processes are those whose command line names the home.
func (h *home) processes() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, err := os.ReadFile(file)
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		if err == nil && pid != os.Getpid() && slices.ContainsFunc(strings.Split(string(text), "\x00"), func(arg string) bool { return strings.Contains(arg, h.dir) }) {
			pids = append(pids, pid)
		}
	}
	return pids
}

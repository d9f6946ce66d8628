// Package initramfs writes what a guest's kernel finds as its first file
// system: the kernel's own initrd, banger's agent as /init, the modules that
// are needed to reach the root, and this VM's settings.
//
// It guarantees that the agent's /init wins over an initrd's, since later
// archives replace what earlier ones unpacked. It never changes an initrd.
package initramfs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"banger/internal/agentapi"
	"banger/internal/format/cpio"
	"banger/internal/format/modules"
)

// Options says what goes into an initramfs.
type Options struct {
	Initrd     string // the kernel's own, or ""
	ModulesDir string // content of /lib/modules/<release> as modules.Index left it, or ""
	Settings   agentapi.Settings
}

// Build writes an initramfs to w. Settings.Modules is filled in, and Settings.Swap's.
func Build(w io.Writer, o Options) error {
	program, size, err := agent()
	if err != nil {
		return err
	}
	defer program.Close()
	boot, err := bootModules(o.ModulesDir, o.Settings)
	if err != nil {
		return err
	}
	if err := copyInitrd(w, o.Initrd); err != nil {
		return err
	}
	packed := boot
	if swap := o.Settings.Swap; swap != nil {
		if packed, err = swapModules(boot, o.ModulesDir); err != nil {
			return err
		}
		o.Settings.Swap = &agentapi.Swap{Bytes: swap.Bytes, Modules: names(packed[len(boot):])}
	}
	if err := writeAgent(w, program, size, packed); err != nil {
		return fmt.Errorf("pack the agent: %w", err)
	}
	o.Settings.Modules = names(boot)
	if err := writeSettings(w, o.Settings); err != nil {
		return fmt.Errorf("pack the settings: %w", err)
	}
	return nil
}

// copyInitrd puts the kernel's own initrd first. What follows has to begin at
// a multiple of four bytes; the kernel skips the zeros between.
func copyInitrd(w io.Writer, path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("pack the kernel's initrd: %w", err)
	}
	defer f.Close()
	n, err := io.Copy(w, f)
	if err == nil {
		_, err = w.Write(cpio.Padding(n))
	}
	if err != nil {
		return fmt.Errorf("pack the kernel's initrd: %w", err)
	}
	return nil
}

// module is a kernel module to pack.
type module struct {
	name string // of its file in agentapi.ModulesDir
	path string // of its file on the host
	data []byte // in place of that file, where it is compressed
}

// bootModules returns the modules to pack, in loading order; a kernel without a
// directory of them has everything built in.
func bootModules(dir string, settings agentapi.Settings) ([]module, error) {
	if dir == "" {
		return nil, nil
	}
	boot, err := modules.Boot(dir)
	if err != nil {
		return nil, err
	}
	all := make([]module, len(boot))
	for i, m := range boot {
		all[i] = module{name: m.Name + ".ko", path: filepath.Join(dir, filepath.FromSlash(m.Path))}
	}
	if len(settings.Mounts) > 0 {
		return addModules(all, dir, mountModule)
	}
	return all, nil
}

// mountModule is what directories of the host are mounted by.
const mountModule = "fuse"

// swapModules adds what swap in compressed memory takes to modules to boot with. It
// is none where the kernel of dir has that built in, or not at all.
func swapModules(boot []module, dir string) ([]module, error) {
	all := slices.Clip(boot)
	if dir == "" {
		return all, nil
	}
	var err error
	for _, name := range []string{"lzo_rle", "zram"} { // what it compresses by, where that is a module, and itself
		if all, err = addModules(all, dir, name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func names(modules []module) (files []string) {
	for _, m := range modules {
		files = append(files, m.name)
	}
	return files
}

// addModules adds a module that not every guest has to have, and what it needs.
func addModules(all []module, dir, name string) ([]module, error) {
	more, err := modules.Find(dir, name)
	if err != nil {
		return nil, err
	}
	for _, m := range more {
		file := m.Name + ".ko"
		if slices.ContainsFunc(all, func(have module) bool { return have.name == file }) {
			continue
		}
		data, err := modules.Content(dir, m)
		if err != nil {
			return nil, fmt.Errorf("unpack module %s: %w", m.Name, err)
		}
		all = append(all, module{name: file, data: data})
	}
	return all, nil
}

func writeAgent(w io.Writer, program io.Reader, size int64, boot []module) error {
	archive := cpio.NewWriter(w)
	for _, dir := range []string{"dev", "proc", "sys", "run", "banger", agentapi.ModulesDir} {
		archive.Directory(dir, 0o755)
	}
	archive.Character("dev/console", 0o600, 5, 1)
	archive.File("init", 0o755, size, program)
	for _, m := range boot {
		if err := addModule(archive, m); err != nil {
			return err
		}
	}
	return archive.Close()
}

func addModule(archive *cpio.Writer, m module) error {
	if m.data != nil {
		archive.File(agentapi.ModulesDir+"/"+m.name, 0o644, int64(len(m.data)), bytes.NewReader(m.data))
		return archive.Err()
	}
	f, err := os.Open(m.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	archive.File(agentapi.ModulesDir+"/"+m.name, 0o644, info.Size(), f)
	return archive.Err()
}

func writeSettings(w io.Writer, settings agentapi.Settings) error {
	data, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	archive := cpio.NewWriter(w)
	archive.File(agentapi.SettingsPath, 0o600, int64(len(data)), bytes.NewReader(data))
	return archive.Close()
}

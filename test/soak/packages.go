package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"banger/internal/kernel/kerneltest"
)

// packageName is of the one package that the archive has.
const packageName = "linux-image-6.12.3-soak"

// aptConfig names the configuration of an apt that knows no other archive.
const aptConfig = "apt.conf"

// makeArchive makes an archive of packages in dir, with a kernel. Where the host has no
// apt there is none.
func makeArchive(dir string) (made bool, err error) {
	for _, program := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return false, nil //nolint:nilerr // see above
		}
	}
	const release = "6.12.3-soak"
	control := "Package: " + packageName + "\nVersion: 1\nArchitecture: amd64\nMaintainer: nobody <nobody@example.org>\nDescription: a kernel\n"
	tree, archive := filepath.Join(dir, "tree"), filepath.Join(dir, "archive")
	for _, file := range []struct {
		path    string
		content []byte
	}{
		{"tree/DEBIAN/control", []byte(control)},
		{"tree/boot/vmlinuz-" + release, append(kerneltest.Vmlinux(release), make([]byte, 1<<20)...)},
		{"tree/lib/modules/" + release + "/modules.builtin", []byte("kernel/fs/ext4/ext4.ko\n")},
		{"archive/sources.list", fmt.Appendf(nil, "deb [trusted=yes] file:%s ./\n", archive)},
		{aptConfig, fmt.Appendf(nil, "Dir::Etc::sourcelist \"%s/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\n", archive)},
	} {
		path := filepath.Join(dir, file.path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, file.content, 0o644)); err != nil {
			return false, err
		}
	}
	deb := filepath.Join(archive, packageName+".deb")
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, deb).CombinedOutput(); err != nil {
		return false, fmt.Errorf("dpkg-deb: %w: %s", err, out)
	}
	content, err := os.ReadFile(deb)
	if err != nil {
		return false, err
	}
	list := fmt.Appendf(nil, "%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, filepath.Base(deb), len(content), sha256.Sum256(content))
	return true, os.WriteFile(filepath.Join(archive, "Packages"), list, 0o644)
}

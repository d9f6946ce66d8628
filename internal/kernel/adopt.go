package kernel

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"banger/internal/ext4"
	"banger/internal/modules"
	"banger/internal/statedir"
)

// adopt makes a kernel of a stage that holds vmlinux, optionally initrd.img
// and modules/: it indexes the modules, packs them as a file system, hashes
// every file and publishes all that under m's name.
func (s *Store) adopt(ctx context.Context, stage *statedir.Stage, m Manifest) (Kernel, error) {
	release, err := checkVmlinux(stage.Path(statedir.Vmlinux))
	if err != nil {
		return Kernel{}, err
	}
	if m.KernelVersion == "" {
		m.KernelVersion = release
	}
	if err := packModules(ctx, stage); err != nil {
		return Kernel{}, err
	}
	m.PulledAt, m.BangerVersion = time.Now().UTC().Truncate(time.Second), s.version
	if m.Files, err = hashTree(ctx, stage.Dir); err != nil {
		return Kernel{}, err
	}
	if err := statedir.WriteJSON(stage.Path(statedir.Manifest), m); err != nil {
		return Kernel{}, err
	}
	if err := ctx.Err(); err != nil {
		return Kernel{}, err
	}
	if err := stage.Publish(m.Name); err != nil {
		return Kernel{}, err
	}
	return Kernel{Manifest: m, Dir: s.tree.Path(m.Name)}, nil
}

// packModules makes modules.ext4 of modules/, where there are any.
func packModules(ctx context.Context, stage *statedir.Stage) (err error) {
	dir := stage.Path(statedir.Modules)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	set, err := modules.Read(ctx, dir)
	if err != nil {
		return err
	}
	if err := set.WriteIndexes(dir); err != nil {
		return err
	}
	f, err := os.OpenFile(stage.Path(statedir.ModulesImage), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("pack modules: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w, err := ext4.NewWriter(f, ext4.Options{Label: "banger-modules"})
	if err != nil {
		return fmt.Errorf("pack modules: %w", err)
	}
	if err := addTree(ctx, w, dir); err != nil {
		return fmt.Errorf("pack modules: %w", err)
	}
	return w.Close()
}

// addTree adds the directories and files below dir, as root's and readable by
// all.
func addTree(ctx context.Context, w *ext4.Writer, dir string) error {
	root := os.DirFS(dir)
	return fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			return w.Add(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, nil)
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		return w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size()}, f)
	})
}

// hashTree lists the regular files below dir with their digests.
func hashTree(ctx context.Context, dir string) ([]File, error) {
	var files []File
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := hashFile(ctx, dir, name)
		files = append(files, f)
		return err
	})
	return files, err
}

func hashFile(ctx context.Context, dir, name string) (File, error) {
	if err := ctx.Err(); err != nil {
		return File{}, err
	}
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	digest := sha256.New()
	n, err := io.Copy(digest, f)
	if err != nil {
		return File{}, fmt.Errorf("hash %s: %w", name, err)
	}
	return File{Path: name, SHA256: hex.EncodeToString(digest.Sum(nil)), Size: n}, nil
}

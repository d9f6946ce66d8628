package kernel

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"banger/internal/format/ext4"
	"banger/internal/format/modules"
	"banger/internal/statedir"
)

// packModules indexes the stage's modules/, where there are any, and makes
// modules.ext4 of them. The same modules give the same bytes.
func packModules(ctx context.Context, stage *statedir.Stage, release string) (err error) {
	dir := stage.Path(statedir.Modules)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := modules.Index(ctx, dir); err != nil {
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
	w.SetSeed([]byte(release))
	if err := addTree(ctx, w, dir); err != nil {
		return fmt.Errorf("pack modules: %w", err)
	}
	return w.Close()
}

// addTree adds what is below dir, as root's and readable by all.
func addTree(ctx context.Context, w *ext4.Writer, dir string) error {
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return w.Add(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, nil)
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				return err
			}
			return w.Add(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
		}
		f, size, err := openRegular(path.Join(dir, name))
		if err != nil {
			return err
		}
		defer f.Close()
		return w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size}, contextReader{ctx, f})
	})
}

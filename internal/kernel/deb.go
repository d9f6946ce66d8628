package kernel

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/format/bundle"
	"banger/internal/format/modules"
	"banger/internal/pattern"
	"banger/internal/process"
	"banger/internal/statedir"
)

// unpackDeb takes the kernel and its modules out of a package.
func unpackDeb(ctx context.Context, deb string, stage *statedir.Stage) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	child, err := process.Start(ctx, process.Cmd{Args: []string{"dpkg-deb", "--fsys-tarfile", deb}, Stdout: w})
	w.Close()
	if err != nil {
		return err
	}
	err = takeKernel(ctx, tar.NewReader(r), stage)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // the rest, so that dpkg-deb ends well
	}
	r.Close()
	fault := child.Wait()
	if fault != nil && (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) {
		return fault
	}
	return err
}

// What a package holds of a kernel: its image, and the content of
// /lib/modules/<release>, where the image may be as well.
var (
	imageInPackage  = pattern.New(`^(?:boot/vmlinuz-[^/]+|(?:usr/)?lib/modules/[^/]+/vmlinuz)$`)
	moduleInPackage = pattern.New(`^(?:usr/)?lib/modules/[^/]+/(.+)$`)
)

// takeKernel bounds a package as kernels' bundles are.
func takeKernel(ctx context.Context, archive *tar.Reader, stage *statedir.Stage) error {
	links := map[string]string{}
	for entries, left := 0, int64(bundle.MaxBytes); ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return takeLinks(ctx, stage, links, left)
		}
		if err != nil {
			return err
		}
		if left -= header.Size; entries >= bundle.MaxEntries || left < 0 {
			return fmt.Errorf("the package holds more than %d files or %d MiB", bundle.MaxEntries, bundle.MaxBytes>>20)
		}
		name := path.Clean(header.Name)
		switch header.Typeflag {
		case tar.TypeReg:
		case tar.TypeLink:
			links[name] = path.Clean(header.Linkname)
			continue
		case tar.TypeSymlink:
			links[name] = linked(name, header.Linkname)
			continue
		default:
			continue
		}
		if imageInPackage().MatchString(name) {
			err = takeImage(ctx, stage, archive)
		} else if module := moduleInPackage().FindStringSubmatch(name); module != nil {
			err = takeModule(ctx, stage, module[1], archive)
		}
		if err != nil {
			return err
		}
	}
}

// linked is where a symbolic link in a package leads.
func linked(name, target string) string {
	if path.IsAbs(target) {
		return strings.TrimPrefix(path.Clean(target), "/")
	}
	return path.Join(path.Dir(name), target)
}

// takeLinks takes the modules that are links to others of the package, with
// these's content.
func takeLinks(ctx context.Context, stage *statedir.Stage, links map[string]string, left int64) error {
	for _, name := range slices.Sorted(maps.Keys(links)) {
		from, to := moduleInPackage().FindStringSubmatch(links[name]), moduleInPackage().FindStringSubmatch(name)
		if from == nil || to == nil || !modules.IsModule(name) || !filepath.IsLocal(from[1]) {
			continue
		}
		f, size, err := openRegular(stage.Path(statedir.Modules, from[1]))
		if err != nil {
			continue // it leads out of the package, or nowhere
		}
		if left -= size; left < 0 {
			err = fmt.Errorf("the package holds more than %d MiB", bundle.MaxBytes>>20)
		} else {
			err = takeModule(ctx, stage, to[1], f)
		}
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func takeImage(ctx context.Context, stage *statedir.Stage, content io.Reader) error {
	packed := stage.Path("vmlinuz")
	if err := writeFile(ctx, packed, content); err != nil {
		return err
	}
	defer os.Remove(packed)
	return writeVmlinux(ctx, packed, stage.Path(statedir.Vmlinux))
}

func takeModule(ctx context.Context, stage *statedir.Stage, name string, content io.Reader) error {
	if !filepath.IsLocal(name) {
		return fmt.Errorf("the package holds the unsafe name %q", name)
	}
	target := stage.Path(statedir.Modules, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return writeFile(ctx, target, content)
}

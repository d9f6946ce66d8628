package kernel

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"banger/internal/process"
	"banger/internal/statedir"
)

// unpackDeb takes the kernel and its modules out of a package.
func unpackDeb(ctx context.Context, deb string, stage *statedir.Stage) error {
	r, w := io.Pipe()
	extracted := make(chan error, 1)
	go func() {
		err := process.Run(ctx, process.Cmd{Args: []string{"dpkg-deb", "--fsys-tarfile", deb}, Stdout: w})
		w.CloseWithError(err)
		extracted <- err
	}()
	err := takeKernel(ctx, tar.NewReader(r), stage)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // the rest, so that dpkg-deb ends well
	}
	r.Close()
	if processErr := <-extracted; err == nil || ctx.Err() != nil {
		err = processErr
	}
	return err
}

// inPackage matches what a package holds of a kernel: its image, and the
// modules below /lib/modules/<release>/.
var inPackage = regexp.MustCompile(`^(?:boot/(vmlinuz)-[^/]+|(?:usr/)?lib/modules/[^/]+/(.+))$`)

func takeKernel(ctx context.Context, archive *tar.Reader, stage *statedir.Stage) error {
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		part := inPackage.FindStringSubmatch(path.Clean(header.Name))
		if part == nil || header.Typeflag != tar.TypeReg {
			continue
		}
		if part[1] != "" {
			err = takeImage(ctx, stage, archive)
		} else {
			err = takeModule(ctx, stage, part[2], archive)
		}
		if err != nil {
			return err
		}
	}
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

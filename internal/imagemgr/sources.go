package imagemgr

import (
	"context"
	"errors"
	"os"

	"banger/internal/ref"
)

// open finds the source of a pull. What has to be kept on disk until it was
// read is kept in dir.
func (s *Store) open(ctx context.Context, o PullOptions, dir string) (*source, error) {
	switch o.Source.Transport {
	case ref.Tar:
		return openTar(ctx, o)
	case ref.Mmdebstrap:
		return openMmdebstrap(ctx, o)
	}
	i, err := s.openImage(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	err = o.Limits.checkLayers(i.layers)
	if err == nil {
		err = i.checkRoom(dir)
	}
	if err != nil {
		i.close()
		return nil, err
	}
	return i.source(ctx, dir, o.Limits, o.Progress), nil
}

func (s *Store) openImage(ctx context.Context, o PullOptions, dir string) (*ociImage, error) {
	path, tag := splitTag(o.Source.Rest)
	switch o.Source.Transport {
	case ref.Registry:
		return s.openRegistry(ctx, o)
	case ref.OCI:
		if _, err := os.Stat(path); err != nil {
			return nil, plain(err)
		}
		return openLayout(ctx, dirParts(path), tag)
	case ref.Dir:
		return openDirectory(ctx, o.Source.Rest)
	case ref.OCIArchive:
		return inArchive(ctx, o, path, dir, func(files parts) (*ociImage, error) { return openLayout(ctx, files, tag) })
	case ref.DockerArchive:
		return inArchive(ctx, o, path, dir, func(files parts) (*ociImage, error) { return openDockerArchive(files, tag) })
	}
	return nil, errors.New("an image cannot be made of this kind of source")
}

// inArchive finds an image in a tar, which stays open as long as the image.
func inArchive(ctx context.Context, o PullOptions, path, dir string, find func(parts) (*ociImage, error)) (*ociImage, error) {
	files, err := openArchive(ctx, o, path, dir)
	if err != nil {
		return nil, err
	}
	i, err := find(files)
	if err != nil {
		files.Close()
		return nil, err
	}
	i.from = files
	return i, nil
}

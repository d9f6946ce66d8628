package imagemgr

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/stream"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/statedir"
)

// layout writes an image as an OCI layout, in a directory that gets its name
// when it is complete.
func (o ExportOptions) layout(ctx context.Context, src *os.File, i Image) error {
	stage, err := statedir.StageOutside(o.Path)
	if err != nil {
		return plain(err)
	}
	defer stage.Discard()
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.CloseWithError(writeTar(ctx, w, src))
	}()
	defer func() {
		r.Close()
		<-written
	}()
	image, err := layered(stream.NewLayer(r, stream.WithMediaType(types.OCILayer)), i)
	if err != nil {
		return err
	}
	at, err := layout.Write(stage.Dir, empty.Index)
	if err != nil {
		return err
	}
	if err := at.AppendImage(image, layout.WithAnnotations(map[string]string{refName: i.Name})); err != nil {
		return err
	}
	if err := os.Chmod(stage.Dir, 0o755); err != nil {
		return err
	}
	return stage.Publish(filepath.Base(o.Path))
}

// layered is an image of one layer, with what the manifest knows of how to run
// it. It says nothing of when it was made, so that the same image gives the same
// bytes.
func layered(layer v1.Layer, i Image) (v1.Image, error) {
	config := &v1.ConfigFile{Architecture: runtime.GOARCH, OS: "linux", RootFS: v1.RootFS{Type: "layers"}}
	if c := i.Config; c != nil {
		config.Config = v1.Config{
			User: c.User, Env: c.Env, WorkingDir: c.WorkingDir, Entrypoint: c.Entrypoint,
			Cmd: c.Cmd, StopSignal: c.StopSignal, Labels: c.Labels,
		}
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(image, config)
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(image, layer)
}

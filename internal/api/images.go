package api

import (
	"context"
	"errors"
	"net/http"

	"banger/internal/engine"
	"banger/internal/imagebuild"
	"banger/internal/imagemgr"
)

func (s *server) imageOperations() []operation {
	return []operation{
		op(http.MethodGet, "/images", "listImages", "All images", func(context.Context, struct{}) ([]engine.ImageInfo, error) {
			images, err := s.engine.ListImages()
			return append([]engine.ImageInfo{}, images...), err
		}),
		told(http.MethodPost, "/images", "pullImage", "Get an image; one of a catalog's with its kernel", s.pullImage),
		told(http.MethodPost, "/builds", "buildImage", "Make an image of another one, in a throw-away VM, or of a Dockerfile", s.buildImage),
		op(http.MethodPost, "/imports/images", "registerImage", "Make an image of an ext4 file system of this machine", s.registerImage),
		op(http.MethodPost, "/prune/images", "pruneImages", "Remove what was fetched from registries and is kept for the next time", func(_ context.Context, in struct {
			Unused bool `query:"unused" doc:"and the images that no VM uses"`
		}) (prunedImages, error) {
			p, err := s.engine.PruneImages(in.Unused)
			return prunedImages{append([]string{}, p.Images...), p.Freed}, err
		}),
		op(http.MethodGet, "/images/{name}", "getImage", "An image", func(_ context.Context, in named) (engine.ImageInfo, error) {
			return s.engine.Image(in.Name)
		}),
		op(http.MethodPost, "/images/{name}/rename", "renameImage", "Give an image that no VM uses another name", func(_ context.Context, in struct {
			Name string `path:"name"`
			Body struct {
				Name name `json:"name"`
			}
		}) (engine.ImageInfo, error) {
			if err := s.engine.RenameImage(in.Name, string(in.Body.Name)); err != nil {
				return engine.ImageInfo{}, err
			}
			return s.engine.Image(string(in.Body.Name))
		}),
		op(http.MethodPost, "/images/{name}/verify", "verifyImage", "Check an image's file system against its manifest", func(ctx context.Context, in named) (none, error) {
			return none{}, refused(s.engine.VerifyImage(ctx, in.Name))
		}),
		s.pushOperation("/images/{name}/push", "pushImage", "Put an image into an OCI registry", s.engine.PushImage),
		told(http.MethodPost, "/images/{name}/warm", "warmImage", "Boot a throw-away VM of an image, for others to go on from in place of booting", s.warmImage),
		stream(http.MethodGet, "/images/{name}/export", "exportImage", "An image in a format that others read", "application/octet-stream", s.exportImage),
		op(http.MethodDelete, "/images/{name}", "removeImage", "Remove an image", func(_ context.Context, in forced) (none, error) {
			return none{}, s.engine.RemoveImage(in.Name, in.Force)
		}),
	}
}

func (s *server) pullImage(ctx context.Context, in struct {
	Body struct {
		Reference reference `json:"reference" jsonschema:"a name of a catalog, or a registry's, oci:DIR, tar:FILE, mmdebstrap:SUITE, ..."`
		Name      name      `json:"name,omitempty"`
		KernelRef name      `json:"kernel_ref,omitempty"`
		Insecure  bool      `json:"insecure,omitempty" jsonschema:"plain http is fine"`
	}
}, events engine.Events) (imagemgr.Image, error) {
	b := in.Body
	pull, err := s.engine.PullImage(ctx, engine.PullImageOptions{
		Reference: string(b.Reference), Name: string(b.Name), KernelRef: string(b.KernelRef), Insecure: b.Insecure, Events: events,
	})
	return pull.Image, notGot(err)
}

func (s *server) registerImage(ctx context.Context, in struct {
	Body struct {
		Name      name     `json:"name"`
		Rootfs    hostPath `json:"rootfs"`
		KernelRef name     `json:"kernel_ref,omitempty"`
		Replace   bool     `json:"replace,omitempty" jsonschema:"an image of that name gives way"`
	}
}) (imagemgr.Image, error) {
	b := in.Body
	i, err := s.engine.RegisterImage(ctx, imagemgr.RegisterOptions{Name: string(b.Name), Rootfs: string(b.Rootfs), KernelRef: string(b.KernelRef), Replace: b.Replace})
	return i, refused(err)
}

// prunedImages are the images that a prune removed.
type prunedImages struct {
	Images []string `json:"images"`
	Freed  int64    `json:"freed" jsonschema:"bytes"`
}

// build is an image to make.
type build struct {
	Name       name     `json:"name"`
	From       name     `json:"from,omitempty" jsonschema:"the image to boot and to change; with dockerfile and context there is none"`
	KernelRef  name     `json:"kernel_ref,omitempty"`
	Packages   []name   `json:"packages,omitempty" jsonschema:"of the distribution, with from"`
	Script     hostPath `json:"script,omitempty" jsonschema:"a program of this machine to run in the VM, with from"`
	Context    hostPath `json:"context,omitempty" jsonschema:"a directory of this machine with a Dockerfile"`
	Dockerfile hostPath `json:"dockerfile,omitempty" jsonschema:"the context's own where it is not given"`
	Args       []string `json:"args,omitempty" jsonschema:"each is KEY=VALUE, of the Dockerfile"`
	Replace    bool     `json:"replace,omitempty" jsonschema:"an image of that name gives way"`
}

func (s *server) buildImage(ctx context.Context, in struct{ Body build }, events engine.Events) (imagemgr.Image, error) {
	b := in.Body
	if (b.From == "") == (b.Context == "") {
		return imagemgr.Image{}, refused(errors.New("an image is made from another one, or of a context with a Dockerfile"))
	}
	if b.Context != "" {
		built, err := s.engine.BuildDockerfile(ctx, imagebuild.Dockerfile{
			Name: string(b.Name), KernelRef: string(b.KernelRef), File: string(b.Dockerfile), Context: string(b.Context), Args: b.Args, Replace: b.Replace,
		}, events)
		return built.Image, refused(err)
	}
	o := engine.BuildOptions{
		Name: string(b.Name), From: string(b.From), KernelRef: string(b.KernelRef), Script: string(b.Script), Replace: b.Replace, Events: events,
		VM: s.engine.VMDefaults(),
	}
	for _, p := range b.Packages {
		o.Packages = append(o.Packages, string(p))
	}
	built, err := s.engine.BuildImage(ctx, o)
	return built.Image, refused(err)
}

func (s *server) warmImage(ctx context.Context, in struct {
	Name string `path:"name"`
	Off  bool   `query:"off" doc:"there is to be none, and what there is goes"`
}, events engine.Events) (engine.ImageInfo, error) {
	var err error
	switch {
	case in.Off:
		err = s.engine.WarmOff(in.Name)
	case !s.engine.Config.Warm.Enabled:
		err = errors.New("warm starts are switched off")
	default:
		o := s.engine.TemplateDefaults()
		o.Image = in.Name
		_, err = s.engine.MakeTemplate(ctx, o, events)
	}
	if err != nil {
		return engine.ImageInfo{}, refused(err)
	}
	return s.engine.Image(in.Name)
}

// exportFormat is one of imagemgr's that are one file.
type exportFormat string

func (s *server) exportImage(w http.ResponseWriter, r *http.Request, in struct {
	Name   string       `path:"name"`
	Format exportFormat `query:"format" doc:"tar where it is not given"`
}) error {
	if in.Format == "" {
		in.Format = imagemgr.FormatTar
	}
	if in.Format != imagemgr.FormatTar && in.Format != imagemgr.FormatExt4 {
		return inputErrorf("%q is no format that is one file", in.Format)
	}
	return s.engine.ExportImage(r.Context(), imagemgr.ExportOptions{Name: in.Name, Format: string(in.Format), Out: &lazily{w: w, kind: "application/octet-stream"}})
}

// lazily begins an answer with the first that is written to it, so that what goes
// wrong before can be told.
type lazily struct {
	w    http.ResponseWriter
	kind string
	to   *flusher
}

func (l *lazily) Write(p []byte) (int, error) {
	if l.to == nil {
		to := begin(l.w, l.kind)
		l.to = &to
	}
	return l.to.Write(p)
}

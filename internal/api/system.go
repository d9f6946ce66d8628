package api

import (
	"context"
	"net/http"
	"time"

	"banger/internal/catalog"
	"banger/internal/doctor"
	"banger/internal/engine"
	"banger/internal/vm"
)

// pruned is what a prune removed.
type pruned struct {
	Removed []engine.Removed `json:"removed"`
	Freed   int64            `json:"freed" jsonschema:"bytes"`
}

// systemOperations are those on all that banger has.
func (s *server) systemOperations() []operation {
	return []operation{
		op(http.MethodGet, "/version", "version", "banger's version", func(context.Context, struct{}) (map[string]string, error) {
			return map[string]string{"version": s.engine.Version}, nil
		}),
		op(http.MethodGet, "/system", "system", "Versions, the VMM, paths, counts and the configuration in force", func(ctx context.Context, _ struct{}) (engine.SystemInfo, error) {
			return s.engine.SystemInfo(ctx)
		}),
		op(http.MethodGet, "/system/disk", "diskUsage", "What takes how much of the disk, and what of that nothing needs", func(context.Context, struct{}) ([]engine.Share, error) {
			return s.engine.DiskUsage()
		}),
		op(http.MethodGet, "/system/doctor", "doctor", "What this machine lets banger do", func(ctx context.Context, _ struct{}) ([]doctor.Result, error) {
			return s.engine.Examine(ctx, s.hint), nil
		}),
		op(http.MethodPost, "/prune", "prune", "Remove the VMs that are stopped and what is kept for the next time, and more where it is asked for", s.prune),
		op(http.MethodGet, "/catalogs", "listCatalogs", "Where kernels and images come from, in the order in which it counts", func(context.Context, struct{}) ([]catalog.Source, error) {
			return append([]catalog.Source{}, s.engine.Catalogs()...), nil
		}),
		told(http.MethodPost, "/catalogs/refresh", "refreshCatalogs", "Fetch remote catalogs anew", func(ctx context.Context, in struct {
			Name name `query:"catalog" doc:"this one; all where it is not given"`
		}, events engine.Events) ([]engine.CatalogContent, error) {
			got, err := s.engine.RefreshCatalog(ctx, string(in.Name), events)
			return append([]engine.CatalogContent{}, got...), notGot(err)
		}),
		told(http.MethodGet, "/catalogs/images", "availableImages", "What the catalogs have of images", func(ctx context.Context, _ struct{}, events engine.Events) ([]engine.AvailableImage, error) {
			all, err := s.engine.AvailableImages(ctx, events)
			return append([]engine.AvailableImage{}, all...), notGot(err)
		}),
		told(http.MethodGet, "/catalogs/kernels", "availableKernels", "What the catalogs have of kernels", func(ctx context.Context, _ struct{}, events engine.Events) ([]engine.AvailableKernel, error) {
			all, err := s.engine.AvailableKernels(ctx, events)
			return append([]engine.AvailableKernel{}, all...), notGot(err)
		}),
	}
}

func (s *server) prune(ctx context.Context, in struct {
	Body struct {
		All     bool        `json:"all,omitempty" jsonschema:"images that no VM uses, kernels that nothing needs and templates too"`
		Volumes bool        `json:"volumes,omitempty" jsonschema:"volumes that no VM has too"`
		Labels  vm.Labels   `json:"labels,omitempty" jsonschema:"of VMs and volumes only those that have them"`
		Age     vm.Duration `json:"age,omitzero" jsonschema:"VMs only that have been down for so long"`
	}
}) (pruned, error) {
	b := in.Body
	removed, freed, err := s.engine.PruneSystem(ctx, engine.PruneOptions{All: b.All, Volumes: b.Volumes, Labels: b.Labels, Age: time.Duration(b.Age)})
	return pruned{append([]engine.Removed{}, removed...), freed}, err
}

package api

import (
	"context"
	"errors"
	"net/http"

	"banger/internal/engine"
	"banger/internal/vm"
	"banger/internal/volume"
)

func (s *server) volumeOperations() []operation {
	return []operation{
		op(http.MethodGet, "/volumes", "listVolumes", "All volumes", func(_ context.Context, in struct {
			Labels labels `query:"label" doc:"only those that have the label KEY or KEY=VALUE"`
		}) ([]engine.Volume, error) {
			wanted, err := in.Labels.wanted()
			if err != nil {
				return nil, err
			}
			all, err := s.engine.ListVolumes(wanted)
			return append([]engine.Volume{}, all...), err
		}),
		op(http.MethodPost, "/volumes", "createVolume", "Make an empty volume", func(ctx context.Context, in struct {
			Body struct {
				Name    name      `json:"name"`
				SizeMiB amount    `json:"size_mib,omitempty" jsonschema:"what is not written takes no disk"`
				Labels  vm.Labels `json:"labels,omitempty"`
			}
		}) (engine.Volume, error) {
			b := in.Body
			v, err := s.engine.CreateVolume(ctx, engine.VolumeOptions{Name: string(b.Name), Size: int64(mebibytes(b.SizeMiB)), Labels: b.Labels})
			return v, refused(err)
		}),
		op(http.MethodGet, "/volumes/{name}", "getVolume", "A volume", func(_ context.Context, in named) (engine.Volume, error) {
			return s.engine.Volume(in.Name)
		}),
		op(http.MethodPatch, "/volumes/{name}", "setVolume", "Change a volume, which can grow while a VM writes to it", func(ctx context.Context, in struct {
			Name string `path:"name"`
			Body struct {
				SizeMiB amount    `json:"size_mib,omitempty" jsonschema:"it can only grow"`
				Labels  vm.Labels `json:"labels,omitempty" jsonschema:"added; one without a value is taken away"`
			}
		}) (engine.Volume, error) {
			v, err := s.engine.SetVolume(ctx, in.Name, volume.Change{Size: int64(mebibytes(in.Body.SizeMiB)), Labels: in.Body.Labels}, nil)
			return v, refused(err)
		}),
		op(http.MethodDelete, "/volumes/{name}", "removeVolume", "Remove a volume that no VM has, and all that is in it", func(ctx context.Context, in named) (none, error) {
			return none{}, s.engine.RemoveVolume(ctx, in.Name)
		}),
		op(http.MethodPost, "/prune/volumes", "pruneVolumes", "Remove the volumes that no VM has, and all that is in them", func(ctx context.Context, in struct {
			Labels labels `query:"label" doc:"only those that have the label KEY or KEY=VALUE"`
		}) ([]engine.Volume, error) {
			wanted, err := in.Labels.wanted()
			if err != nil {
				return nil, err
			}
			removed, err := s.engine.PruneVolumes(ctx, wanted)
			return append([]engine.Volume{}, removed...), err
		}),
	}
}

// wanted are the labels that something has to have.
func (l labels) wanted() (wanted vm.Labels, err error) {
	for _, label := range l {
		err = errors.Join(err, wanted.Set(label))
	}
	if err != nil {
		return nil, &inputError{err}
	}
	return wanted, nil
}

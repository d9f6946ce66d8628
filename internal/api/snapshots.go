package api

import (
	"context"
	"net/http"

	"banger/internal/engine"
	"banger/internal/imagemgr"
	"banger/internal/snapshot"
	"banger/internal/vm"
)

// snapshotOperations keep VMs as they are, and make others of them.
func (s *server) snapshotOperations() []operation {
	return []operation{
		op(http.MethodGet, "/snapshots", "listSnapshots", "All snapshots", func(_ context.Context, in struct {
			VM string `query:"vm" doc:"only those of this VM"`
		}) ([]snapshot.Snapshot, error) {
			all, err := s.engine.ListSnapshots(in.VM)
			return append([]snapshot.Snapshot{}, all...), err
		}),
		op(http.MethodGet, "/snapshots/{name}", "getSnapshot", "A snapshot", func(_ context.Context, in named) (snapshot.Snapshot, error) {
			return s.engine.Snapshot(in.Name)
		}),
		op(http.MethodDelete, "/snapshots/{name}", "removeSnapshot", "Remove a snapshot", func(_ context.Context, in named) (none, error) {
			return none{}, s.engine.RemoveSnapshot(in.Name)
		}),
		op(http.MethodPost, "/snapshots/{name}/verify", "verifySnapshot", "Check that a snapshot is what it was", func(ctx context.Context, in named) (none, error) {
			return none{}, refused(s.engine.VerifySnapshot(ctx, in.Name))
		}),
		told(http.MethodPost, "/vms/{name}/snapshots", "createSnapshot", "Keep a VM as it is; it goes on", func(ctx context.Context, in struct {
			Name string `path:"name"`
			Body struct {
				Name        name   `json:"name,omitempty"`
				Description string `json:"description,omitempty"`
			}
		}, events engine.Events) (snapshot.Snapshot, error) {
			return s.engine.CreateSnapshot(ctx, engine.SnapshotOptions{VM: in.Name, Name: string(in.Body.Name), Description: in.Body.Description}, events)
		}),
		told(http.MethodPost, "/snapshots/{name}/restore", "restoreSnapshot", "Make a VM that goes on from a snapshot, or put one back", func(ctx context.Context, in struct {
			Name string `path:"name"`
			Body struct {
				Name     name `json:"name,omitempty" jsonschema:"of the new VM"`
				Replace  name `json:"replace,omitempty" jsonschema:"a VM that is put back, in place of a new one"`
				DiskOnly bool `json:"disk_only,omitempty" jsonschema:"boot the disk"`
			}
		}, events engine.Events) (vm.VM, error) {
			b := in.Body
			return s.engine.RestoreSnapshot(ctx, engine.RestoreOptions{Snapshot: in.Name, Name: string(b.Name), Replace: string(b.Replace), DiskOnly: b.DiskOnly}, events)
		}),
		told(http.MethodPost, "/vms/{name}/fork", "forkVM", "Make running copies of a running VM", func(ctx context.Context, in struct {
			Name string `path:"name"`
			Body struct {
				Name  name   `json:"name,omitempty"`
				Count copies `json:"count,omitempty"`
			}
		}, events engine.Events) ([]vm.VM, error) {
			return s.engine.ForkVM(ctx, engine.ForkOptions{VM: in.Name, Name: string(in.Body.Name), Count: max(int(in.Body.Count), 1)}, events)
		}),
		told(http.MethodPost, "/vms/{name}/commit", "commitVM", "Make an image of a VM's disk", func(ctx context.Context, in struct {
			Name string `path:"name"`
			Body struct {
				Image   name `json:"image"`
				Replace bool `json:"replace,omitempty" jsonschema:"an image of that name gives way"`
			}
		}, events engine.Events) (imagemgr.Image, error) {
			return s.engine.CommitVM(ctx, engine.CommitOptions{VM: in.Name, Image: string(in.Body.Image), Replace: in.Body.Replace}, events)
		}),
	}
}

// copies is how many one request makes.
type copies int

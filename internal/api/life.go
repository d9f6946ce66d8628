package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"banger/internal/agentapi"
	"banger/internal/engine"
	"banger/internal/vm"
)

// lifeOperations begin and end what a VM does.
func (s *server) lifeOperations() []operation {
	step := func(path, id, summary string, do func(ctx context.Context, name string) error) operation {
		return op(http.MethodPost, "/vms/{name}/"+path, id, summary, func(ctx context.Context, in named) (vm.VM, error) {
			if err := do(ctx, in.Name); err != nil {
				return vm.VM{}, err
			}
			return s.engine.VM(in.Name)
		})
	}
	silent := func(do func(context.Context, string, engine.Events) error) func(context.Context, string) error {
		return func(ctx context.Context, name string) error { return do(ctx, name, nil) }
	}
	return []operation{
		told(http.MethodPost, "/vms/{name}/start", "startVM", "Boot a VM, and return when it is up", func(ctx context.Context, in named, events engine.Events) (vm.VM, error) {
			if err := s.engine.StartVM(ctx, in.Name, events); err != nil {
				return vm.VM{}, err
			}
			return s.engine.VM(in.Name)
		}),
		step("pause", "pauseVM", "Hold a VM still", silent(s.engine.PauseVM)),
		step("resume", "resumeVM", "Let a VM that is paused go on", silent(s.engine.ResumeVM)),
		step("touch", "touchVM", "Begin a VM's time to live, and its time without use, anew", s.engine.TouchVM),
		op(http.MethodPost, "/vms/{name}/stop", "stopVM", "Shut a VM down", func(ctx context.Context, in stopVM) (vm.VM, error) {
			if _, err := s.engine.StopVM(ctx, in.Name, in.options()); err != nil {
				return vm.VM{}, err
			}
			return s.engine.VM(in.Name)
		}),
		op(http.MethodPost, "/vms/{name}/restart", "restartVM", "Shut a VM down and boot it again", func(ctx context.Context, in stopVM) (vm.VM, error) {
			if _, err := s.engine.RestartVM(ctx, in.Name, in.options(), nil); err != nil {
				return vm.VM{}, err
			}
			return s.engine.VM(in.Name)
		}),
		op(http.MethodPost, "/vms/{name}/rename", "renameVM", "Give a VM that is stopped another name", s.renameVM),
		op(http.MethodPost, "/vms/{name}/kill", "killVM", "Pull a VM's plug, or send another signal to its own program", s.killVM),
		op(http.MethodGet, "/vms/{name}/wait", "waitVM", "Wait until a VM's own program has ended, or without one until it is down", func(ctx context.Context, in named) (waited, error) {
			status, err := s.engine.WaitVM(ctx, in.Name)
			return waited{status}, err
		}),
		op(http.MethodGet, "/vms/{name}/listening", "guestPorts", "What a guest's programs listen on", func(ctx context.Context, in named) ([]agentapi.Port, error) {
			found, err := s.engine.GuestPorts(ctx, in.Name)
			return append([]agentapi.Port{}, found...), err
		}),
	}
}

func (s *server) renameVM(ctx context.Context, in struct {
	Name string `path:"name"`
	Body struct {
		Name name `json:"name"`
	}
}) (vm.VM, error) {
	if err := s.engine.RenameVM(ctx, in.Name, string(in.Body.Name)); err != nil {
		return vm.VM{}, err
	}
	return s.engine.VM(string(in.Body.Name))
}

func (s *server) killVM(ctx context.Context, in struct {
	Name   string `path:"name"`
	Signal signal `query:"signal" doc:"a name without SIG; KILL, which pulls the plug, where it is not given"`
}) (vm.VM, error) {
	if err := s.engine.KillVM(ctx, in.Name, cmp.Or(string(in.Signal), "KILL")); err != nil {
		return vm.VM{}, refused(err)
	}
	return s.engine.VM(in.Name)
}

// waited is what became of a VM's own program.
type waited struct {
	Status int `json:"status" jsonschema:"its exit status; 0 where there is none"`
}

type stopVM struct {
	Name    string `path:"name"`
	Timeout int    `query:"timeout" doc:"how many seconds the guest may take before its plug is pulled; 10 where it is not given"`
	Force   bool   `query:"force" doc:"pull it at once"`
}

func (in stopVM) options() engine.StopOptions {
	o := engine.StopOptions{Patience: engine.DefaultPatience, Force: in.Force}
	if in.Timeout > 0 {
		o.Patience = time.Duration(in.Timeout) * time.Second
	}
	return o
}

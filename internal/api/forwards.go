package api

import (
	"net/http"

	"banger/internal/ports"
)

// forwardInput is a port to open.
type forwardInput struct {
	Name string `path:"name"`
	Body struct {
		newPort
		Reverse bool `json:"reverse,omitempty" jsonschema:"the guest's loopback gets the port, which leads to the host's"`
	}
}

func (s *server) forwardOperations() []operation {
	return []operation{
		stream(http.MethodPost, "/vms/{name}/forwards", "forward",
			"Open a port of this machine that leads to one of a running VM, or the other way about, for as long as the answer is read. It is server-sent events: "+
				"open has where it listens, and problem is why the VM went away", eventStream, s.forward),
	}
}

// opened is a port that leads to another.
type opened struct {
	Address string      `json:"address"` // where it listens, of this machine's or with reverse the guest's
	Port    *ports.Spec `json:"port,omitempty"`
}

// forward holds a port open until the client hangs up.
func (s *server) forward(w http.ResponseWriter, r *http.Request, in forwardInput) error {
	release, err := s.held.take()
	if err != nil {
		return err
	}
	defer release()
	if _, err := s.engine.VM(in.Name); err != nil {
		return err
	}
	var tell *teller
	open := func(o opened) {
		tell = &teller{to: begin(w, eventStream)}
		tell.send("open", o)
	}
	spec := specs([]newPort{in.Body.newPort})[0]
	if in.Body.Reverse {
		if spec.HostPort == 0 {
			spec.HostPort = spec.GuestPort
		}
		err = s.engine.ReverseVM(r.Context(), in.Name, spec, func(guest string) { open(opened{Address: guest}) })
	} else {
		err = s.engine.ForwardVM(r.Context(), in.Name, spec, func(at ports.Spec) { open(opened{at.Host().String(), &at}) })
	}
	if tell == nil {
		return refused(err)
	}
	if err != nil {
		tell.send("problem", s.problem(err).complete())
	}
	return nil
}

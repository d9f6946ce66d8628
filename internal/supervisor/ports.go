package supervisor

import (
	"encoding/json"
	"errors"
	"io"
	"slices"

	"banger/internal/ports"
	"banger/internal/vm"
)

// openPorts opens the ports that the VM was made with: before anything boots, so
// that a taken one costs nothing, and for as long as the supervisor lives, over
// reboots of the guest.
func (s *supervisor) openPorts() (closeAll func(), err error) {
	var open []*ports.Listener
	closeAll = func() {
		for _, l := range open {
			l.Close()
		}
		s.save(func(st *vm.State) { st.Ports, st.Published = nil, nil })
	}
	s.save(func(st *vm.State) { st.Ports, st.Published = nil, nil })
	for _, spec := range s.vm.Ports {
		l, err := ports.Listen(spec, s.portGuest)
		if err != nil {
			closeAll()
			return nil, err
		}
		open = append(open, l)
		s.save(func(st *vm.State) { st.Ports = append(st.Ports, l.Spec()) })
	}
	return closeAll, nil
}

// forward opens a port until the connection that asked for it ends.
func (s *supervisor) forward(conn *vm.LineConn, spec *ports.Spec) {
	if spec == nil {
		reply(conn, errors.New("no port is given"))
		return
	}
	l, err := ports.Listen(*spec, s.portGuest)
	if err != nil {
		reply(conn, err)
		return
	}
	defer l.Close()
	opened := l.Spec()
	s.save(func(st *vm.State) { st.Ports = append(st.Ports, opened) })
	defer s.save(func(st *vm.State) {
		if i := slices.Index(st.Ports, opened); i >= 0 {
			st.Ports = slices.Delete(st.Ports, i, i+1)
		}
	})
	if json.NewEncoder(conn).Encode(vm.Reply{Forward: &opened}) == nil {
		io.Copy(io.Discard, conn)
	}
}

// portGuest is what ports lead to now.
func (s *supervisor) portGuest() (ports.Guest, error) {
	b, err := s.up()
	if err != nil {
		return nil, err
	}
	return usedGuest{b.network, &s.use}, nil
}

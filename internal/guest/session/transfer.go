package session

import (
	"fmt"
	"io"
	"os"

	"banger/internal/agentapi"
	"banger/internal/guest/untar"
)

// Tar writes the root filesystem as a tar to stdout.
func (s *Session) Tar() Program {
	return s.program(func() {
		if err := s.all.config.WriteRoot(s.client.Stdout); err != nil {
			s.fail(1, err)
			return
		}
		s.exit(0)
	})
}

// Rest has the guest boot to its end and free memory, and writes what its init
// says of it to stdout.
func (s *Session) Rest() Program {
	return s.program(func() {
		state, err := s.all.config.Rest(s.ctx)
		if err == nil {
			_, err = io.WriteString(s.client.Stdout, state)
		}
		if err != nil {
			s.fail(1, err)
			return
		}
		s.exit(0)
	})
}

// Untar unpacks the tar on stdin, for the user.
func (s *Session) Untar(request agentapi.Untar) Program {
	return s.program(func() {
		dir := inHome(s.login, request.Dir)
		if err := untar.Unpack(dir, s.owner(), s.client.Stdin); err != nil {
			s.fail(1, fmt.Errorf("unpack into %s: %w", dir, err))
			return
		}
		s.exit(0)
	})
}

// owner is whose the user's files are: as with programs, the user's where this
// process is root.
func (s *Session) owner() untar.Owner {
	if os.Geteuid() != 0 {
		return untar.Owner{UID: os.Geteuid(), GID: os.Getegid()}
	}
	return untar.Owner{UID: int(s.login.UID), GID: int(s.login.GID)}
}

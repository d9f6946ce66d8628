package session

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"banger/internal/agentapi"
	"banger/internal/format/packed"
	"banger/internal/format/tree"
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

// Rest waits until the guest has booted, frees its memory, and writes to stdout what the
// init says of the boot.
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
		dir := inHome(s.login, string(request.Dir))
		with := tree.UnpackOptions{Owner: s.owner(), Replace: true, Note: s.note}
		if err := tree.UnpackInto(s.client.Stdin, dir, true, with); err != nil {
			s.fail(1, fmt.Errorf("unpack into %s: %w", dir, err))
			return
		}
		s.exit(0)
	})
}

// Pack writes a tree as a packed tar to stdout.
func (s *Session) Pack(request agentapi.PackStream) Program {
	return s.program(func() {
		file := s.path(string(request.Path))
		out := packed.NewWriter(s.client.Stdout)
		buffered := bufio.NewWriterSize(out, buffer)
		err := tree.Pack(buffered, file, tree.PackOptions{Follow: request.Follow, Note: s.note})
		if err == nil {
			err = buffered.Flush()
		}
		if err == nil {
			err = out.Close()
		}
		if err != nil {
			s.fail(1, fmt.Errorf("read %s: %w", file, err))
			return
		}
		s.exit(0)
	})
}

// buffer is how much of a tar is passed on at once.
const buffer = 64 << 10

// Unpack unpacks the packed tar on stdin, for the user.
func (s *Session) Unpack(request agentapi.UnpackStream) Program {
	return s.program(func() {
		if err := s.unpack(request); err != nil {
			s.fail(1, err)
			return
		}
		s.exit(0)
	})
}

func (s *Session) unpack(request agentapi.UnpackStream) error {
	in := packed.NewReader(s.client.Stdin)
	with := tree.UnpackOptions{Owner: s.owner(), Keep: request.Keep, Note: s.note}
	place := s.path(string(request.Path))
	var err error
	if request.Any {
		err = tree.UnpackInto(in, place, request.Make, with)
	} else {
		err = tree.Unpack(in, tree.Target{Path: place, Name: string(request.Name), Into: request.Into}, with)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, in) // up to its end, without which it is not whole
	}
	return err
}

// path is what path is to the user's programs, with the slash at its end.
func (s *Session) path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return homeOf(s.login) + "/" + path
}

// note tells the user what a copy left out.
func (s *Session) note(text string) { fmt.Fprintln(s.client.Stderr, text) }

// owner is whose the user's files are: as with programs, the user's where this
// process is root.
func (s *Session) owner() *tree.Owner {
	if os.Geteuid() != 0 {
		return &tree.Owner{UID: os.Geteuid(), GID: os.Getegid()}
	}
	return &tree.Owner{UID: int(s.login.UID), GID: int(s.login.GID)}
}

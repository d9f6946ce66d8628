package sshd

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"banger/internal/agentapi"
	"banger/internal/guest/untar"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// SFTPArgument makes the agent run as an SFTP server on its standard streams.
const SFTPArgument = "sftp"

// ServeSFTP serves SFTP on stdin and stdout, as the user whose process it is.
// It returns when the client has ended.
func ServeSFTP() error {
	streams := struct {
		io.Reader
		io.WriteCloser
	}{os.Stdin, os.Stdout}
	server, err := sftp.NewServer(streams)
	if err != nil {
		return err
	}
	return server.Serve()
}

// subsystem runs this program again for SFTP: a process has a user's rights, a
// part of one has not.
func (s *session) subsystem(payload []byte) program {
	var subsystem struct{ Name string }
	if ssh.Unmarshal(payload, &subsystem) != nil || subsystem.Name != "sftp" {
		return nil
	}
	return func() {
		cmd := s.command(s.login, []string{"banger-agent", SFTPArgument}, homeOf(s.login), nil)
		cmd.Path = "/proc/self/exe"
		s.run(cmd)
	}
}

// bangerTar writes the root filesystem as a tar to stdout.
func (s *session) bangerTar() {
	if err := s.server.writeRoot(s.channel); err != nil {
		s.fail(1, err)
		return
	}
	s.exit(0)
}

// bangerUntar unpacks the tar on stdin, for the user.
func (s *session) bangerUntar(payload []byte) program {
	var request agentapi.Untar
	if json.Unmarshal(payload, &request) != nil || request.Dir == "" {
		return nil
	}
	return func() {
		dir := inHome(s.login, request.Dir)
		if err := untar.Unpack(dir, s.owner(), s.channel); err != nil {
			s.fail(1, fmt.Errorf("unpack into %s: %w", dir, err))
			return
		}
		s.exit(0)
	}
}

// owner is whose the user's files are: as with programs, the user's where this
// process is root.
func (s *session) owner() untar.Owner {
	if os.Geteuid() != 0 {
		return untar.Owner{UID: os.Geteuid(), GID: os.Getegid()}
	}
	return untar.Owner{UID: int(s.login.UID), GID: int(s.login.GID)}
}

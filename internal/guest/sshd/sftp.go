package sshd

import (
	"io"
	"os"

	"github.com/pkg/sftp"
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

package initramfs

import (
	"embed"
	"errors"
)

// bin holds the agent once make has built it; the pattern is a directory, so
// that the package compiles without it too.
//
//go:embed all:bin
var bin embed.FS

// ErrNoAgent says that banger was built by other means than make.
var ErrNoAgent = errors.New("this banger was built without its guest agent: build it by make build")

func agent() ([]byte, error) {
	program, err := bin.ReadFile("bin/banger-agent")
	if err != nil {
		return nil, ErrNoAgent
	}
	return program, nil
}

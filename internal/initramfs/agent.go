package initramfs

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
)

// bin holds the agent once make has built it; the pattern is a directory, so
// that the package compiles without it too.
//
//go:embed all:bin
var bin embed.FS

// ErrNoAgent says that banger was built by other means than make.
var ErrNoAgent = errors.New("this banger was built without its guest agent: build it by make build")

// agent opens the agent's program and tells its size in bytes.
func agent() (fs.File, int64, error) {
	program, err := bin.Open("bin/banger-agent")
	if err != nil {
		return nil, 0, ErrNoAgent
	}
	info, err := program.Stat()
	if err != nil {
		return nil, 0, err
	}
	return program, info.Size(), nil
}

// AgentDigest is the SHA-256 of the agent's program.
func AgentDigest() (string, error) {
	program, _, err := agent()
	if err != nil {
		return "", err
	}
	defer program.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, program); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

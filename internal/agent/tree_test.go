package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/format/packed"
	"banger/internal/format/tree"
)

// answering is a guest that answers a stream with some bytes, and then as it says.
func answering(answer func(c *link.Channel)) func(net.Conn) {
	return func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		if _, err := link.ReadHeader(reader); err != nil {
			return
		}
		c := link.NewChannel(struct {
			io.Reader
			io.WriteCloser
		}{reader, conn})
		served := make(chan struct{})
		go func() { defer close(served); c.Serve(func(agentapi.Message) {}) }()
		answer(c)
		<-served // when the host has heard enough
		c.Close()
	}
}

func exit(c *link.Channel, status int) {
	c.Send(agentapi.Message{Exit: &status})
}

// packedFile is what a guest answers with where it is asked for a file.
func packedFile(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, bytes.Repeat([]byte("text"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := packed.NewWriter(&out)
	if err := errors.Join(tree.Pack(w, file, tree.PackOptions{}), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestPackTo(t *testing.T) {
	whole := packedFile(t)
	for name, c := range map[string]struct {
		answer func(*link.Channel)
		err    string
	}{
		"whole": {func(c *link.Channel) { c.Writer(link.Stdout).Write(whole); exit(c, 0) }, ""},
		"whole, but it failed": {func(c *link.Channel) {
			c.Writer(link.Stdout).Write(whole)
			io.WriteString(c.Writer(link.Stderr), "x is left out\nbanger: read it: \x1b[2Jgone\n")
			exit(c, 1)
		}, "in the guest: read it"},
		"cut off, and it is said to be well": {func(c *link.Channel) { c.Writer(link.Stdout).Write(whole[:len(whole)/2]); exit(c, 0) }, "was cut off"},
		"without its end":                    {func(c *link.Channel) { c.Writer(link.Stdout).Write(whole[:len(whole)-5]); exit(c, 0) }, "was cut off"},
		"cut off by the link's end":          {func(c *link.Channel) { c.Writer(link.Stdout).Write(whole[:len(whole)/2]); c.Close() }, "was lost"},
		"nothing":                            {func(c *link.Channel) { exit(c, 0) }, "was cut off"},
		"refused":                            {func(c *link.Channel) { c.Send(agentapi.Message{Refused: "no such kind"}) }, "no such kind"},
		"damaged":                            {func(c *link.Channel) { c.Writer(link.Stdout).Write(bytes.Repeat([]byte("x"), 1000)); exit(c, 0) }, "damaged"},
		"without end": {func(c *link.Channel) {
			for {
				if _, err := c.Writer(link.Stdout).Write(whole[:len(whole)-5]); err != nil {
					return
				}
			}
		}, "the tar does not end"},
	} {
		t.Run(name, func(t *testing.T) {
			target := filepath.Join(t.TempDir(), "new")
			_, err := fake(t, answering(c.answer)).PackTo(t.Context(), "/f", false, func(r io.Reader) error {
				return tree.Unpack(r, tree.Target{Path: target}, tree.UnpackOptions{Guarded: true})
			})
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("the error is %v, want %q", err, c.err)
			}
			if info, err := os.Stat(target); err == nil && info.Size() != 400_000 {
				t.Errorf("there are %d bytes", info.Size())
			}
		})
	}
}

// ^C ends a copy whatever the guest does, and leaves nothing of a file.
func TestPackToInterrupted(t *testing.T) {
	whole := packedFile(t)
	ctx, cancel := context.WithCancel(t.Context())
	client := fake(t, answering(func(c *link.Channel) {
		c.Writer(link.Stdout).Write(whole[:len(whole)/2])
		cancel()
	}))
	dir := t.TempDir()
	_, err := client.PackTo(ctx, "/f", false, func(r io.Reader) error {
		return tree.Unpack(r, tree.Target{Path: filepath.Join(dir, "new")}, tree.UnpackOptions{Guarded: true})
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("there are %v", entries)
	}
}

// A guest that takes nothing, or fails early, ends a copy into it.
func TestUnpackFrom(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(*link.Channel)
		err    string
	}{
		"it fails at once": {func(c *link.Channel) {
			io.WriteString(c.Writer(link.Stderr), "banger: no space left on device\n")
			exit(c, 1)
		}, "in the guest: no space left"},
		"it is lost": {func(c *link.Channel) { c.Reader(link.Stdin).Read(make([]byte, 10)); c.Close() }, "was lost"},
		"it takes all": {func(c *link.Channel) {
			io.Copy(io.Discard, c.Reader(link.Stdin))
			exit(c, 0)
		}, ""},
	} {
		_, err := fake(t, answering(c.answer)).UnpackFrom(t.Context(), func(w io.Writer) error {
			_, err := io.CopyN(w, endlessZeros{}, 50<<20)
			return err
		}, Target{})
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: the error is %v, want %q", name, err, c.err)
		}
	}
}

type endlessZeros struct{}

func (endlessZeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

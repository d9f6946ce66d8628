package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// guestHome is a home with the fixtures' kernel and image.
func (s *soak) guestHome() (*home, func(), error) {
	h, remove, err := s.newHome("")
	if err != nil {
		return nil, nil, err
	}
	for _, kind := range []string{"kernels", "images"} {
		from := filepath.Join(s.fixtures, ".local/state/banger", kind, "debian")
		err = errors.Join(err, os.MkdirAll(h.state(kind), 0o700))
		if out, failed := exec.Command("cp", "-a", "--link", from, h.state(kind)).CombinedOutput(); failed != nil {
			err = errors.Join(err, skipped{"no kernel and image to boot: " + string(out)})
		}
	}
	if err == nil {
		err = h.makePlain()
	}
	if err != nil {
		remove()
		return nil, nil, err
	}
	return h, func() {
		for _, name := range []string{"box", "copy", steady} {
			h.run("vm", "rm", "--force", name)
		}
		remove()
	}, nil
}

// plain is the image debian under another name, and of another distribution: what is
// built of it gets no packages, which a network would have to be fast for.
const plain = "plain"

func (h *home) makePlain() error {
	text, err := os.ReadFile(h.state("images", "debian", "manifest.json"))
	if err != nil {
		return err
	}
	was, is := []byte(`"distro": "debian"`), []byte(`"distro": "`+plain+`"`)
	if !bytes.Contains(text, was) {
		return fmt.Errorf("the image debian is of another distribution: %s", text)
	}
	text = bytes.Replace(text, was, is, 1)
	text = bytes.Replace(text, []byte(`"name": "debian"`), []byte(`"name": "`+plain+`"`), 1)
	return errors.Join(os.Mkdir(h.state("images", plain), 0o700),
		os.Link(h.state("images", "debian", "rootfs.ext4"), h.state("images", plain, "rootfs.ext4")),
		os.WriteFile(h.state("images", plain, "manifest.json"), text, 0o600))
}

// steady is the VM that lives all the time.
const steady = "steady"

// bootArgs begin a run on a small VM.
func bootArgs(args ...string) []string {
	return append([]string{"vm", "run", "--image", "debian", "--memory", "256M"}, args...)
}

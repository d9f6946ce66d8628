package engine

import (
	"errors"
	"testing"

	"banger/internal/imagemgr"
	"banger/internal/vm"
)

// A VM's disk is never put beside another image than its own.
func TestImageOf(t *testing.T) {
	e := newEngine(t)
	addImage(t, e, imagemgr.Image{Name: "i", Digest: "sha256:1"})
	for digest, want := range map[string]bool{"sha256:1": true, "sha256:2": false, "": false} {
		i, err := e.imageOf(vm.VM{Name: "box", Image: "i", ImageDigest: digest})
		if ok := err == nil && i.Name == "i"; ok != want {
			t.Errorf("%q: %+v, %v", digest, i, err)
		}
		if refused := new(*ImageError); err != nil && (!errors.As(err, refused) || (*refused).Digest != digest) {
			t.Errorf("%q: %v", digest, err)
		}
	}
}

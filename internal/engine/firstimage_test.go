package engine

import (
	"context"
	"errors"
	"testing"

	"banger/internal/imagemgr"
	"banger/internal/kernel"
)

// Only the configured image is ever made, and only where the user agrees.
func TestFirstImage(t *testing.T) {
	no := errors.New("no")
	refuse := func(context.Context, FirstImage) error { return no }
	for _, tt := range []struct {
		name, configured, asked string
		agree                   Agree
		want                    func(error) bool
	}{
		{"nobody to ask", "debian-bookworm", "", nil, isA[*NotAgreedError]},
		{"refused", "debian-bookworm", "", refuse, func(err error) bool { return errors.Is(err, no) }},
		{"another distribution", "mine", "", refuse, isA[*imagemgr.NotFoundError]},
		{"named by the user", "debian-bookworm", "debian-bookworm", refuse, isA[*imagemgr.NotFoundError]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine(t)
			e.Config.Image = tt.configured
			o := e.VMDefaults()
			o.Image = tt.asked
			if _, err := e.CreateVM(t.Context(), o, tt.agree, nil); !tt.want(err) {
				t.Errorf("got %v", err)
			}
			if images, err := e.ListImages(); err != nil || len(images) > 0 {
				t.Errorf("there are %v, %v", images, err)
			}
		})
	}
}

func isA[E error](err error) bool {
	_, is := errors.AsType[E](err)
	return is
}

func TestFirstImageThatIsThere(t *testing.T) {
	e := newEngine(t)
	addKernel(t, e, "k")
	addImage(t, e, imagemgr.Image{Name: e.Config.Image, KernelRef: "k"})
	v, err := e.CreateVM(t.Context(), e.VMDefaults(), nil, nil)
	if err != nil || v.Image != e.Config.Image {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestChooseKernel(t *testing.T) {
	e := newEngine(t)
	var which *WhichKernelError
	if _, err := e.chooseKernel(""); !errors.As(err, &which) || !which.None {
		t.Errorf("of none: got %v", err)
	}
	addKernel(t, e, "one")
	if got, err := e.chooseKernel(""); err != nil || got != "one" {
		t.Errorf("of one: got %q, %v", got, err)
	}
	addKernel(t, e, "two")
	if _, err := e.chooseKernel(""); !errors.As(err, &which) || which.None {
		t.Errorf("of two: got %v", err)
	}
	e.Config.Kernel = "two"
	if got, err := e.chooseKernel(""); err != nil || got != "two" {
		t.Errorf("configured: got %q, %v", got, err)
	}
	if _, err := e.chooseKernel("three"); !isA[*kernel.NotFoundError](err) {
		t.Errorf("absent: got %v", err)
	}
}

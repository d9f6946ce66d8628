package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"

	"banger/internal/agent"
	"banger/internal/imagemgr"
	"banger/internal/vm"
)

// What is asked for outranks what a container's image says, and a variable that
// an image only names gets no value.
func TestProgramInContainer(t *testing.T) {
	image := &imagemgr.Config{
		User: "app", WorkingDir: "/srv", Entrypoint: []string{"serve"}, Cmd: []string{"-v"},
		Env: []string{"SECRET", "=", "=x", "A=image", "EMPTY="},
	}
	env := []string{"A=image", "EMPTY="}
	for _, tt := range []struct {
		name        string
		image       *imagemgr.Config
		given, want Program
	}{
		{"no container", nil, Program{}, Program{User: "root"}},
		{"nothing asked for", image, Program{}, Program{User: "app", Dir: "/srv", makeDir: true, Env: env, Argv: []string{"serve", "-v"}, first: true}},
		{"all asked for", image,
			Program{User: "root", Dir: "x", Env: []string{"B=flag"}, Argv: []string{"true"}},
			Program{User: "root", Dir: "x", Env: []string{"A=image", "EMPTY=", "B=flag"}, Argv: []string{"true"}}},
		{"a line", image, Program{Line: "ls"}, Program{User: "app", Dir: "/srv", makeDir: true, Env: env, Line: "ls"}},
		{"an empty image", &imagemgr.Config{}, Program{}, Program{User: "root", Dir: "/"}},
		{"a relative directory", &imagemgr.Config{WorkingDir: "srv/../app/"}, Program{}, Program{User: "root", Dir: "/app", makeDir: true}},
	} {
		got := tt.given.in(tt.image).orEntrypoint(tt.image)
		if len(got.Env) == 0 {
			got.Env = nil
		}
		if len(got.Argv) == 0 {
			got.Argv = nil
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}

// Only a guest without an init is a container, and one whose image is gone is
// none.
func TestContainer(t *testing.T) {
	e := newEngine(t)
	addImage(t, e, imagemgr.Image{Name: "image", Config: &imagemgr.Config{User: "app", Env: []string{"A=image"}}})
	for _, tt := range []struct {
		vm, image string
		guest     *vm.Guest
		want      bool
	}{
		{"never-started", "image", nil, false},
		{"systemd", "image", &vm.Guest{Init: "/sbin/init"}, false},
		{"bare", "image", &vm.Guest{}, true},
		{"orphan", "gone", &vm.Guest{}, false},
	} {
		addVM(t, e, vm.VM{Name: tt.vm, Image: tt.image})
		v, err := e.VM(tt.vm)
		if err != nil {
			t.Fatal(err)
		}
		v.State.Guest = tt.guest
		if err := e.vms.Save(v); err != nil {
			t.Fatal(err)
		}
		c, err := e.container(tt.vm)
		if err != nil || (c != nil) != tt.want {
			t.Errorf("%s: got %v, %v", tt.vm, c, err)
		}
		if want := []string{containerPath, "HOSTNAME=" + tt.vm, "A=image"}; c != nil && !slices.Equal(c.Env, want) {
			t.Errorf("%s: the environment is %q", tt.vm, c.Env)
		}
	}
}

// fakeGuest is a guest that runs nothing.
type fakeGuest struct {
	ran []agent.Program
	err error
}

func (g *fakeGuest) Run(_ context.Context, p agent.Program, streams agent.Streams) (int, error) {
	g.ran = append(g.ran, p)
	fmt.Fprint(streams.Stdout, "output")
	fmt.Fprint(streams.Stderr, "errors")
	return 7, g.err
}

// What a program is joined to is let go of, however it ends.
func TestAttach(t *testing.T) {
	lost := errors.New("lost")
	for _, tt := range []struct {
		name     string
		opens    error
		runs     error
		detached int
	}{
		{"ends", nil, nil, 1},
		{"lost", nil, lost, 1},
		{"does not open", lost, nil, 0},
	} {
		g, detached := &fakeGuest{err: tt.runs}, 0
		var out bytes.Buffer
		p := Program{Argv: []string{"true"}, Attach: func() (Attachment, error) {
			return Attachment{Stdout: &out, Stderr: io.Discard, Detach: func() { detached++ }}, tt.opens
		}}
		status, err := p.run(t.Context(), g)
		if want := cmp.Or(tt.opens, tt.runs); !errors.Is(err, want) || detached != tt.detached {
			t.Errorf("%s: got %d, %v, detached %d times", tt.name, status, err, detached)
		}
		if ran := len(g.ran) == 1 && out.String() == "output"; ran != (tt.opens == nil) {
			t.Errorf("%s: ran %v", tt.name, g.ran)
		}
	}
	if status, err := (Program{Line: "exit 7"}).run(t.Context(), &fakeGuest{}); status != 7 || err != nil {
		t.Errorf("unattached: got %d, %v", status, err)
	}
}

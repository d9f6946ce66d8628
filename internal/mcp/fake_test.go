package mcp

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// fakeHost has sandboxes that are directories of this machine.
type fakeHost struct {
	t      *testing.T
	mu     sync.Mutex
	opened []*fakeBox
	fail   error
}

func (h *fakeHost) open(_ context.Context, say func(string)) (box, error) {
	say("booting")
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return nil, h.fail
	}
	b := &fakeBox{id: "box-" + string(rune('a'+len(h.opened))), dir: h.t.TempDir(), is: "running"}
	h.opened = append(h.opened, b)
	return b, nil
}

// goOn makes a copy of a snapshot, which is a directory.
func (h *fakeHost) goOn(ctx context.Context, snapshot string, say func(string)) (box, error) {
	b, err := h.open(ctx, say)
	if err != nil {
		return nil, err
	}
	return b, os.CopyFS(b.(*fakeBox).dir, os.DirFS(snapshot))
}

func (h *fakeHost) forget(snapshot string) error { return os.RemoveAll(snapshot) }

func (h *fakeHost) find(name string) (box, error) {
	return &fakeBox{id: name, dir: h.t.TempDir(), is: "running"}, nil
}

type fakeBox struct {
	id, dir string

	mu     sync.Mutex
	is     string // "" is gone
	closed int
	saved  int
	copied []string
}

func (b *fakeBox) name() string { return b.id }

func (b *fakeBox) phase() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.is == "" {
		return "", errGone
	}
	return b.is, nil
}

func (b *fakeBox) run(ctx context.Context, p program) (int, error) {
	cmd := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	cmd.Dir = filepath.Join(b.dir, p.dir)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, p.stdout, p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return exit.ExitCode(), nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return 0, err
}

func (b *fakeBox) copyIn(_ context.Context, from, to string) error {
	b.copied = append(b.copied, from+" "+to)
	return os.Mkdir(filepath.Join(b.dir, to), 0o755)
}

func (b *fakeBox) forward(ctx context.Context, port uint16, opened func(string)) error {
	if port == 1 {
		return errors.New("refused")
	}
	opened("127.0.0.1:4000")
	<-ctx.Done()
	return nil
}

func (b *fakeBox) log(_ context.Context, console bool, to io.Writer) error {
	if !console {
		return nil
	}
	_, err := io.WriteString(to, "Linux\x1b[2J\xff\n"+strings.Repeat("x", 1<<20)+"\nlogin:")
	return err
}

func (b *fakeBox) set(phase string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.is = phase
	return nil
}

func (b *fakeBox) snapshot(context.Context) (string, error) {
	b.mu.Lock()
	b.saved++
	b.mu.Unlock()
	dir, err := os.MkdirTemp(filepath.Dir(b.dir), "snapshot")
	if err != nil {
		return "", err
	}
	return dir, os.CopyFS(dir, os.DirFS(b.dir))
}

func (b *fakeBox) start(context.Context) error  { return b.set("running") }
func (b *fakeBox) stop(context.Context) error   { return b.set("") }
func (b *fakeBox) remove(context.Context) error { return b.set("") }

func (b *fakeBox) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
	return nil
}

// session is a client of a server whose sandboxes are fake.
type session struct {
	t      *testing.T
	host   *fakeHost
	desk   *desk
	client *sdk.ClientSession
}

func newSession(t *testing.T, s settings, o *sdk.ClientOptions) *session {
	t.Helper()
	if s.max == 0 {
		s.max = 2
	}
	h := &fakeHost{t: t}
	d := newDesk(h, s)
	ours, theirs := sdk.NewInMemoryTransports()
	if _, err := newServer(d).Connect(t.Context(), theirs, nil); err != nil {
		t.Fatal(err)
	}
	c, err := sdk.NewClient(&sdk.Implementation{Name: "test"}, o).Connect(t.Context(), ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		d.close()
	})
	return &session{t, h, d, c}
}

// args are a call's arguments.
type args = map[string]any

func (s *session) call(tool string, a args) (text string, failed bool) {
	s.t.Helper()
	r, err := s.client.CallTool(s.t.Context(), &sdk.CallToolParams{Name: tool, Arguments: a})
	if err != nil {
		s.t.Fatalf("%s %v: %v", tool, a, err)
	}
	return r.Content[0].(*sdk.TextContent).Text, r.IsError
}

// ok is call for what has to succeed and say text.
func (s *session) ok(text, tool string, a args) string {
	s.t.Helper()
	got, failed := s.call(tool, a)
	if failed || !strings.Contains(got, text) {
		s.t.Errorf("%s %v: got %.300q (failed: %v), want %q", tool, a, got, failed, text)
	}
	return got
}

// fails is call for what has to fail and say text.
func (s *session) fails(text, tool string, a args) {
	s.t.Helper()
	if got, failed := s.call(tool, a); !failed || !strings.Contains(got, text) {
		s.t.Errorf("%s %v: got %.300q (failed: %v), want %q", tool, a, got, failed, text)
	}
}

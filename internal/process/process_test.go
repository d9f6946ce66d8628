package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRunPassesStreamsAndFiles(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out, errOut bytes.Buffer
	err = Run(context.Background(), Cmd{
		Args:   []string{"sh", "-c", "cat; echo err >&2; echo three >&3"},
		Stdin:  strings.NewReader("in"),
		Stdout: &out,
		Stderr: &errOut,
		Files:  []*os.File{w},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	third := make([]byte, 16)
	n, _ := r.Read(third)
	if out.String() != "in" || errOut.String() != "err\n" || string(third[:n]) != "three\n" {
		t.Errorf("got %q, %q, %q", out.String(), errOut.String(), third[:n])
	}
}

func TestErrors(t *testing.T) {
	_, err := Output(context.Background(), "sh", "-c", "echo first >&2; echo 'the reason' >&2; exit 3")
	var fault *Error
	if !errors.As(err, &fault) || fault.Status != "exit status 3" || fault.Error() != "sh: the reason" {
		t.Errorf("got %v", err)
	}
	_, err = Output(context.Background(), "banger-no-such-program")
	var missing *NotFoundError
	if !errors.As(err, &missing) || missing.Program != "banger-no-such-program" {
		t.Errorf("got %v", err)
	}
	if _, err := Start(context.Background(), Cmd{Args: []string{"/dev/null"}}); err == nil {
		t.Error("started what is no program")
	}
	if _, err := Start(context.Background(), Cmd{Args: []string{"sh"}, Dir: "/no/such/dir"}); err == nil {
		t.Error("started in a directory that is not there")
	}
}

func TestRunStopsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		r.Read(make([]byte, 1)) // it runs
		cancel()
	}()
	err = Run(ctx, Cmd{Args: []string{"sh", "-c", "echo up >&3; exec sleep 1000"}, Files: []*os.File{w}})
	w.Close()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestChildKillAndWait(t *testing.T) {
	child, err := Start(context.Background(), Cmd{Args: []string{"sleep", "1000"}})
	if err != nil {
		t.Fatal(err)
	}
	child.Kill()
	var fault *Error
	for range 2 { // the same each time
		if err := child.Wait(); !errors.As(err, &fault) || fault.Status != "signal: killed" {
			t.Errorf("got %v", err)
		}
	}
	child.Kill() // an ended child is left alone
}

// The test's executable, run again, starts a child and is then killed.
func TestChildDiesWithParent(t *testing.T) {
	if os.Getenv("BANGER_TEST_PARENT") != "" {
		child, err := Start(context.Background(), Cmd{Args: []string{"sleep", "1000"}})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("pid " + strconv.Itoa(child.PID()) + "\n")
		select {}
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithParent$")
	parent.Env = append(os.Environ(), "BANGER_TEST_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, _ := out.Read(buf)
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(buf[:n]), "pid ")))
	if err != nil {
		t.Fatalf("the parent said %q", buf[:n])
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	parent.Process.Kill()
	parent.Wait()
	// The descriptor becomes readable when the child has ended.
	events := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(events, 10_000); n != 1 {
		t.Errorf("the child outlived its parent: %v", err)
	}
}

func TestStartDetached(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	ended, err := StartDetached(Cmd{Args: []string{"sh", "-c", "echo $$; ps -o sid= -p $$"}, Stdout: f, Stderr: f})
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	<-ended
	said, _ := os.ReadFile(out)
	if f := strings.Fields(string(said)); len(f) != 2 || f[0] != f[1] {
		t.Errorf("its number and its session are %q", f)
	}
}

// What this process was given by its own parent, its children do not get.
func TestCloseOnExec(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETFD, 0); err != nil { // as an inherited one is
		t.Fatal(err)
	}
	if err := CloseOnExec(); err != nil {
		t.Fatal(err)
	}
	out, err := Output(t.Context(), "ls", descriptors)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(string(out)), " "); got != "0 1 2 3" { // the last is the directory
		t.Errorf("the child has %s", got)
	}
}

func TestLookPathFindsWhatIsNotOnPath(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, err := LookPath("ldconfig"); err != nil || !strings.HasSuffix(path, "sbin/ldconfig") {
		t.Errorf("got %q, %v", path, err)
	}
	if _, err := LookPath("sh"); err == nil {
		t.Error("found what only PATH should give")
	}
}

func TestLastLines(t *testing.T) {
	var tail lastLines
	for _, text := range []string{strings.Repeat("x", 2*tailSize), "\nlast", " words\n\n"} {
		tail.Write([]byte(text))
	}
	if got := tail.String(); got != "last words" {
		t.Errorf("got %q", got)
	}
	if len(tail.buf) > tailSize {
		t.Errorf("keeps %d bytes", len(tail.buf))
	}
}

func TestLastLinesThatAreOne(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"a\nb  c\n":                  "b  c",
		"a\nfound:\n\tb\n\n\t c\n\n": "found: b c",
		"  a\n\tb":                   "a b",
	} {
		if got := (&lastLines{[]byte(text)}).String(); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

// A program that cleans up is told to end with its children, and then left to
// itself.
func TestRunCleansUp(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ready := writerFunc(func([]byte) { cancel() })
	script := `trap 'wait; echo cleaned up >&3; exit 1' TERM
sh -c 'echo ready; exec sleep 1000' & wait`
	err = Run(ctx, Cmd{Args: []string{"sh", "-c", script}, Stdout: ready, Files: []*os.File{w}, CleansUp: true})
	w.Close()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if said, err := io.ReadAll(r); err != nil || string(said) != "cleaned up\n" {
		t.Errorf("it said %q, %v", said, err)
	}
	err = Run(context.Background(), Cmd{Args: []string{"sh", "-c", "echo why >&2; exit 1"}, CleansUp: true})
	if err == nil || err.Error() != "sh: why" {
		t.Errorf("got %v", err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

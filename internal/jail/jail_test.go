package jail

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"banger/internal/process"
)

// jailed makes the test's program the command that calls Main.
const jailed = "jail"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == jailed {
		fmt.Fprintln(os.Stderr, Main(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var command = []string{os.Args[0], jailed}

// need skips where this host makes no jails.
func need(t *testing.T) {
	t.Helper()
	if err := Try(t.Context(), command); err != nil {
		t.Skip(err)
	}
}

// run runs a shell script in a jail, and returns what it printed.
func run(t *testing.T, script string, writable ...string) (string, *Cable) {
	t.Helper()
	var out bytes.Buffer
	o := Options{MTU: 9000, Writable: writable, Argv: []string{"/bin/sh", "-c", script}}
	child, cable, err := Start(t.Context(), command, o, process.Cmd{Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cable.Close() })
	child.Wait()
	return out.String(), cable
}

func TestWhatIsInside(t *testing.T) {
	need(t)
	out, _ := run(t, `env; grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs):' /proc/self/status
cat /proc/net/dev | grep -o '[a-z0-9]*:'; cat /sys/class/net/tap0/mtu 2>/dev/null; echo; ls -l /proc/self/fd | grep -c socket`)
	for _, line := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if !strings.Contains(out, line+":\t0000000000000000\n") {
			t.Errorf("%s is not empty", line)
		}
	}
	if !strings.Contains(out, "NoNewPrivs:\t1") || !strings.Contains(out, "tap0:") || strings.Contains(out, "eth0:") || !strings.HasSuffix(out, "\n0\n") {
		t.Errorf("inside there is %q", out)
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestFiles(t *testing.T) {
	need(t)
	if !HasLandlock() {
		t.Skip("needs a kernel with Landlock")
	}
	dir, other := t.TempDir(), t.TempDir()
	file := filepath.Join(other, "file")
	if err := os.WriteFile(file, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`cd %s; echo new > new && rm new && echo made; cat %s; echo x > %[2]s; echo x > %s/other; rm %[2]s`, dir, file, other)
	out, _ := run(t, script, dir)
	if !strings.HasPrefix(out, "made\nold\n") || strings.Count(out, "ermission denied") < 3 {
		t.Errorf("got %q", out)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "old\n" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if out, _ := run(t, script, dir, file); !strings.Contains(out, "made\nold\n") || strings.Count(out, "ermission denied") != 2 {
		t.Errorf("with the file writable: got %q", out)
	}
}

// What is sent over the cable is what a TAP's user reads, and the reverse.
func TestCable(t *testing.T) {
	need(t)
	tap, cable := tapInside(t)
	frame := append([]byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x88\xb5"), bytes.Repeat([]byte("x"), 8000)...)
	header := make([]byte, 10) // virtio_net_hdr: nothing is offloaded
	if _, err := tap.Write(slices.Concat(header, frame)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1<<16)
	n, err := cable.Read(got)
	if err != nil || !bytes.Equal(got[:n], frame) {
		t.Errorf("%d of %d bytes came out: %v", n, len(frame), err)
	}
	if _, err := cable.Write(frame); err != nil {
		t.Fatal(err)
	}
	n, err = tap.Read(got)
	if err != nil || n < len(header) || !bytes.Equal(got[len(header):n], frame) {
		t.Errorf("%d of %d bytes went in: %v", n, len(frame), err)
	}
}

// More frames than the ring has slots come out, in their order.
func TestCableGoesRound(t *testing.T) {
	need(t)
	tap, cable := tapInside(t)
	got := make([]byte, 1<<16)
	for i := range 5 * slots {
		frame := fmt.Appendf(make([]byte, 10), "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x88\xb5%046d", i)
		if _, err := tap.Write(frame); err != nil {
			t.Fatal(err)
		}
		if i%7 != 6 {
			continue
		}
		for j := i - 6; j <= i; j++ {
			n, err := cable.Read(got)
			if err != nil || !strings.HasSuffix(string(got[:n]), fmt.Sprintf("%046d", j)) {
				t.Fatalf("frame %d is %q, %v", j, got[:n], err)
			}
		}
	}
}

func TestCloseEndsRead(t *testing.T) {
	need(t)
	_, cable := run(t, "true")
	ended := make(chan error)
	go func() {
		_, err := cable.Read(make([]byte, 100))
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond) // it may as well close before
	cable.Close()
	if err := <-ended; err == nil {
		t.Error("Read returned a frame")
	}
	if cable.Close() == nil {
		t.Error("closed twice")
	}
}

func TestStartFails(t *testing.T) {
	need(t)
	_, _, err := Start(t.Context(), command, Options{MTU: 1 << 20, Argv: []string{"/bin/true"}}, process.Cmd{})
	var failure *process.Error
	if !errors.As(err, &failure) || !strings.Contains(failure.Stderr, "MTU") {
		t.Errorf("got %v", err)
	}
	_, _, err = Start(t.Context(), []string{"/bin/false"}, Options{Argv: []string{"/bin/true"}}, process.Cmd{})
	if !errors.As(err, &failure) {
		t.Errorf("got %v", err)
	}
	if err := Try(t.Context(), []string{"/bin/sh", "-c", "echo not here >&2; exit 1"}); !errors.As(err, new(*RefusedError)) {
		t.Errorf("got %v", err)
	}
}

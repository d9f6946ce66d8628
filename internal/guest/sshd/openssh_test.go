package sshd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/net/proxy"
)

// openSSH runs programs of OpenSSH against a server.
type openSSH struct {
	t       *testing.T
	options []string
	host    string
}

func newOpenSSH(t *testing.T) *openSSH {
	t.Helper()
	for _, program := range []string{"ssh", "sftp"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s of openssh-client", program)
		}
	}
	f := serve(t)
	host, port, err := net.SplitHostPort(f.addr)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	identity, known := filepath.Join(dir, "identity"), filepath.Join(dir, "known")
	hostLine := fmt.Sprintf("[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(f.hostKey))
	for path, data := range map[string][]byte{identity: f.clientPEM, known: []byte(hostLine)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &openSSH{t, []string{
		"-F", "none", "-i", identity, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + known, "-o", "Port=" + port, "-o", "User=" + f.user,
	}, host}
}

// run runs program with stdin and its own arguments before and after the host.
func (o *openSSH) run(program, stdin string, before, after []string) result {
	o.t.Helper()
	args := append(append([]string{}, o.options...), before...)
	cmd := exec.CommandContext(o.t.Context(), program, append(append(args, o.host), after...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		r.status = exit.ExitCode()
	} else if err != nil {
		o.t.Fatal(err)
	}
	return r
}

func TestOpenSSHExec(t *testing.T) {
	o := newOpenSSH(t)
	for _, tt := range []struct {
		stdin, command string
		options        []string
		want           result
	}{
		{"in\x00\xff", "cat; echo err >&2; exit 5", nil, result{"in\x00\xff", "err\n", 5}},
		{"echo from a login shell\nexit 2\n", "", []string{"-T"}, result{"from a login shell\n", "", 2}},
		{"", "tty >/dev/null && echo $TERM", []string{"-tt"}, result{"banger-term\r\n", "", 0}},
		{"", "test $SSH_TTY = $(tty) && echo $SSH_CLIENT | cut -d' ' -f1", []string{"-tt"}, result{"127.0.0.1\r\n", "", 0}},
		{"", "echo $SSH_CONNECTION | cut -d' ' -f1,3; echo $SSH_TTY", nil, result{"127.0.0.1 127.0.0.1\n\n", "", 0}},
		{"", "echo $LC_BANGER", []string{"-o", "SetEnv=LC_BANGER=passed"}, result{"passed\n", "", 0}},
	} {
		t.Setenv("TERM", "banger-term")
		var after []string
		if tt.command != "" {
			after = []string{tt.command}
		}
		got := o.run("ssh", tt.stdin, tt.options, after)
		got.stderr = strings.ReplaceAll(got.stderr, "Connection to "+o.host+" closed.\r\n", "")
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.command, got, tt.want)
		}
	}
}

// A program ends whose output nobody reads, as behind a pipe.
func TestOpenSSHReaderLeaves(t *testing.T) {
	o := newOpenSSH(t)
	cmd := exec.CommandContext(t.Context(), "ssh", append(o.options, o.host, "yes")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	cmd.Wait() // for ever, unless yes ends
	if cmd.ProcessState.Success() {
		t.Error("yes ended well")
	}
}

func TestOpenSSHFiles(t *testing.T) {
	o := newOpenSSH(t)
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	text := strings.Repeat("all of it\n", 10000)
	if err := os.WriteFile(from, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	got := o.run("sftp", fmt.Sprintf("put -p %s %s\nls %s\n", from, to, to), []string{"-b", "-"}, nil)
	if got.status != 0 {
		t.Fatalf("got %+v", got)
	}
	if copied, err := os.ReadFile(to); string(copied) != text || err != nil {
		t.Errorf("got %d bytes, %v", len(copied), err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode() != 0o640 {
		t.Errorf("got %v, %v", info, err)
	}
}

// Both directions of forwarding meet in one command: it dials a port of the
// guest's that leads to the client and on to a server of the test's.
func TestOpenSSHForwards(t *testing.T) {
	o := newOpenSSH(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go echo(t, listener)
	remote := unusedAddress(t)
	dial := fmt.Sprintf("ssh %s -W %s %s", strings.Join(o.options, " "), remote, o.host)
	got := o.run("ssh", "there and back", []string{"-o", "ExitOnForwardFailure=yes", "-R", remote + ":" + listener.Addr().String()}, []string{dial})
	if want := (result{stdout: "there and back"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// One connection is kept by its master, and forwards come and go on it: to ports and
// sockets, both ways, and by SOCKS.
func TestOpenSSHSharesAConnection(t *testing.T) {
	o := newOpenSSH(t)
	dir, err := os.MkdirTemp("", "") //nolint:usetesting // short: sockets' paths have a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	control := filepath.Join(dir, "control")
	o.options = append(o.options, "-o", "ControlMaster=auto", "-o", "ControlPath="+control, "-o", "ControlPersist=600", "-o", "LogLevel=ERROR")
	if got, want := o.run("ssh", "", nil, []string{"echo kept"}), (result{stdout: "kept\n"}); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	defer o.run("ssh", "", []string{"-q", "-O", "exit"}, nil)

	server, err := net.Listen("unix", filepath.Join(dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	one, two, socks := filepath.Join(dir, "one"), filepath.Join(dir, "two"), unusedAddress(t)
	for _, forward := range [][]string{{"-R", one + ":" + server.Addr().String()}, {"-L", two + ":" + one}, {"-D", socks}} {
		if got := o.run("ssh", "", append([]string{"-O", "forward"}, forward...), nil); got != (result{}) {
			t.Fatalf("%q: %+v", forward, got)
		}
	}
	go echo(t, server)
	conn, err := net.Dial("unix", two)
	if err != nil {
		t.Fatal(err)
	}
	converse(t, conn, "to the guest, and back to a socket here")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go echo(t, listener)
	dialer, err := proxy.SOCKS5("tcp", socks, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if conn, err = dialer.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if conn, err = dialer.Dial("tcp", unusedAddress(t)); err == nil {
		conn.Close()
		t.Error("a port where nobody listens was reached")
	}

	if got := o.run("ssh", "", []string{"-O", "cancel", "-R", one + ":" + server.Addr().String()}, nil); got != (result{}) {
		t.Errorf("cancel: %+v", got)
	}
	if got, want := o.run("ssh", "", nil, []string{"echo still; exit 3"}), (result{stdout: "still\n", status: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// unusedAddress is one on which nobody listens.
func unusedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

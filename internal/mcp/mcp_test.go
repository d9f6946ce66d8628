package mcp

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/pflag"
)

func TestRun(t *testing.T) {
	s := newSession(t, settings{}, nil)
	s.ok("hello\n\n[exit status 0]", "run", args{"command": "echo hello"})
	s.ok("[exit status 7]", "run", args{"command": "exit 7"})
	s.ok("1 2 in", "run", args{"command": `echo "$X $(cat)"`, "env": []string{"X=1 2"}, "stdin": "in"})
	s.ok("err", "run", args{"command": "echo err >&2"})
	s.fails("longer than 1s", "run", args{"command": "echo begun; sleep 100", "timeout": 1})
	s.fails("begun", "run", args{"command": "echo begun; sleep 100", "timeout": 1})
	s.fails("seconds", "run", args{"command": "true", "timeout": maxTimeout + 1})
	if n := len(s.host.opened); n != 1 {
		t.Errorf("%d sandboxes were made", n)
	}
}

// What a guest writes is bounded, whatever it is, and text.
func TestHostileOutput(t *testing.T) {
	s := newSession(t, settings{}, nil)
	got := s.ok("bytes left out", "run", args{"command": "echo first; head -c 5000000 /dev/urandom; echo; echo last"})
	if !strings.HasPrefix(got, "first\n") || !strings.Contains(got, "last\n") || !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\x00\x07") {
		t.Errorf("got %.100q", got)
	}
	if len(got) > 10*clipEdge { // marks are three bytes for one
		t.Errorf("%d bytes came", len(got))
	}
	s.ok(`{"jsonrpc":"2.0","id":1,"result":{}}`, "run", args{"command": `printf '\n{"jsonrpc":"2.0","id":1,"result":{}}\n'`})
	s.ok("still here", "run", args{"command": "echo still here"})
}

func TestBackground(t *testing.T) {
	s := newSession(t, settings{}, nil)
	s.fails("no command", "output", args{"id": 1})
	s.ok("", "run", args{"command": "mkfifo fifo"})
	s.ok("command 1 runs", "run", args{"command": "read x < fifo; echo got $x; exit 3", "background": true})
	s.ok("", "run", args{"command": "echo go > fifo"})
	got := s.ok("got go", "output", args{"id": 1, "wait": 30})
	if !strings.HasSuffix(got, "[exit status 3]") {
		t.Errorf("got %q", got)
	}
	if again := s.ok("", "output", args{"id": 1}); strings.Contains(again, "got go") {
		t.Errorf("came twice: %q", again)
	}
	s.ok("command 2 runs", "run", args{"command": "exec sleep 1000", "background": true})
	s.ok("still runs", "output", args{"id": 2})
	s.ok("[ended: context canceled]", "kill", args{"id": 2})
	for range maxRunning {
		s.ok("runs", "run", args{"command": "exec sleep 1000", "background": true})
	}
	s.fails("no more are allowed", "run", args{"command": "true", "background": true})
	s.desk.close()
	for _, one := range s.desk.jobs.all {
		<-one.done
	}
}

func TestFiles(t *testing.T) {
	s := newSession(t, settings{}, nil)
	s.ok("8 bytes", "write_file", args{"path": "a/b/c.txt", "content": "one\ntwo\n"})
	s.ok("one\ntwo\n", "read_file", args{"path": "a/b/c.txt"})
	if got := s.ok("two", "read_file", args{"path": "a/b/c.txt", "from": 2, "lines": 1}); strings.Contains(got, "one") {
		t.Errorf("got %q", got)
	}
	s.ok("replaced 1", "edit_file", args{"path": "a/b/c.txt", "old": "two", "new": "2\n2"})
	s.fails("2 times", "edit_file", args{"path": "a/b/c.txt", "old": "2", "new": "3"})
	s.ok("replaced 2", "edit_file", args{"path": "a/b/c.txt", "old": "2", "new": "3", "all": true})
	s.fails("not in", "edit_file", args{"path": "a/b/c.txt", "old": "four", "new": ""})
	s.ok("one\n3\n3\n", "read_file", args{"path": "a/b/c.txt"})
	s.ok("c.txt", "list_files", args{"path": "a/b"})
	s.ok("a/b/c.txt:2:3", "search_files", args{"pattern": "^3$", "path": ".", "include": "*.txt"})
	s.ok("nothing matches", "search_files", args{"pattern": "absent"})
	s.fails("", "search_files", args{"pattern": "(", "path": "."})
	s.fails("there is no x", "read_file", args{"path": "x"})
	s.fails("is a directory", "read_file", args{"path": "a"})
	data := "\x00\xff\n"
	s.ok("3 bytes", "upload", args{"path": "-bin", "base64": base64.StdEncoding.EncodeToString([]byte(data))})
	if got := s.ok("", "download", args{"path": "-bin"}); got != base64.StdEncoding.EncodeToString([]byte(data)) {
		t.Errorf("got %q", got)
	}
	s.fails("no text", "edit_file", args{"path": "-bin", "old": "\n", "new": ""})
	s.fails("larger than", "download", args{"path": "/dev/zero"})
	s.ok("may be more", "read_file", args{"path": "/dev/zero"})
	s.ok("", "run", args{"command": "chmod 755 a/b/c.txt"})
	s.ok("", "write_file", args{"path": "a/b/c.txt", "content": ""})
	if info, err := os.Stat(filepath.Join(s.host.opened[0].dir, "a/b/c.txt")); err != nil || info.Mode().Perm() != 0o755 || info.Size() != 0 {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestSandboxes(t *testing.T) {
	s := newSession(t, settings{granted: []string{"mine"}, max: 2}, nil)
	s.ok("mine: running", "sandbox_list", nil)
	s.ok("box-a is running", "sandbox_create", nil)
	s.ok("box-b is running", "sandbox_create", nil)
	s.fails("no more are allowed", "sandbox_create", nil)
	s.ok("box-b: running (current)", "sandbox_list", nil)
	s.ok("", "write_file", args{"path": "f", "content": "in b"})
	s.ok("", "sandbox_use", args{"sandbox": "box-a"})
	s.fails("there is no f", "read_file", args{"path": "f"})
	s.ok("in b", "read_file", args{"path": "f", "sandbox": "box-b"})
	s.fails("there is no sandbox", "sandbox_use", args{"sandbox": "another-of-the-user"})
	s.fails("there is no sandbox", "run", args{"command": "true", "sandbox": "another-of-the-user"})
	s.fails("session's own", "sandbox_remove", args{"sandbox": "mine"})
	s.ok("", "sandbox_use", args{"sandbox": "mine"})
	s.ok("", "sandbox_use", args{"sandbox": "box-a"})
	s.ok("removed", "sandbox_remove", args{"sandbox": "box-b"})
	s.ok("is down", "sandbox_stop", args{"sandbox": "box-a"})
	s.fails("box-a has ended", "run", args{"command": "true"})
	s.ok("status 0", "run", args{"command": "true"})
	if n := len(s.host.opened); n != 3 {
		t.Errorf("%d sandboxes were made", n)
	}
	s.desk.close()
	for _, b := range s.host.opened {
		if b.closed == 0 {
			t.Errorf("%s was not let go of", b.id)
		}
	}
}

// Calls that come at once make one sandbox.
func TestFirstUse(t *testing.T) {
	s := newSession(t, settings{hostDir: "/src/project", work: "project"}, nil)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { s.ok("/project\n", "run", args{"command": "pwd"}) })
	}
	wait.Wait()
	if n := len(s.host.opened); n != 1 || s.host.opened[0].copied[0] != "/src/project project" {
		t.Errorf("%d sandboxes were made", n)
	}
}

// Commands run where the project is, mounted or copied, and elsewhere where that is
// asked for.
func TestWhereCommandsRun(t *testing.T) {
	own := &fakeBox{id: "own"}
	for work, want := range map[string][3]string{"": {"", "sub", "/abs"}, "project": {"project", "project/sub", "/abs"}, "/src/p": {"/src/p", "/src/p/sub", "/abs"}} {
		d := newDesk(&fakeHost{t: t}, settings{work: work})
		d.boxes = []box{own}
		for i, dir := range []string{"", "sub", "/abs"} {
			if got := d.dirIn(own, dir); got != want[i] {
				t.Errorf("with the project in %q, %q is %q, want %q", work, dir, got, want[i])
			}
		}
		if got := d.dirIn(&fakeBox{id: "granted"}, ""); got != "" {
			t.Errorf("in a sandbox that is not its own it is %q", got)
		}
	}
}

// The flags say where the project is, and whether the sandboxes stay.
func TestFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		flags []string
		work  string
		keep  bool
	}{
		{nil, "", false},
		{[]string{"--rm", "--mount", "."}, dir, false},
		{[]string{"--rm=false", "--mount", ".:/src:ro"}, "/src", true},
		{[]string{"--keep", "--mount", ".:/src", "--host-dir", "."}, filepath.Base(dir), true},
	} {
		o := serveOptions{}
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		o.addFlags(flags)
		if err := errors.Join(flags.Parse(tt.flags), o.complete()); err != nil || o.settings.work != tt.work || o.settings.keepAll != tt.keep {
			t.Errorf("%q: %+v, %v", tt.flags, o.settings, err)
		}
	}
	o := serveOptions{}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.addFlags(flags)
	if err := errors.Join(flags.Parse([]string{"--mount", "./nothere"}), o.complete()); err == nil {
		t.Error("a directory that is not there will do")
	}
}

// What cannot be saved is not begun, and the agent is not told to stop it for that.
func TestMountedSandboxes(t *testing.T) {
	s := newSession(t, settings{mounted: true}, nil)
	s.fails("neither kept nor copied", "snapshot_create", nil)
	s.fails("neither kept nor copied", "sandbox_fork", nil)
	if n := s.host.opened[0].saved; n != 0 {
		t.Errorf("%d were taken", n)
	}
}

func TestNoSandbox(t *testing.T) {
	s := newSession(t, settings{}, nil)
	s.host.fail = errors.New("no image\x1b[31m")
	s.fails("no image\ufffd[31m", "run", args{"command": "true"})
	s.host.fail = nil
	s.ok("status 0", "run", args{"command": "true"})
}

func TestForward(t *testing.T) {
	s := newSession(t, settings{}, nil)
	s.ok("127.0.0.1:4000 leads to port 80", "forward_port", args{"port": 80})
	s.ok("127.0.0.1:4000", "forward_port", args{"port": 80})
	s.fails("refused", "forward_port", args{"port": 1})
	for _, port := range []int{0, -1, 65536 + 22} {
		s.fails("is no port", "forward_port", args{"port": port})
	}
	for port := 81; port < 80+maxForwards; port++ {
		s.ok("leads", "forward_port", args{"port": port})
	}
	s.fails("no more are allowed", "forward_port", args{"port": 100})
}

// Clients that list resources, and know no templates, see the logs there are.
func TestListedResources(t *testing.T) {
	changed := make(chan bool, 10)
	s := newSession(t, settings{granted: []string{"mine"}}, &sdk.ClientOptions{
		ResourceListChangedHandler: func(context.Context, *sdk.ResourceListChangedRequest) { changed <- true },
	})
	listed := func() (names []string) {
		t.Helper()
		for r, err := range s.client.Resources(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, r.Name)
		}
		return names
	}
	if got := listed(); !slices.Equal(got, []string{"mine console", "mine network"}) {
		t.Errorf("at first there are %q", got)
	}
	s.ok("", "run", args{"command": "true"})
	<-changed
	if got := listed(); !slices.Equal(got, []string{"box-a console", "box-a network", "mine console", "mine network"}) {
		t.Errorf("with a sandbox there are %q", got)
	}
	s.ok("", "sandbox_remove", args{"sandbox": "box-a"})
	<-changed
	if got := listed(); len(got) != 2 {
		t.Errorf("afterwards there are %q", got)
	}
}

func TestResources(t *testing.T) {
	s := newSession(t, settings{}, nil)
	s.ok("", "run", args{"command": "true"})
	r, err := s.client.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "banger://sandbox/box-a/console"})
	if err != nil {
		t.Fatal(err)
	}
	text := r.Contents[0].Text
	if !strings.HasPrefix(text, "Linux\ufffd[2J\ufffd\n") || !strings.HasSuffix(text, "login:") || len(text) > 4*clipEdge {
		t.Errorf("got %d bytes, %.40q", len(text), text)
	}
	for _, uri := range []string{"banger://sandbox/other/console", "banger://sandbox/../console", "banger://sandbox/box-a/supervisor", "file:///etc/passwd"} {
		if _, err := s.client.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri}); err == nil {
			t.Errorf("%s was read", uri)
		}
	}
}

// Who asks for progress hears what is done, and what a command writes.
func TestProgress(t *testing.T) {
	heard := make(chan string, 10)
	s := newSession(t, settings{}, &sdk.ClientOptions{ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) {
		heard <- r.Params.Message
	}})
	p := &sdk.CallToolParams{Name: "run", Arguments: args{"command": "echo line"}}
	p.SetProgressToken("token")
	if _, err := s.client.CallTool(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"booting", "line"} {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q was not heard of", want)
		}
	}
}

// A risky step is taken back, and another one is tried in a copy.
func TestSnapshots(t *testing.T) {
	s := newSession(t, settings{max: 2}, nil)
	s.ok("", "run", args{"command": "echo good > file"})
	_, snapshot, _ := strings.Cut(s.ok("is of sandbox box-a", "snapshot_create", nil), " ")
	snapshot, _, _ = strings.Cut(snapshot, " ")
	s.ok("", "run", args{"command": "echo bad > file"})
	s.ok("box-b, as it was", "snapshot_restore", args{"snapshot": snapshot})
	s.ok("good", "run", args{"command": "cat file"})
	if list := s.ok("box-b: running (current)", "sandbox_list", nil); strings.Contains(list, "box-a") {
		t.Errorf("there are %s", list)
	}
	s.ok("box-c is a copy of box-b", "sandbox_fork", nil)
	s.ok("", "run", args{"command": "echo worse > file", "sandbox": "box-c"})
	s.ok("good", "run", args{"command": "cat file"})
	s.fails("no more are allowed", "sandbox_fork", nil)
	if n := s.host.opened[1].saved; n != 1 {
		t.Errorf("%d snapshots were taken for one fork", n)
	}
	s.ok("box-d", "snapshot_restore", args{"snapshot": snapshot}) // in the place of box-b
	s.fails("took no snapshot", "snapshot_restore", args{"snapshot": "of-another"})
	s.ok("is removed", "snapshot_remove", args{"snapshot": snapshot})
	s.fails("took no snapshot", "snapshot_restore", args{"snapshot": snapshot})
	var wait sync.WaitGroup
	for range 2 * maxSnapshots { // at once, too
		wait.Go(func() {
			s.client.CallTool(t.Context(), &sdk.CallToolParams{Name: "snapshot_create"})
		})
	}
	wait.Wait()
	if n := s.host.opened[3].saved; n != maxSnapshots {
		t.Errorf("%d snapshots were taken, where %d are allowed", n, maxSnapshots)
	}
	s.fails("no more are allowed", "snapshot_create", nil)
	s.desk.close()
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.host.opened[0].dir), "snapshot*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

// apiClient speaks to a banger serve.
type apiClient struct {
	t *testing.T
	http.Client
}

func newAPIClient(t *testing.T, socket string) *apiClient {
	return &apiClient{t, http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}}
}

// ask fails where the answer has another status, and puts it into out.
func (c *apiClient) ask(method, path, body string, status int, out any, headers ...string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, "http://banger/v1"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := c.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode == status && out != nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil || answer.StatusCode != status {
		c.t.Fatalf("%s %s: %d, %v, %s", method, path, answer.StatusCode, err, text)
	}
}

// The server is killed and begun anew in the middle, which the VM does not notice.
func TestAPI(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	socket := filepath.Join(t.TempDir(), "api.sock")
	serve := func() (kill func()) {
		cmd := h.command(t.Context(), "serve", "--socket", socket)
		stderr, err := cmd.StderrPipe()
		h.must(err)
		h.must(cmd.Start())
		awaitText(t, stderr, "serving at")
		return func() {
			h.must(cmd.Process.Signal(syscall.SIGKILL))
			cmd.Wait()
		}
	}
	kill := serve()
	c := newAPIClient(t, socket)
	var made, again struct {
		Name      string
		MachineID string `json:"machine_id"`
	}
	const box = `{"name": "box", "image": "debian", "start": true}`
	c.ask("POST", "/vms", box, 201, &made, "Idempotency-Key", "one")
	kill()
	kill = serve()
	defer kill()
	c = newAPIClient(t, socket)
	c.ask("POST", "/vms", box, 201, &again, "Idempotency-Key", "one")
	if made.Name != "box" || again != made {
		t.Errorf("made %+v, and then %+v", made, again)
	}
	c.ask("POST", "/vms", box, 409, nil)

	var ran struct {
		Status         int
		Stdout, Stderr string
		Truncated      bool
	}
	c.ask("POST", "/vms/box/exec", `{"argv": ["sh", "-c", "cat; echo err >&2; exit 3"], "stdin": "in", "max_output": 3}`, 201, &ran)
	if ran.Status != 3 || ran.Stdout != "in" || ran.Stderr != "err" || !ran.Truncated {
		t.Errorf("ran %+v", ran)
	}
	c.ask("POST", "/vms/box/exec", `{"argv": ["sleep", "1000"], "timeout_seconds": 1}`, 504, nil)
	c.testAttach()
	c.testDropped()
	c.testEvents()
	c.testFiles()
	c.testForward()
	c.testMany()
	c.ask("POST", "/vms/box/stop?force=true", "", 201, nil)
	c.ask("DELETE", "/vms/box", "", 204, nil)
	c.ask("GET", "/vms/box", "", 404, nil)
	c.testHeldVM()
	h.wantNothingLeft()
}

// Files go in and come out, one at a time or as a tar, and a directory is listed.
func (c *apiClient) testFiles() {
	c.t.Helper()
	content := strings.Repeat("0123456789abcdef", 1<<16)
	c.ask("PUT", "/vms/box/files/content?path=/srv/new/file&mode=0750&parents=true", content, 204, nil)
	if got := c.get("/vms/box/files/content?path=/srv/new/file"); got != content {
		c.t.Errorf("%d bytes came back, of %d", len(got), len(content))
	}
	var listing struct {
		Type, Path string
		Entries    []struct {
			Name, Type, Mode string
			Size             int
		}
	}
	c.ask("GET", "/vms/box/files?path=/srv/new", "", 200, &listing)
	if e := listing.Entries; listing.Type != "directory" || len(e) != 1 || e[0].Name != "file" || e[0].Mode != "0750" || e[0].Size != len(content) {
		c.t.Errorf("listed %+v", listing)
	}
	all := c.get("/vms/box/files/tar?path=/srv/new")
	c.ask("PUT", "/vms/box/files/tar?path=/srv/copy&parents=true", all, 204, nil)
	if got := c.get("/vms/box/files/content?path=/srv/copy/new/file"); got != content {
		c.t.Errorf("%d bytes came out of the tar, of %d", len(got), len(content))
	}
	c.ask("GET", "/vms/box/files?path=/nothere", "", 404, nil)
	c.ask("GET", "/vms/box/files/content?path=/nothere", "", 404, nil)
	c.ask("GET", "/vms/box/files/content?path=/srv", "", 409, nil)
	c.ask("PUT", "/vms/box/files/tar?path=/srv", "this is no tar", 409, nil)

	// Of an upload that breaks off nothing has the name.
	ctx, cancel := context.WithCancel(c.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://banger/v1/vms/box/files/content?path=/srv/part", io.MultiReader(
		strings.NewReader(content), readerFunc(func([]byte) (int, error) { cancel(); <-ctx.Done(); return 0, ctx.Err() })))
	if err != nil {
		c.t.Fatal(err)
	}
	r.ContentLength = int64(2 * len(content))
	if answer, err := c.Do(r); err == nil {
		answer.Body.Close()
		c.t.Errorf("an upload that broke off: %s", answer.Status)
	}
	c.ask("GET", "/vms/box/files?path=/srv/part", "", 404, nil)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// get returns the body of an answer, which has to be whole.
func (c *apiClient) get(path string) string {
	c.t.Helper()
	answer, err := c.Get("http://banger/v1" + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		c.t.Fatalf("GET %s: %s, %v", path, answer.Status, err)
	}
	return string(text)
}

// sse begins a request that is answered by events, and returns what reads the next
// one's data. Cancelling hangs up.
func (c *apiClient) sse(path, body string) (next func(event string) string, hangUp func()) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://banger/v1"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.Do(r) //nolint:bodyclose // hangUp does
	if err != nil {
		c.t.Fatal(err)
	}
	lines := bufio.NewScanner(answer.Body)
	return func(event string) string {
			c.t.Helper()
			for lines.Scan() {
				if lines.Text() == "event: "+event && lines.Scan() {
					return strings.TrimPrefix(lines.Text(), "data: ")
				}
			}
			c.t.Fatalf("%s %s ended without %s: %v", path, answer.Status, event, lines.Err())
			return ""
		}, func() {
			cancel()
			answer.Body.Close()
		}
}

// A port is open for as long as its request is.
func (c *apiClient) testForward() {
	c.t.Helper()
	server, err := json.Marshal(map[string][]string{"argv": {"perl", "-MIO::Socket::INET", "-e", `
		$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 80, Listen => 1) or die; exit if fork;
		close STDIN; close STDOUT; close STDERR; while ($c = $s->accept) { print $c "hello"; close $c }`}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.ask("POST", "/vms/box/exec", string(server), 201, nil)
	next, hangUp := c.sse("/vms/box/forwards", `{"guest_port": 80}`)
	var at struct{ Address string }
	if err := json.Unmarshal([]byte(next("open")), &at); err != nil {
		c.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", at.Address)
	if err != nil {
		c.t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || string(text) != "hello" {
		c.t.Errorf("read %q, %v", text, err)
	}
	conn.Close()
	hangUp()
	for err == nil { // until it is closed, which is soon
		if conn, err = net.Dial("tcp", at.Address); err == nil {
			conn.Close()
		}
	}
}

// Many at a time are answered, those that run programs too.
func (c *apiClient) testMany() {
	c.t.Helper()
	var all sync.WaitGroup
	var good atomic.Int64
	for i := range 200 {
		all.Go(func() {
			method, path, body := http.MethodGet, "/vms/box", ""
			if i%10 == 0 {
				method, path, body = http.MethodPost, "/vms/box/exec", `{"argv": ["true"]}`
			}
			r, err := http.NewRequestWithContext(c.t.Context(), method, "http://banger/v1"+path, strings.NewReader(body))
			if err != nil {
				return
			}
			r.Header.Set("Content-Type", "application/json")
			answer, err := c.Do(r)
			if err != nil {
				return
			}
			defer answer.Body.Close()
			if answer.StatusCode/100 == 2 {
				good.Add(1)
			}
		})
	}
	if all.Wait(); good.Load() != 200 {
		c.t.Errorf("%d of 200 were answered", good.Load())
	}
}

// A VM of a request goes with its client.
func (c *apiClient) testHeldVM() {
	c.t.Helper()
	next, hangUp := c.sse("/runs", `{"name": "held", "image": "debian"}`)
	next("ready")
	c.ask("POST", "/vms/held/exec", `{"argv": ["true"]}`, 201, nil)
	answer, err := c.Get("http://banger/v1/events?vm=held&kind=removed&since=2000-01-01T00:00:00Z")
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	hangUp()
	if lines := bufio.NewScanner(answer.Body); !lines.Scan() || lines.Text() != "event: removed" {
		c.t.Errorf("heard %q, %v", lines.Text(), lines.Err())
	}
	c.ask("GET", "/vms/held", "", 404, nil)
}

// A program on a websocket reads, writes, hears signals and ends with its client.
func (c *apiClient) testAttach() {
	c.t.Helper()
	ctx := c.t.Context()
	program := url.Values{"argv": {"sh", "-c", "trap 'exit 5' INT; cat; echo up; while :; do sleep 0.1; done"}}
	conn, answer, err := websocket.Dial(ctx, "ws://banger/v1/vms/box/attach?"+program.Encode(), &websocket.DialOptions{HTTPClient: &c.Client})
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.CloseNow()
	if answer.Body != nil {
		answer.Body.Close()
	}
	for _, message := range []string{"\x00some\n", "\x00"} {
		if err := conn.Write(ctx, websocket.MessageBinary, []byte(message)); err != nil {
			c.t.Fatal(err)
		}
	}
	var out string
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			c.t.Fatalf("%v after %q", err, out)
		}
		if kind == websocket.MessageText {
			if string(message) != `{"exit":5}` || out != "some\nup\n" {
				c.t.Errorf("ended with %s after %q", message, out)
			}
			return
		}
		if out += string(message[1:]); strings.HasSuffix(out, "up\n") {
			if err := conn.Write(ctx, websocket.MessageText, []byte(`{"signal":"INT"}`)); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// A client that hangs up leaves no program, also one that does not take its input.
func (c *apiClient) testDropped() {
	c.t.Helper()
	var said struct{ Stdout string }
	run := func(argv ...string) {
		c.t.Helper()
		body, err := json.Marshal(map[string]any{"argv": argv, "timeout_seconds": 120})
		if err != nil {
			c.t.Fatal(err)
		}
		c.ask("POST", "/vms/box/exec", string(body), 201, &said)
	}
	run("mkfifo", "/run/pid")
	const program = "echo $$ >/run/pid; exec sleep 100000"
	for name, begin := range map[string]func(ctx context.Context) error{
		"exec": func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://banger/v1/vms/box/exec", strings.NewReader(`{"argv": ["sh", "-c", "`+program+`"]}`))
			if err != nil {
				return err
			}
			r.Header.Set("Content-Type", "application/json")
			go func() {
				if answer, err := c.Do(r); err == nil {
					answer.Body.Close()
				}
			}()
			return nil
		},
		"attach": func(ctx context.Context) error {
			conn, _, err := websocket.Dial(ctx, "ws://banger/v1/vms/box/attach?"+url.Values{"argv": {"sh", "-c", program}}.Encode(), &websocket.DialOptions{HTTPClient: &c.Client}) //nolint:bodyclose // the library does
			if err != nil {
				return err
			}
			context.AfterFunc(ctx, func() { conn.CloseNow() })
			for range 8 {
				if err := conn.Write(ctx, websocket.MessageBinary, make([]byte, 1<<19)); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		ctx, cancel := context.WithCancel(c.t.Context())
		if err := begin(ctx); err != nil {
			c.t.Fatalf("%s: %v", name, err)
		}
		run("cat", "/run/pid")
		cancel()
		run("tail", "--pid="+strings.TrimSpace(said.Stdout), "-f", "/dev/null") // until it has ended
	}
}

// What happened before is told, and what happens then.
func (c *apiClient) testEvents() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://banger/v1/events?since=2000-01-01T00:00:00Z&vm=box", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	answer, err := c.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	seen := map[string]bool{}
	for lines := bufio.NewScanner(answer.Body); !seen["paused"] && lines.Scan(); {
		if event, is := strings.CutPrefix(lines.Text(), "event: "); is {
			seen[event] = true
			if event == "ready" {
				c.ask("POST", "/vms/box/pause", "", 201, nil)
			}
		}
	}
	if !seen["created"] || !seen["ready"] || !seen["paused"] {
		c.t.Errorf("heard of %v", seen)
	}
	c.ask("POST", "/vms/box/resume", "", 201, nil)
}

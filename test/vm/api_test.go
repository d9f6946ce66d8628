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
	c.testEvents()
	c.ask("POST", "/vms/box/stop?force=true", "", 201, nil)
	c.ask("DELETE", "/vms/box", "", 204, nil)
	c.ask("GET", "/vms/box", "", 404, nil)
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

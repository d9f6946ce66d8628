package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// What is no message is answered, and the session and its sandboxes go on.
func TestBadLines(t *testing.T) {
	h := &fakeHost{t: t}
	d := newDesk(h, settings{max: 1})
	defer d.close()
	in, ask := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- newServer(d).Run(context.Background(), lineTransport(in, out))
		out.Close()
	}()
	answered := make(chan string)
	go func() {
		defer close(answered)
		for lines := bufio.NewScanner(answers); lines.Scan(); {
			if text := lines.Text(); !strings.Contains(text, `"method":`) { // the server's own
				answered <- text
			}
		}
	}()
	next := func(line string) (text string) {
		t.Helper()
		go fmt.Fprint(ask, line)
		text, is := <-answered
		if !is {
			t.Fatalf("%.80s ended it: %v", line, <-ended)
		}
		return text
	}
	next(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n")
	fmt.Fprint(ask, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n\n\r\n")
	run := func(command string) string {
		t.Helper()
		return next(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run","arguments":{"command":"` + command + `"}}}` + "\r\n")
	}
	run("echo kept >file")
	for line, want := range map[string]string{
		"hello":                    `null -32700`,
		`{"jsonrpc":"2.0","id":3,`: `null -32700`,
		`{"jsonrpc":"2.0","id":3,"method":"p"} x`: `null -32700`,
		`{"jsonrpc":"1.0","id":3,"method":"p"}`:   `3 -32600`,
		`{"id":"a"}`:                              `"a" -32600`,
		`{"jsonrpc":"2.0","id":{}}`:               `null -32600`,
		`7`:                                       `null -32600`,
		`[]`:                                      `null -32600`,
		`[7]`:                                     `null -32600`,
		strings.Repeat("x", maxMessage+1<<20):     `null -32600`,
	} {
		var a struct {
			ID    json.RawMessage
			Error struct{ Code int }
		}
		text := next(line + "\n")
		if err := json.Unmarshal([]byte(text), &a); err != nil || fmt.Sprintf("%s %d", a.ID, a.Error.Code) != want {
			t.Errorf("%.80s: %s, %v", line, text, err)
		}
	}
	if got := run("cat file"); !strings.Contains(got, "kept") || len(h.opened) != 1 {
		t.Errorf("afterwards: %s, in %d sandboxes", got, len(h.opened))
	}
	fmt.Fprint(ask, `{"jsonrpc":"2.0","id":4,"met`) // it is killed while it writes
	ask.Close()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

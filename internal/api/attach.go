package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"banger/internal/agent"
	"banger/internal/engine"
)

// The first byte of each binary message on a websocket says which stream it is of. A
// message of standard input with nothing behind that is its end.
const (
	streamIn  = 0
	streamOut = 1
	streamErr = 2
)

// control is a text message. The client's resize and signal, and the server's last
// one has the exit status or what failed.
type control struct {
	Resize *agent.Size `json:"resize,omitempty"`
	Signal string      `json:"signal,omitempty"` // a name without SIG
	Exit   *int        `json:"exit,omitempty"`
	Error  string      `json:"error,omitempty"`
}

type attachInput struct {
	Name     string   `path:"name"`
	Argv     []string `query:"argv" doc:"the program and its arguments, once each; a shell where there is none"`
	Dir      string   `query:"dir"`
	Env      []string `query:"env" doc:"KEY=VALUE"`
	User     string   `query:"user"`
	TTY      bool     `query:"tty" doc:"run it on a terminal"`
	Columns  int      `query:"columns"`
	Rows     int      `query:"rows"`
	WaitInit bool     `query:"wait_init"`
}

func (s *server) attachOperation() operation {
	o := stream(http.MethodGet, "/vms/{name}/attach", "attach",
		"Run a program over a websocket. Binary messages begin with a byte: 0 is standard input, which an empty one ends, 1 output, 2 errors. "+
			`Text messages are JSON: {"resize":{"columns":80,"rows":24}}, {"signal":"INT"}; the last has "exit" or "error"`,
		"text/plain", s.attach)
	o.Status = http.StatusSwitchingProtocols
	return o
}

// attach runs a program joined to a websocket. A client that hangs up ends it.
func (s *server) attach(w http.ResponseWriter, r *http.Request, in attachInput) error {
	v, err := s.engine.VM(in.Name)
	if err != nil {
		return err
	}
	if r.Header.Get("Upgrade") == "" {
		return inputErrorf("this is for a websocket")
	}
	release, err := s.held.take()
	if err != nil {
		return err
	}
	defer release()
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return nil // the library has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	go askWhetherThere(ctx, conn.Ping, ticker.C, cancel)

	end := control{}
	status, err := s.engine.ExecVM(ctx, v.Name, in.program(ctx, cancel, conn))
	if err != nil {
		end.Error = err.Error()
	} else {
		end.Exit = &status
	}
	if text, err := json.Marshal(end); err == nil {
		conn.Write(ctx, websocket.MessageText, text)
	}
	conn.Close(websocket.StatusNormalClosure, "")
	return nil
}

func (in attachInput) program(ctx context.Context, cancel func(), conn *websocket.Conn) engine.Program {
	p := engine.Program{Argv: in.Argv, Dir: in.Dir, Env: in.Env, User: in.User, WaitInit: in.WaitInit}
	p.Attach = func() (engine.Attachment, error) {
		stdin, feed := io.Pipe()
		signals, resized := make(chan string), make(chan agent.Size)
		typed := make(chan []byte, queued)
		a := engine.Attachment{
			Stdin: stdin, Stdout: &streamWriter{ctx, conn, streamOut}, Stderr: &streamWriter{ctx, conn, streamErr},
			Signals: signals, Patient: true,
			Detach: func() { stdin.Close() },
		}
		if in.TTY {
			a.Terminal = &agent.Terminal{Type: "xterm-256color", Resized: resized}
			a.Terminal.Size.Columns, a.Terminal.Size.Rows = uint32(in.Columns), uint32(in.Rows)
		}
		go func() {
			defer cancel()
			defer close(typed)
			readMessages(ctx, conn, typed, signals, resized)
		}()
		go feedFrom(typed, feed)
		return a, nil
	}
	return p
}

// queued is how many messages of standard input may wait for the program to take
// them, so that a signal behind them is heard.
const queued = 16

// feedFrom writes what was typed. An empty message is its end.
func feedFrom(typed <-chan []byte, stdin *io.PipeWriter) {
	defer stdin.Close()
	for data := range typed {
		if len(data) == 0 {
			stdin.Close()
		} else if _, err := stdin.Write(data); err != nil {
			continue // it takes no more, and what else is sent is for nobody
		}
	}
}

// readMessages passes on what a client sends until it hangs up.
func readMessages(ctx context.Context, conn *websocket.Conn, typed chan<- []byte, signals chan<- string, resized chan<- agent.Size) {
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			if len(message) == 0 || message[0] != streamIn {
				return
			}
			pass(ctx, typed, message[1:])
			continue
		}
		var c control
		if json.Unmarshal(message, &c) != nil {
			return
		}
		if c.Signal != "" {
			pass(ctx, signals, c.Signal)
		}
		if c.Resize != nil {
			pass(ctx, resized, *c.Resize)
		}
	}
}

// askEvery is how often a client is asked whether it is there, and answerTime what its
// answer may take.
const (
	askEvery   = 15 * time.Second
	answerTime = 10 * time.Second
)

// askWhetherThere hangs up on a client that is gone. While its program takes no input
// nothing is read, neither that nor an answer: but then no question gets through either.
func askWhetherThere(ctx context.Context, ping func(context.Context) error, tick <-chan time.Time, hangUp func()) {
	for {
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
		asked, cancel := context.WithTimeout(ctx, answerTime)
		err := ping(asked)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			hangUp()
			return
		}
	}
}

func pass[T any](ctx context.Context, to chan<- T, v T) {
	select {
	case to <- v:
	case <-ctx.Done():
	}
}

// streamWriter sends a program's output.
type streamWriter struct {
	ctx  context.Context
	conn *websocket.Conn
	id   byte
}

func (w *streamWriter) Write(p []byte) (int, error) {
	if err := w.conn.Write(w.ctx, websocket.MessageBinary, append([]byte{w.id}, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Package linkd serves the streams of the link that the agent opens to its
// supervisor: programs, directories to unpack and the root as a tar, and the
// control stream, which it hands to its caller.
//
// It takes orders from the link alone, which nobody but the supervisor has the
// other end of. It never asks who a client is.
package linkd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/guest/session"
	"banger/internal/guest/usage"
)

// Server serves a guest's links.
type Server struct {
	Sessions *session.Sessions
	RunDir   string // for sockets; it is made where absent
	// Control takes a control stream, and returns when it has ended.
	Control func(io.ReadWriter)

	listeners listeners
}

// Serve serves a link's streams until the link ends.
func (s *Server) Serve(l *link.Link) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		stream, err := l.Next()
		if err != nil {
			return err
		}
		go s.serve(ctx, stream)
	}
}

// stream is one whose header has been read, perhaps with some of what follows.
type stream struct {
	*bufio.Reader
	io.WriteCloser
}

func (s *Server) serve(ctx context.Context, conn io.ReadWriteCloser) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	header, err := link.ReadHeader(reader)
	if err != nil {
		return
	}
	with := stream{reader, conn}
	if header.Kind == agentapi.StreamControl {
		s.Control(struct {
			io.Reader
			io.Writer
		}{reader, conn})
		return
	}
	if header.Kind == agentapi.StreamWatchPorts {
		watchPorts(with)
		return
	}
	channel := link.NewChannel(with)
	if err := s.run(ctx, header, channel); err != nil {
		channel.Send(agentapi.Message{Refused: clip(err.Error())})
	}
}

// clip leaves room for the rest of a message.
func clip(text string) string { return text[:min(len(text), 1<<10)] }

// run runs what a stream is for, until the host has lost interest. The error is
// why there is nothing to run.
func (s *Server) run(ctx context.Context, header agentapi.Header, channel *link.Channel) error {
	if header.Protocol != agentapi.Protocol {
		return fmt.Errorf("the agent speaks protocol %d, and not %d", agentapi.Protocol, header.Protocol)
	}
	if listens, err := s.runListening(header, channel); listens {
		return err
	}
	switch header.Kind {
	case agentapi.StreamSettle:
		return settle(header, channel)
	case agentapi.StreamGrow:
		return grow(header, channel)
	case agentapi.StreamStats:
		return say(channel, usage.Stats("/proc", "/"))
	case agentapi.StreamTop:
		return say(channel, usage.Top("/proc"))
	}
	if header.Kind == agentapi.StreamReady {
		return ready(channel)
	}
	want, err := read(header)
	if err != nil {
		return err
	}
	login, err := session.Lookup(want.user)
	if err != nil {
		return err
	}
	var exit session.Exit
	on := s.Sessions.Open(ctx, login, session.Client{
		Stdin: channel.Reader(link.Stdin), Stdout: channel.Writer(link.Stdout), Stderr: channel.Writer(link.Stderr),
		Exit: func(e session.Exit) { exit = e },
		End: func() {
			channel.Send(agentapi.Message{Exit: &exit.Status})
			channel.Close()
		},
	})
	defer on.HangUp()
	if t := want.terminal; t != nil {
		on.SetWindow(session.Window{Term: t.Type, Columns: t.Columns, Rows: t.Rows})
	}
	go want.program(on)()
	channel.Serve(func(m agentapi.Message) { hear(m, on, channel) })
	return nil
}

// hear does what the host says while the program runs.
func hear(m agentapi.Message, on *session.Session, channel *link.Channel) {
	if m.Resize != nil {
		on.Resize(m.Resize.Columns, m.Resize.Rows)
	}
	ok := m.Signal == "" || on.Signal(m.Signal)
	if m.Ask != 0 {
		channel.Send(agentapi.Message{Answer: &agentapi.Answer{To: m.Ask, OK: ok}})
	}
}

// wanted is what a stream is for.
type wanted struct {
	user     string
	terminal *agentapi.Terminal
	program  func(*session.Session) session.Program
}

func read(h agentapi.Header) (w wanted, err error) {
	switch h.Kind {
	case agentapi.StreamExec:
		var exec agentapi.ExecStream
		err = json.Unmarshal(h.Payload, &exec)
		return wanted{exec.User, exec.Terminal, func(s *session.Session) session.Program { return s.Exec(exec.Exec) }}, err
	case agentapi.StreamUntar:
		var untar agentapi.UntarStream
		err = json.Unmarshal(h.Payload, &untar)
		if err == nil && untar.Dir == "" {
			err = errors.New("no directory to unpack into")
		}
		return wanted{untar.User, nil, func(s *session.Session) session.Program { return s.Untar(untar.Untar) }}, err
	case agentapi.StreamPack:
		var pack agentapi.PackStream
		err = json.Unmarshal(h.Payload, &pack)
		return wanted{pack.User, nil, func(s *session.Session) session.Program { return s.Pack(pack) }}, err
	case agentapi.StreamUnpack:
		var unpack agentapi.UnpackStream
		err = json.Unmarshal(h.Payload, &unpack)
		return wanted{unpack.User, nil, func(s *session.Session) session.Program { return s.Unpack(unpack) }}, err
	case agentapi.StreamList:
		var list agentapi.ListStream
		err = json.Unmarshal(h.Payload, &list)
		return wanted{list.User, nil, func(s *session.Session) session.Program { return s.List(list) }}, err
	case agentapi.StreamSync:
		var sync agentapi.SyncStream
		err = json.Unmarshal(h.Payload, &sync)
		return wanted{sync.User, nil, func(s *session.Session) session.Program { return s.Sync(sync) }}, err
	case agentapi.StreamTar:
		return wanted{"root", nil, (*session.Session).Tar}, nil
	case agentapi.StreamRest:
		return wanted{"root", nil, (*session.Session).Rest}, nil
	}
	return w, fmt.Errorf("the agent knows no streams of the kind %q", h.Kind)
}

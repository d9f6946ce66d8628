package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// monitor speaks QEMU's machine protocol, QMP (docs/interop/qmp-spec): one
// command at a time, each with its answer, and events between.
//
// QEMU is not trusted: what its guest broke into may say anything here.
type monitor struct {
	conn    *net.UnixConn
	turn    chan struct{} // holds a token while nobody commands
	next    int           // number of the next command; the turn's holder's
	answers chan message
	heard   func(event string, data json.RawMessage)
	ended   chan struct{} // closed when the connection has ended
}

// message is a line from QEMU: its greeting, an answer or an event.
type message struct {
	ID    int             `json:"id"`
	Error *refusal        `json:"error"`
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
}

// refusal is QEMU's error.
type refusal struct {
	Desc string `json:"desc"`
}

// maxMessage is more than any line of QEMU's, in bytes.
const maxMessage = 1 << 20

// errMonitorEnded says that QEMU no longer answers.
var errMonitorEnded = errors.New("qemu closed its monitor")

// newMonitor opens the protocol on conn. heard is told of events, in their
// order, and must not wait.
func newMonitor(conn *net.UnixConn, heard func(string, json.RawMessage)) *monitor {
	m := &monitor{
		conn: conn, heard: heard,
		turn: make(chan struct{}, 1), answers: make(chan message, 1), ended: make(chan struct{}),
	}
	m.turn <- struct{}{}
	// What opens the protocol comes before all commands; QEMU takes it before it
	// greets. Should it not, the next command says so.
	m.send(command{Execute: "qmp_capabilities"})
	go m.listen()
	return m
}

func (m *monitor) listen() {
	defer close(m.ended)
	defer m.conn.Close()
	lines := bufio.NewScanner(m.conn)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		var got message
		if json.Unmarshal(lines.Bytes(), &got) != nil {
			return
		}
		switch {
		case got.Event != "":
			m.heard(got.Event, got.Data)
		case got.ID != 0:
			select {
			case <-m.answers: // one that nobody waited for
			default:
			}
			m.answers <- got
		}
	}
}

// command is a line to QEMU. Those of execute have numbers from 1.
type command struct {
	Execute   string `json:"execute"`
	Arguments any    `json:"arguments,omitempty"`
	ID        int    `json:"id,omitempty"`
}

// send writes a command, and passes descriptors along.
func (m *monitor) send(c command, files ...*os.File) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	_, _, err = m.conn.WriteMsgUnix(append(data, '\n'), rights, nil)
	return err
}

// execute has QEMU carry out a command.
func (m *monitor) execute(ctx context.Context, name string, arguments any, files ...*os.File) error {
	select {
	case <-m.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { m.turn <- struct{}{} }()
	m.next++
	if err := m.send(command{name, arguments, m.next}, files...); err != nil {
		return fmt.Errorf("ask qemu to %s: %w", name, err)
	}
	for {
		select {
		case answer := <-m.answers:
			if answer.ID != m.next {
				continue // of a command that was given up
			}
			if answer.Error != nil {
				return fmt.Errorf("qemu refuses %s: %s", name, answer.Error.Desc)
			}
			return nil
		case <-m.ended:
			return fmt.Errorf("ask qemu to %s: %w", name, errMonitorEnded)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pass gives QEMU a descriptor under a name.
func (m *monitor) pass(ctx context.Context, name string, file *os.File) error {
	return m.execute(ctx, "getfd", map[string]string{"fdname": name}, file)
}

package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"banger/internal/ports"
	"banger/internal/secret"
	"banger/internal/statedir"
	"banger/internal/usernet/policy"
)

// Request is the line by which a client opens a connection to banger.sock.
type Request struct {
	Op      string         `json:"op"`                // one of the Op constants
	Port    uint16         `json:"port,omitempty"`    // with dial
	Forward *ports.Spec    `json:"forward,omitempty"` // with forward
	Policy  *policy.Change `json:"policy,omitempty"`  // with policy
	Change  *Change        `json:"change,omitempty"`  // with set
	Signal  string         `json:"signal,omitempty"`  // with signal: its name, without SIG
	Dir     string         `json:"dir,omitempty"`     // with snapshot: where it is to be put
	Volume  string         `json:"volume,omitempty"`  // with grow: its name
	Bytes   int64          `json:"bytes,omitempty"`   // with grow: how large it is to be
}

// The operations of a supervisor.
const (
	OpLink    = "link"    // the connection becomes a stream of the agent's link
	OpDial    = "dial"    // the connection becomes one to a TCP port of the guest
	OpPolicy  = "policy"  // change what the guest may reach, for new connections
	OpTraffic = "traffic" // write the network's log until the connection ends
	OpForward = "forward" // open a port of the host until the connection ends
	OpStop    = "stop"    // shut the guest down
	OpKill    = "kill"    // pull the plug
	OpPause   = "pause"   // hold the guest still
	OpResume  = "resume"  // let it go on
	OpSet     = "set"     // change settings
	OpTouch   = "touch"   // begin its times anew
	OpSignal  = "signal"  // send one to its own program
	OpStats   = "stats"   // say what it uses
	OpGrow    = "grow"    // make a volume larger that the guest has
	OpSecrets = "secrets" // say what its secrets are, for its next start
	OpWait    = "wait"    // say when its own program has ended, and how

	OpSnapshot = "snapshot" // write down what the guest is; given up where the connection ends
)

// Reply is the supervisor's line in return.
type Reply struct {
	WaitsFor string      `json:"waits_for,omitempty"` // what has to end first; another reply follows
	Error    string      `json:"error,omitempty"`
	Forward  *ports.Spec `json:"forward,omitempty"` // with forward: what is open
	Status   *int        `json:"status,omitempty"`  // of its own program, in the second line after wait
	Saved    *Saved      `json:"saved,omitempty"`   // with snapshot
	Stats    *Stats      `json:"stats,omitempty"`   // with stats

	Secrets secret.Values `json:"secrets,omitempty"` // with secrets
	Waits   []string      `json:"waits,omitempty"`   // with set: what the guest gets at its next start
}

// Link opens a stream to the agent of the named VM's guest. The error is a
// *PhaseError where the guest is paused and would not answer.
func (s *Store) Link(ctx context.Context, name string) (net.Conn, error) {
	return s.toGuest(ctx, name, Request{Op: OpLink})
}

// Dial connects to a TCP port of the named VM's guest. The error is a
// *PhaseError where the guest is paused and would not answer.
func (s *Store) Dial(ctx context.Context, name string, port uint16) (net.Conn, error) {
	return s.toGuest(ctx, name, Request{Op: OpDial, Port: port})
}

func (s *Store) toGuest(ctx context.Context, name string, r Request) (net.Conn, error) {
	if v, err := s.Get(name); err == nil && v.State.Phase == Paused {
		return nil, &PhaseError{Name: name, Phase: Paused}
	}
	conn, _, err := s.request(ctx, name, r)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// Forward opens a port of the host that leads to one of the named VM's guest,
// until the connection is closed; it ends when the VM does. opened has the port.
func (s *Store) Forward(ctx context.Context, name string, spec ports.Spec) (conn net.Conn, opened ports.Spec, err error) {
	conn, reply, err := s.request(ctx, name, Request{Op: OpForward, Forward: &spec})
	if err != nil {
		return nil, spec, err
	}
	if reply.Forward != nil {
		spec = *reply.Forward
	}
	return conn, spec, nil
}

// Traffic returns the log of a running VM's network, which goes on until it is
// closed or the VM ends.
func (s *Store) Traffic(ctx context.Context, name string) (io.ReadCloser, error) {
	conn, _, err := s.request(ctx, name, Request{Op: OpTraffic})
	return conn, err
}

// SetPolicy changes what a VM's guest may reach, at once for new connections,
// and at later starts. One that runs is changed by its supervisor.
func (s *Store) SetPolicy(ctx context.Context, name string, c policy.Change) error {
	lock, err := s.Lock(ctx, name)
	if errors.As(err, new(*PhaseError)) {
		conn, _, err := s.request(ctx, name, Request{Op: OpPolicy, Policy: &c})
		if err != nil {
			return err
		}
		return conn.Close()
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	v, err := s.Get(name)
	if err != nil {
		return err
	}
	if v.Policy, err = c.Apply(v.Policy); err != nil {
		return err
	}
	return s.Save(v)
}

// Secrets returns the values of the secrets of a VM that runs, for whoever starts
// it again.
func (s *Store) Secrets(ctx context.Context, name string) (secret.Values, error) {
	conn, reply, err := s.request(ctx, name, Request{Op: OpSecrets})
	if err != nil {
		return nil, err
	}
	return reply.Secrets, conn.Close()
}

// Pause holds the named VM's guest still, until Resume. The error is a
// *PhaseError where it does not run.
func (s *Store) Pause(ctx context.Context, name string) error {
	return s.change(ctx, name, Running, OpPause)
}

// Resume lets a paused guest go on.
func (s *Store) Resume(ctx context.Context, name string) error {
	return s.change(ctx, name, Paused, OpResume)
}

// change gives an order to a VM that has to be in the phase from.
func (s *Store) change(ctx context.Context, name string, from Phase, op string) error {
	v, err := s.Get(name)
	if err != nil {
		return err
	}
	if v.State.Phase != from {
		return &PhaseError{Name: name, Phase: v.State.Phase}
	}
	return s.order(ctx, name, op)
}

// request sends one request to the VM's supervisor and returns the connection
// after its reply. The error is a *PhaseError where no supervisor listens.
func (s *Store) request(ctx context.Context, name string, r Request) (*LineConn, Reply, error) {
	conn, err := statedir.DialSocket(ctx, s.Path(name, statedir.Socket))
	if err != nil {
		return nil, Reply{}, s.notListening(name, err)
	}
	within := patience(r.Op)
	conn.SetDeadline(time.Now().Add(within))
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	line, reply, err := roundTrip(conn, r, func(what string) {
		within = longest
		conn.SetDeadline(time.Now().Add(within))
		if s.waits != nil {
			s.waits(fmt.Sprintf("waiting for vm %s: %s", name, what))
		}
	})
	if !stop() {
		return nil, reply, ctx.Err()
	}
	conn.SetDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		conn.Close()
		return nil, Reply{}, &UnansweredError{Name: name, Op: r.Op, Within: within}
	}
	if err != nil {
		conn.Close()
		return nil, reply, fmt.Errorf("ask vm %q to %s: %w", name, r.Op, err)
	}
	return line, reply, nil
}

// UnansweredError says that a VM's supervisor took a request and did not answer.
type UnansweredError struct {
	Name   string
	Op     string
	Within time.Duration
}

func (e *UnansweredError) Error() string {
	return fmt.Sprintf("the supervisor of vm %q did not answer to %s within %s", e.Name, e.Op, e.Within)
}

// patience is how long a supervisor may take to answer. It has to ask the guest
// or the VMM for all but a kill.
func patience(op string) time.Duration {
	switch op {
	case OpKill:
		return 5 * time.Second
	case OpSnapshot:
		return longest
	}
	return 40 * time.Second
}

// longest is how long the longest of them may take: a snapshot, whose disk may be
// large.
const longest = time.Hour

// Telling is a store that tells what its orders wait for.
func (s *Store) Telling(waits func(string)) *Store {
	telling := *s
	telling.waits = waits
	return &telling
}

func (s *Store) notListening(name string, cause error) error {
	v, err := s.Get(name)
	switch {
	case err != nil:
		return err
	case v.State.Phase != Running:
		return &PhaseError{Name: name, Phase: v.State.Phase}
	}
	return fmt.Errorf("reach vm %q: %w", name, cause)
}

func roundTrip(conn net.Conn, r Request, waits func(string)) (lines *LineConn, reply Reply, err error) {
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return nil, reply, err
	}
	lines = NewLineConn(conn)
	for {
		reply = Reply{}
		if err := lines.ReadJSON(&reply); err != nil {
			return nil, reply, err
		}
		if reply.WaitsFor == "" {
			break
		}
		waits(reply.WaitsFor)
	}
	if reply.Error != "" {
		return nil, reply, errors.New(reply.Error)
	}
	return lines, reply, nil
}

package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"banger/internal/process"
	"banger/internal/secret"
	"banger/internal/statedir"
)

// Report is what a starting supervisor tells its parent, a line of JSON each:
// any number of stages, then either ready or an error.
type Report struct {
	Stage   string      `json:"stage,omitempty"`
	Ready   bool        `json:"ready,omitempty"`
	Failure *StartError `json:"failure,omitempty"`
}

// StartError says why a VM did not start.
type StartError struct {
	Message string   `json:"message"`
	Hint    string   `json:"hint,omitempty"`    // what to do about it
	Console []string `json:"console,omitempty"` // the guest's last lines, where it was the guest
}

func (e *StartError) Error() string { return e.Message }

// Lease ties a VM to the process that started it, see Start.
type Lease struct {
	conn  *net.UnixConn
	ended <-chan struct{} // closed when the supervisor has ended
	lock  string          // which the supervisor holds
	ends  bool            // the VM goes down with the lease
}

// End lets go of the VM: one that is ephemeral is killed and removed, one in the
// foreground stopped, others live on. It returns when one that goes is gone.
func (l *Lease) End() error {
	err := errors.Join(l.HandOver(), l.conn.Close())
	if l.ends {
		awaitEnd(l.ended, l.lock, endTimeout)
	}
	return err
}

// HandOver tells the supervisor that the VM's own program may begin. The lease stays.
func (l *Lease) HandOver() error {
	_, err := l.conn.Write([]byte{handedOver})
	if errors.Is(err, syscall.EPIPE) {
		err = nil // it has ended
	}
	return err
}

// Abandon lets go of a VM whose start failed, and returns when the VM is down.
func (l *Lease) Abandon() {
	l.conn.Close()
	awaitEnd(l.ended, l.lock, endTimeout)
}

// Foreground makes the VM stop with the lease, even if it is not ephemeral.
func (l *Lease) Foreground() { l.ends = true }

// handover is the line that a starter sends first.
type handover struct {
	Secrets secret.Values `json:"secrets,omitempty"`
}

// handedOver is what a starter sends when it has done all that it has to before the VM is
// on its own.
const handedOver = 1

// Start runs a supervisor for the named VM by executing supervisor (a command
// and its first arguments) with the VM's name, and returns when the guest is
// ready. Cancelling ctx, like the end of this process, gives the start up.
// values are those of the VM's secrets, or none where its guest gets none. stage
// is told what is being done.
func (s *Store) Start(ctx context.Context, name string, supervisor []string, values secret.Values, stage func(string)) (*Lease, error) {
	v, err := s.Get(name)
	if err != nil {
		return nil, err
	}
	if v.State.Phase.Alive() {
		return nil, &PhaseError{Name: name, Phase: v.State.Phase}
	}
	ours, theirs, err := SocketPair()
	if err != nil {
		return nil, fmt.Errorf("start vm %q: %w", name, err)
	}
	ended, err := s.launch(v, supervisor, theirs)
	theirs.Close()
	if err != nil {
		ours.Close()
		return nil, err
	}
	// If this fails, the supervisor has given up already, and its report says why.
	json.NewEncoder(ours).Encode(handover{values})
	if err := awaitReady(ctx, ours, stage); err != nil {
		ours.Close()
		awaitEnd(ended, s.lockPath(name), endTimeout)
		return nil, err
	}
	return &Lease{conn: ours, ended: ended, lock: s.lockPath(name), ends: v.Ephemeral && !v.Detached}, nil
}

// endTimeout is how long a supervisor may take to end its VM and to remove it,
// once its starter has let go.
const endTimeout = 30 * time.Second

// awaitEnd waits for the end of a supervisor that was let go. If it takes longer than
// patience, it is killed.
func awaitEnd(ended <-chan struct{}, lock string, patience time.Duration) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-ended:
		return
	case <-timeout.C:
	}
	if statedir.KillHolder(lock) == nil {
		<-ended
	}
}

func (s *Store) launch(v VM, supervisor []string, report *os.File) (ended <-chan struct{}, err error) {
	name := v.Name
	log, err := os.OpenFile(s.Path(name, statedir.SupervisorLog), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if errors.Is(err, os.ErrNotExist) && !s.tree.Exists(name) {
		return nil, s.notFound(name) // removed meanwhile
	}
	if err != nil {
		return nil, fmt.Errorf("start vm %q: %w", name, err)
	}
	defer log.Close()
	ended, err = process.StartDetached(process.Cmd{
		Args:   append(append([]string{}, supervisor...), name),
		Env:    withoutSecrets(os.Environ(), v.Secrets),
		Dir:    "/",
		Stdout: log,
		Stderr: log,
		Files:  []*os.File{report},
	})
	if err != nil {
		return nil, fmt.Errorf("start the supervisor of vm %q: %w", name, err)
	}
	return ended, nil
}

// withoutSecrets is an environment without the variables of secrets: a supervisor gets them
// by its connection to the starter, and its VMM never.
func withoutSecrets(env []string, secrets []secret.Secret) []string {
	return slices.DeleteFunc(env, func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(secrets, func(s secret.Secret) bool { return s.Name == name })
	})
}

// lastWord is how long a supervisor that was let go may take to report.
const lastWord = time.Second

// awaitReady follows a supervisor's reports until the guest is ready, which wins over the
// end of ctx, or the supervisor gives up.
func awaitReady(ctx context.Context, conn *net.UnixConn, stage func(string)) error {
	stop := context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Now().Add(lastWord))
		conn.CloseWrite()
	})
	defer stop()
	reports := json.NewDecoder(conn)
	for {
		var r Report
		err := reports.Decode(&r)
		switch {
		case r.Ready:
			return nil
		case err == nil && r.Failure == nil:
			stage(r.Stage)
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return &StartError{Message: "the supervisor ended without a word: see its log by banger vm logs --supervisor"}
		default:
			return r.Failure
		}
	}
}

// awaitStopped returns when no supervisor holds the named VM.
func (s *Store) awaitStopped(ctx context.Context, name string) error {
	lock, err := statedir.WaitLock(ctx, s.lockPath(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil // removed
	}
	if err != nil {
		return err
	}
	lock.Release()
	return nil
}

// SocketPair returns two connected stream sockets, one of them to be passed on to a
// child.
func SocketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	file := os.NewFile(uintptr(fds[0]), "supervisor")
	defer file.Close()
	theirs = os.NewFile(uintptr(fds[1]), "starter")
	conn, err := net.FileConn(file)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return conn.(*net.UnixConn), theirs, nil
}

// Reporter is the supervisor's end of the connection to its starter.
type Reporter struct {
	conn net.Conn
	in   *bufio.Reader
	// Secrets returns the values of the VM's secrets, as the starter has them.
	Secrets func() (secret.Values, error)
}

// NewReporter takes over the descriptor that the starter passed.
func NewReporter(f *os.File) (*Reporter, error) {
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("find the starter: %w", err)
	}
	r := &Reporter{conn: conn, in: bufio.NewReader(conn)}
	r.Secrets = sync.OnceValues(r.readSecrets)
	return r, nil
}

// handoverTime is how long a starter may take to send its first line.
const handoverTime = 30 * time.Second

func (r *Reporter) readSecrets() (secret.Values, error) {
	r.conn.SetReadDeadline(time.Now().Add(handoverTime))
	defer r.conn.SetReadDeadline(time.Time{})
	line, err := r.in.ReadBytes('\n')
	var h handover
	if err == nil {
		err = json.Unmarshal(line, &h)
	}
	if err != nil {
		return nil, errors.New("the starter did not say what the vm's secrets are")
	}
	return h.Secrets, nil
}

// Send tells the starter; one that is gone does not hear it.
func (r *Reporter) Send(report Report) { json.NewEncoder(r.conn).Encode(report) }

// HandedOver waits until the starter has done all that comes before the VM's own program,
// which it reports, or is gone.
func (r *Reporter) HandedOver() bool {
	if _, err := r.Secrets(); err != nil {
		return false
	}
	_, err := r.in.ReadByte()
	return err == nil
}

// Gone waits until the starter has let go.
func (r *Reporter) Gone() {
	if _, err := r.Secrets(); err == nil {
		io.Copy(io.Discard, r.in)
	}
}

// Close ends the connection.
func (r *Reporter) Close() { r.conn.Close() }

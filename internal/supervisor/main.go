package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"banger/internal/vm"
)

// Main runs a VM's own program in the guest until it has ended. Where there is nothing to run, ran is false.
type Main func(ctx context.Context, out io.Writer, signals <-chan string) (status int, ran bool, err error)

// MaxOutputLog is how much is kept of what a VM's own program writes, in bytes. The
// older half goes when it is full.
const MaxOutputLog = 16 << 20

// mainRun is a VM's own program as it runs, and those who wait for its end.
type mainRun struct {
	mu      sync.Mutex
	log     logFile
	running bool
	said    vm.Reply // to those who wait, once ended is closed
	signals chan string
	ended   chan struct{} // closed when it has ended
	over    chan struct{} // closed when nothing more is to be heard
	once    sync.Once
	waiting sync.WaitGroup
}

func newMainRun(path string) *mainRun {
	return &mainRun{
		log: logFile{path: path, limit: MaxOutputLog}, signals: make(chan string, 8),
		ended: make(chan struct{}), over: make(chan struct{}),
	}
}

// runMain starts the VM's own program when the starter has done what comes before.
// One that a reboot of the guest cut off runs again.
func (s *supervisor) runMain(b *boot) {
	if s.Main == nil || s.main.hasEnded() {
		return
	}
	if err := s.main.begin(); err != nil { // so that its log is not the last start's any more
		fmt.Fprintln(s.Log, err)
	}
	go func() {
		select {
		case <-s.handedOver:
			s.followMain(b)
		case <-b.done:
			s.main.end()
		}
	}()
}

// followMain runs the program to its end.
func (s *supervisor) followMain(b *boot) {
	defer s.use.begin()()
	s.save(func(st *vm.State) { st.Main = &vm.MainState{StartedAt: time.Now().UTC()} })
	status, ran, err := s.runMainIn(b)
	s.main.end()
	switch {
	case !ran:
		s.save(func(st *vm.State) { st.Main = nil })
		return
	case err != nil && s.goingDown(b):
		return // with the guest, which says why
	}
	s.save(func(st *vm.State) {
		now := *st.Main
		now.EndedAt = time.Now().UTC()
		if err != nil {
			now.Error = clip(err.Error(), maxReason)
		} else {
			now.Status = &status
		}
		st.Main = &now
	})
	if err != nil {
		s.main.tell(vm.Reply{Error: "its command was lost: " + clip(err.Error(), maxReason)})
		return
	}
	s.main.tell(vm.Reply{Status: &status})
}

func (s *supervisor) runMainIn(b *boot) (status int, ran bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-b.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return s.Main(ctx, s.main, s.main.signals)
}

// goingDown reports whether the machine ends, which it may take a moment to do
// after its last connection.
func (s *supervisor) goingDown(b *boot) bool {
	select {
	case <-b.done:
		return true
	case <-time.After(endOfConnection):
		return s.reasonAsked() != ""
	}
}

// endOfConnection is how long a guest whose connections end may go on.
const endOfConnection = 5 * time.Second

func (m *mainRun) begin() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = true
	return m.log.begin()
}

func (m *mainRun) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = false
	m.log.Close()
}

// Write keeps what the program writes.
func (m *mainRun) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.Write(p)
}

func (m *mainRun) hasEnded() bool {
	select {
	case <-m.ended:
		return true
	default:
		return false
	}
}

// tell ends the wait of all who wait for the program, which ends once.
func (m *mainRun) tell(said vm.Reply) {
	m.said = said
	close(m.ended)
}

// wait answers when the program has ended. If it never does, the connection ends with the
// supervisor.
func (m *mainRun) wait(conn net.Conn) {
	m.mu.Lock()
	m.waiting.Add(1)
	m.mu.Unlock()
	defer m.waiting.Done()
	if reply(conn, nil) != nil {
		return
	}
	left := make(chan struct{})
	go func() {
		io.Copy(io.Discard, conn)
		close(left)
	}()
	select {
	case <-m.ended:
		conn.SetWriteDeadline(time.Now().Add(requestTimeout))
		json.NewEncoder(conn).Encode(m.said)
	case <-m.over:
	case <-left:
	}
}

// answer returns when all who wait have been answered, or do not listen.
func (m *mainRun) answer() {
	m.once.Do(func() {
		if !m.hasEnded() {
			close(m.over)
		}
		answered := make(chan struct{})
		go func() {
			m.waiting.Wait()
			close(answered)
		}()
		select {
		case <-answered:
		case <-time.After(time.Second):
		}
	})
}

// signal sends one to the program.
func (m *mainRun) signal(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running {
		return errors.New("it runs no command of its own")
	}
	select {
	case m.signals <- name:
		return nil
	default:
		return errors.New("its command does not take the signals that were sent before")
	}
}

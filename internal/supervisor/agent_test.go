package supervisor

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
)

func testAgent() *agent { return newAgent(link.Secret([]byte("key"))) }

// unasked takes answers for a guest that asks nothing.
func unasked(agentapi.Order) {}

// endless is a line that has no end; read is how much of it was taken.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 16*maxEvent {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

func TestControlLineIsBounded(t *testing.T) {
	line := &endless{}
	testAgent().followLines(io.MultiReader(strings.NewReader(`{"kind":"`), line), unasked)
	if line.read > 2*maxEvent {
		t.Errorf("read %d bytes of a line without end", line.read)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	a := testAgent()
	long := strings.Repeat("w", 8*maxWarning)
	a.followLines(strings.NewReader(strings.Repeat(`{"kind":"warning","detail":"`+long+`"}`+"\n", 4*maxWarnings)), unasked)
	got := a.warnings()
	if len(got) != maxWarnings+1 || got[maxWarnings] != "and more" {
		t.Errorf("keeps %d warnings", len(got))
	}
	for _, w := range got {
		if len(w) > maxWarning {
			t.Errorf("keeps a warning of %d bytes", len(w))
		}
	}
}

func TestReadyIsBounded(t *testing.T) {
	a := testAgent()
	long := strings.Repeat("k", maxEvent/4)
	a.followLines(iotest.OneByteReader(strings.NewReader(`{"kind":"ready","kernel":"`+long+`","init":"`+long+`"}`+"\n")), unasked)
	got := <-a.ready
	if len(got.Kernel) > maxRelease || len(got.Init) > maxInit {
		t.Errorf("keeps %d and %d bytes", len(got.Kernel), len(got.Init))
	}
}

// A guest that reads nothing is told once more than it has room for, and holds up
// neither the one who asks nor the supervisor's end.
func TestStopOfAGuestThatDoesNotRead(t *testing.T) {
	a := testAgent()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	a.setLink(new(link.Link), ours)
	stopped := make(chan bool)
	go func() { stopped <- a.stop() }()
	a.warnings() // takes the lock
	ours.Close()
	if <-stopped {
		t.Error("a guest that does not read has heard")
	}
}

// meet connects to the agent's host end and says what.
func meet(t *testing.T, a *agent, what string) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { theirs.Close() })
	a.strangers.add(ours)
	go a.meet(ours)
	io.WriteString(theirs, what)
	return theirs
}

// offer opens the guest's side of a link and returns it with its control stream.
func offer(t *testing.T, a *agent) (*link.Link, *link.Stream) {
	t.Helper()
	l, err := link.Offer(meet(t, a, ""), a.secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	control, err := l.Next()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(control)
	h, err := link.ReadHeader(lines)
	if err != nil || h.Kind != agentapi.StreamControl || !strings.Contains(string(h.Payload), "unix_nano") {
		t.Fatalf("got %+v, %v", h, err)
	}
	return l, control
}

// A process of the guest that does not know the secret is no agent, and keeps no
// place from it.
func TestStrangersAreNotHeard(t *testing.T) {
	a := testAgent()
	for range 4 * maxStrangers {
		meet(t, a, "") // says nothing
	}
	stranger := meet(t, a, strings.Repeat(`{"kind":"ready"}`+"\n", 8))
	if _, err := stranger.Read(make([]byte, 1)); err == nil {
		t.Error("a stranger is spoken to")
	}
	_, control := offer(t, a)
	io.WriteString(control, `{"kind":"ready","kernel":"6.1"}`+"\n")
	if event := <-a.ready; event.Kernel != "6.1" {
		t.Errorf("got %+v", event)
	}
	if n := len(a.strangers.conns); n > maxStrangers {
		t.Errorf("%d strangers are kept", n)
	}
}

// The agent's latest link is the one that counts; a stream waits for one.
func TestLinksFollowEachOther(t *testing.T) {
	a := testAgent()
	opened := make(chan error)
	go func() {
		_, err := a.open(t.Context())
		opened <- err
	}()
	first, _ := offer(t, a)
	if _, err := first.Next(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	second, control := offer(t, a)
	<-first.Done()
	go func() {
		_, err := a.open(t.Context())
		opened <- err
	}()
	if _, err := second.Next(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	go a.stop()
	if line, err := bufio.NewReader(control).ReadString('\n'); !strings.Contains(line, agentapi.OrderStop) {
		t.Errorf("got %q, %v", line, err)
	}
	second.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for { // until that is noticed
		if _, err := a.open(ctx); err != nil && strings.Contains(err.Error(), "is not there") {
			break
		}
	}
}

func FuzzControlEvents(f *testing.F) {
	f.Add([]byte(`{"kind":"ready","kernel":"6.1","init":"/sbin/init"}` + "\n"))
	f.Add([]byte(`{"kind":"warning","detail":"\ud800"}` + "\n" + `[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := testAgent()
		a.followLines(strings.NewReader(string(data)), unasked)
		for _, w := range a.warnings() {
			if len(w) > maxWarning || !utf8.ValidString(w) {
				t.Errorf("keeps %q", w)
			}
		}
		if len(a.warn) > maxWarnings+1 {
			t.Errorf("keeps %d warnings", len(a.warn))
		}
	})
}

// A guest's clock is set by how long an answer took, so each question has one.
func TestTimeIsAnswered(t *testing.T) {
	var got []agentapi.Order
	before := time.Now().UnixNano()
	testAgent().followLines(strings.NewReader(strings.Repeat(`{"kind":"time"}`+"\n", 2)), func(o agentapi.Order) { got = append(got, o) })
	for _, o := range got {
		if o.Do != agentapi.OrderTime || o.UnixNano < before || o.UnixNano > time.Now().UnixNano() {
			t.Errorf("answers %+v", o)
		}
	}
	if len(got) != 2 {
		t.Errorf("%d answers to two questions", len(got))
	}
}

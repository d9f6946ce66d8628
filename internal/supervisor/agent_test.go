package supervisor

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"banger/internal/agentapi"
)

func testAgent() *agent { return &agent{ready: make(chan agentapi.Event, 1)} }

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
	testAgent().followLines(io.MultiReader(strings.NewReader(`{"kind":"`), line))
	if line.read > 2*maxEvent {
		t.Errorf("read %d bytes of a line without end", line.read)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	a := testAgent()
	long := strings.Repeat("w", 8*maxWarning)
	a.followLines(strings.NewReader(strings.Repeat(`{"kind":"warning","detail":"`+long+`"}`+"\n", 4*maxWarnings)))
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
	a.followLines(iotest.OneByteReader(strings.NewReader(`{"kind":"ready","kernel":"` + long + `","init":"` + long + `"}` + "\n")))
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
	a.setConn(ours)
	stopped := make(chan bool)
	go func() { stopped <- a.stop() }()
	a.warnings() // takes the lock
	ours.Close()
	if <-stopped {
		t.Error("a guest that does not read has heard")
	}
}

func FuzzControlEvents(f *testing.F) {
	f.Add([]byte(`{"kind":"ready","kernel":"6.1","init":"/sbin/init"}` + "\n"))
	f.Add([]byte(`{"kind":"warning","detail":"\ud800"}` + "\n" + `[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := testAgent()
		a.followLines(strings.NewReader(string(data)))
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

package vm

import (
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.boot("box")
	h.fails("is running", "vm", "resume", "box")
	// What runs when the guest is paused goes on when it is resumed.
	counter := h.command(t.Context(), "vm", "exec", "box", "--", "sh", "-c", "echo up; read word; echo $word")
	stdin, err := counter.StdinPipe()
	h.must(err)
	stdout, err := counter.StdoutPipe()
	h.must(err)
	h.must(counter.Start())
	awaitBytes(t, stdout, "up\n")

	h.ok("vm", "pause", "box")
	if v := h.show("box"); v.State.Phase != "paused" {
		t.Errorf("got %+v", v.State)
	}
	h.fails("is paused (banger vm resume box lets it go on)", "vm", "exec", "box", "true")
	h.fails("is paused", "vm", "pause", "box")
	h.fails("is paused", "vm", "rm", "box")
	_, err = stdin.Write([]byte("again\n"))
	h.must(err)
	time.Sleep(3 * time.Second) // for longer than a look at the clock takes
	h.ok("vm", "resume", "box")
	awaitBytes(t, stdout, "again\n")
	h.must(counter.Wait())
	h.awaitClock("box")

	h.ok("vm", "pause", "box")
	h.stop("box") // which a guest has to hear
	if v := h.show("box"); v.State.Reason != "stopped" {
		t.Errorf("got %+v", v.State)
	}
	h.fails("is stopped", "vm", "pause", "box")
	h.ok("vm", "rm", "box")
	h.wantNothingLeft()
}

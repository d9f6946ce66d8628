package logfile

import (
	"bufio"
	"errors"
	"io"
	"testing"
)

func TestFollow(t *testing.T) {
	f, _ := openLog(t, 1<<10)
	f.Write([]byte("before\n"))
	done, ended := make(chan struct{}), make(chan error)
	read, write := io.Pipe()
	go func() { ended <- f.Follow(write, done) }()
	lines := bufio.NewScanner(read)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("got %q, want %q", lines.Text(), want)
		}
	}
	expect("before")
	f.Write([]byte("after\n"))
	expect("after")
	close(done)
	if err := <-ended; err != nil || len(f.followers) != 0 {
		t.Errorf("it ends by %v, with %d followers", err, len(f.followers))
	}
}

// Nobody waits for a follower who does not read.
func TestSlowFollower(t *testing.T) {
	f, _ := openLog(t, 1<<10)
	to := &follower{next: make(chan []byte, 2)}
	if _, err := f.follow(to); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"1\n", "2\n", "3\n", "4\n"} {
		f.Write([]byte(line))
	}
	<-to.next
	<-to.next
	f.Write([]byte("5\n"))
	if got := string(<-to.next); got != "(2 lines more)\n5\n" {
		t.Errorf("got %q", got)
	}
}

func TestFollowerGone(t *testing.T) {
	f, _ := openLog(t, 1<<10)
	read, write := io.Pipe()
	read.CloseWithError(errors.New("gone"))
	if err := f.Follow(write, nil); err == nil || len(f.followers) != 0 {
		t.Errorf("got %v, and %d followers", err, len(f.followers))
	}
}

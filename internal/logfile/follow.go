package logfile

import (
	"bytes"
	"fmt"
	"io"
)

// maxBehind is how many writes a follower may be behind.
const maxBehind = 1024

// follower hears what is written to a log.
type follower struct {
	next    chan []byte
	dropped int // that it was too far behind for
}

// Follow copies what the log holds to w, and then what is written to it, until
// done is closed or w fails. One who is too slow misses lines, and nobody waits
// for it.
func (f *File) Follow(w io.Writer, done <-chan struct{}) error {
	to := &follower{next: make(chan []byte, maxBehind)}
	before, err := f.follow(to)
	defer f.unfollow(to)
	if err == nil {
		_, err = w.Write(before)
	}
	for err == nil {
		select {
		case part := <-to.next:
			_, err = w.Write(part)
		case <-done:
			return nil
		}
	}
	return err
}

// follow returns what there is before the first that to hears.
func (f *File) follow(to *follower) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := make([]byte, f.size)
	n, err := f.file.ReadAt(before, 0)
	if err == io.EOF {
		err = nil
	}
	f.followers = append(f.followers, to)
	return before[:n], err
}

func (f *File) unfollow(to *follower) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, other := range f.followers {
		if other == to {
			f.followers = append(f.followers[:i], f.followers[i+1:]...)
			return
		}
	}
}

// hear gives a follower what is written, where it has room for that.
func (o *follower) hear(p []byte) {
	part := bytes.Clone(p)
	if o.dropped > 0 {
		part = append(fmt.Appendf(nil, "(%d lines more)\n", o.dropped), part...)
	}
	select {
	case o.next <- part:
		o.dropped = 0
	default:
		o.dropped++
	}
}

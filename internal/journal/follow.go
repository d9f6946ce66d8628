package journal

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"banger/internal/statedir"
)

// Follower passes on what is in a journal, and what comes to it.
type Follower struct {
	journal *Journal
	changes *statedir.Watcher
	earlier *os.File // what comes before file, until it was read
	file    *os.File
	reader  reader
}

// Follow gives the events from a time on, which may be long ago, to its second argument, as Read
// and Next are called. The zero time is now.
func (j *Journal) Follow(since time.Time, to func(Entry) error) (*Follower, error) {
	changes, err := statedir.Watch(filepath.Dir(j.path), statedir.Writes)
	if err != nil {
		return nil, err
	}
	f := &Follower{journal: j, changes: changes, reader: reader{since: since, to: to}}
	if err := f.open(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// open finds where to begin.
func (f *Follower) open() (err error) {
	if f.file, err = openIfThere(f.journal.path); err != nil {
		return err
	}
	if f.reader.since.IsZero() {
		if f.file != nil {
			_, err = f.file.Seek(0, io.SeekEnd)
		}
		return err
	}
	if f.earlier, err = openIfThere(f.journal.earlier()); err != nil {
		return err
	}
	if f.file != nil && f.earlier != nil && same(f.file, f.earlier) {
		err = f.earlier.Close() // it has become that just now
		f.earlier = nil
	}
	return err
}

func openIfThere(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// Watch has Next return for changes of another directory too.
func (f *Follower) Watch(dir string) error { return f.changes.Add(dir, statedir.Entries) }

// Next waits until something may have come, and passes it on.
func (f *Follower) Next(ctx context.Context) error {
	if err := f.changes.Wait(ctx); err != nil {
		return err
	}
	return f.Read()
}

// Read passes on what has come.
func (f *Follower) Read() error {
	if f.earlier != nil {
		err := f.finish(f.earlier)
		f.earlier = nil
		if err != nil {
			return err
		}
	}
	for {
		if f.file != nil {
			if err := f.reader.read(f.file); err != nil {
				return err
			}
		}
		next, err := openIfThere(f.journal.path)
		switch {
		case err != nil:
			return err
		case next == nil:
			return nil
		case f.file == nil:
			f.file = next
			continue
		case same(f.file, next):
			return next.Close()
		}
		// What came between the last look and the change is read first.
		err = f.finish(f.file)
		if f.file = next; err != nil {
			return err
		}
	}
}

// finish reads a file to its end, to which nothing comes any more.
func (f *Follower) finish(file *os.File) error {
	err := errors.Join(f.reader.read(file), file.Close())
	f.reader.partial = nil
	return err
}

// Close ends it.
func (f *Follower) Close() error {
	for _, file := range []*os.File{f.earlier, f.file} {
		if file != nil {
			file.Close()
		}
	}
	return f.changes.Close()
}

func same(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// Package journal is the record of what happened to VMs: a line of JSON for each
// event, which every process that does something to a VM appends, and which others
// follow without asking.
//
// It guarantees whole lines in the order of time, and a bound on the disk that it
// takes: the older half goes. It is for people and programs to look at: nothing
// that banger does depends on it, and what cannot be written is left out.
package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"banger/internal/statedir"
)

// Entry is an event.
type Entry struct {
	Time   time.Time `json:"time"`
	VM     string    `json:"vm"`
	Event  string    `json:"event"`            // one of the constants
	Detail string    `json:"detail,omitempty"` // such as why it stopped, or what else is to be known
	Exec   string    `json:"exec,omitempty"`   // of a program: what tells it from others of the VM
	User   string    `json:"user,omitempty"`   // of a program
	Argv   []string  `json:"argv,omitempty"`   // of a program; long ones are cut
	Status *int      `json:"status,omitempty"` // of a program that has ended
}

// The events.
const (
	Created   = "created"
	Starting  = "starting"
	Ready     = "ready"
	Rebooting = "rebooting" // by itself
	Paused    = "paused"
	Resumed   = "resumed"
	Stopping  = "stopping"
	Stopped   = "stopped"
	Died      = "died"    // stopped by a fault
	Changed   = "changed" // in its settings
	Renamed   = "renamed"
	Restored  = "restored" // put back to a snapshot
	Removed   = "removed"
	ExecStart = "exec-start"
	ExecEnd   = "exec-end"
	MainStart = "command-start" // of a program that a VM runs by itself
	MainEnd   = "command-end"
	OOM       = "oom" // the guest's kernel killed a process for want of memory
	DiskError = "disk-error"
	Snapshot  = "snapshot"
)

// Kinds are all of them.
var Kinds = []string{
	Created, Starting, Ready, Rebooting, Paused, Resumed, Stopping, Stopped, Died, Changed, Renamed, Restored, Removed,
	ExecStart, ExecEnd, MainStart, MainEnd, OOM, DiskError, Snapshot,
}

// Bounds in bytes.
const (
	maxFile = 4 << 20 // of which there are two
	maxText = 1 << 10 // of a detail, and of a program's arguments
	maxArgv = 64      // arguments
)

// Journal is a state tree's.
type Journal struct{ path string }

// New returns the journal at path. It touches nothing.
func New(path string) *Journal { return &Journal{path} }

// earlier is what came before the file at path.
func (j *Journal) earlier() string { return j.path + ".1" }

// Append records an event that happens now.
func (j *Journal) Append(e Entry) error {
	e.Time = time.Now().UTC()
	line, err := json.Marshal(e.clipped())
	if err != nil {
		return fmt.Errorf("note an event: %w", err)
	}
	lock, err := statedir.LockSoon(context.Background(), j.path+".lock")
	if err != nil {
		return fmt.Errorf("note an event: %w", err)
	}
	defer lock.Release()
	if err := j.append(append(line, '\n')); err != nil {
		return fmt.Errorf("note an event: %w", err)
	}
	return nil
}

// append adds a line by one write. What a full disk or a kill left of another is
// ended first: readers skip it.
func (j *Journal) append(line []byte) error {
	if info, err := os.Stat(j.path); err == nil && info.Size()+int64(len(line)) > maxFile {
		if err := os.Rename(j.path, j.earlier()); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if info.Size() > 0 {
		if _, err := f.ReadAt(last, info.Size()-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	_, err = f.Write(line)
	return err
}

// clipped bounds what users and guests decide on.
func (e Entry) clipped() Entry {
	e.Detail = clip(e.Detail)
	if e.Argv == nil {
		return e
	}
	left := maxText
	var argv []string
	for i, arg := range e.Argv {
		if i == maxArgv || len(arg) > left {
			argv = append(argv, clip(arg[:min(len(arg), left)])+"…")
			break
		}
		left -= len(arg)
		argv = append(argv, arg)
	}
	e.Argv = argv
	return e
}

func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return text[:maxText] + "…" // JSON mends what is left of a rune
}

// reader makes events of what it is given of a file.
type reader struct {
	since   time.Time // what was before is left out
	to      func(Entry) error
	partial []byte
}

// maxLine is more than an entry takes, in bytes.
const maxLine = 64 << 10

func (r *reader) read(from io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		for part := range bytes.Lines(buf[:n]) {
			if err := r.take(part); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// take adds a part of a line. What is no event is left out.
func (r *reader) take(part []byte) error {
	if len(r.partial)+len(part) > maxLine {
		r.partial = append(r.partial[:0], '?') // no JSON
	}
	r.partial = append(r.partial, part...)
	if part[len(part)-1] != '\n' {
		return nil
	}
	var e Entry
	isEntry := json.Unmarshal(r.partial, &e) == nil && e.Event != ""
	r.partial = r.partial[:0]
	if !isEntry || e.Time.Before(r.since) {
		return nil
	}
	return r.to(e)
}

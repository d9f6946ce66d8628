package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"banger/internal/statedir"
	"banger/internal/supervisor"
	"banger/internal/vm"
)

// LogSource is whose log to read.
type LogSource string

// The logs of a VM.
const (
	OwnLog        LogSource = ""           // its own program's where it has one, or else the console's
	ConsoleLog    LogSource = "console"    // what its guest wrote to its console
	SupervisorLog LogSource = "supervisor" // what its supervisor did
	NetworkLog    LogSource = "network"    // what its guest was denied of the network
)

// LogOptions say what of a log to read.
type LogOptions struct {
	Source LogSource
	Follow bool      // go on until the VM is down
	Since  time.Time // what was written before is left out; the zero time leaves out nothing
	Tail   *int      // begin with so many of the last lines; nil is all
	Boot   int       // 0 is the latest, -1 the one before
}

// VMLog writes what of a VM's log is asked for to w. A log that was never written
// is an empty one.
func (e *Engine) VMLog(ctx context.Context, name string, o LogOptions, w io.Writer) error {
	v, err := e.vms.Get(name)
	if err != nil {
		return err
	}
	path, err := e.logPath(v, o)
	if err != nil {
		return err
	}
	log := logReader{path: path, to: w, half: supervisor.MaxConsoleLog / 2}
	if filepath.Base(path) == statedir.OutputLog {
		log.half = supervisor.MaxOutputLog / 2
	}
	defer log.close()
	if !o.Since.IsZero() {
		if log.offset, err = offsetAt(statedir.LogTimes(path), o.Since); err != nil {
			return err
		}
	}
	if o.Tail != nil {
		from, err := lastLines(path, *o.Tail)
		if err != nil {
			return err
		}
		if log.offset != atEnd {
			log.offset = max(log.offset, from)
		}
	}
	if !o.Follow || o.Boot != 0 {
		return log.read()
	}
	return e.followLog(ctx, name, &log)
}

func (e *Engine) logPath(v vm.VM, o LogOptions) (string, error) {
	file := statedir.ConsoleLog
	switch {
	case (o.Source == SupervisorLog || o.Source == NetworkLog) && (o.Boot != 0 || !o.Since.IsZero()):
		return "", fmt.Errorf("the %s's log is one for all boots, without times", o.Source)
	case o.Source == SupervisorLog:
		file = statedir.SupervisorLog
	case o.Source == NetworkLog:
		file = statedir.NetworkLog
	case o.Source == OwnLog && v.Main != nil:
		file = statedir.OutputLog
	}
	boots := max(o.Boot, -o.Boot)
	if boots > statedir.KeptLogs {
		return "", fmt.Errorf("boot %d: the logs of %d boots before the latest are kept", o.Boot, statedir.KeptLogs)
	}
	return statedir.EarlierLog(e.vms.Path(v.Name, file), boots), nil
}

// offsetAt is where in a log begins what was written since a time.
func offsetAt(times string, since time.Time) (int64, error) {
	f, err := os.Open(times)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var offset, nanos int64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if n, _ := fmt.Sscan(lines.Text(), &offset, &nanos); n == 2 && !time.Unix(0, nanos).Before(since) {
			return offset, nil
		}
	}
	return atEnd, nil
}

// lastLines is where in a log so many of its last lines begin.
func lastLines(path string, lines int) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || lines == 0 {
		return end, err
	}
	block := make([]byte, 64<<10)
	for at := end; at > 0; {
		part := block[:min(at, int64(len(block)))]
		at -= int64(len(part))
		if _, err := f.ReadAt(part, at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := len(part) - 1; i >= 0; i-- {
			if part[i] != '\n' || at+int64(i)+1 == end { // which ends the last line
				continue
			}
			if lines--; lines == 0 {
				return at + int64(i) + 1, nil
			}
		}
	}
	return 0, nil
}

// atEnd is behind all that is in a log.
const atEnd = -1

// followLog writes what comes to a log until the VM is down.
func (e *Engine) followLog(ctx context.Context, name string, log *logReader) error {
	changes, err := statedir.Watch(e.vms.Path(name, ""), statedir.Writes)
	if errors.Is(err, fs.ErrNotExist) {
		return log.read()
	}
	if err != nil {
		return err
	}
	defer changes.Close()
	for {
		v, err := e.vms.Get(name)
		up := err == nil && v.State.Phase.Alive()
		if err := log.read(); err != nil || !up {
			return err
		}
		if err := changes.Wait(ctx); err != nil {
			return err
		}
	}
}

// logReader reads a log that grows, begins anew and makes way for another.
type logReader struct {
	path   string
	to     io.Writer
	file   *os.File
	offset int64
	half   int64 // of the log's greatest size
}

// read writes what is new. Where there is another log now, the one before is read
// to its end first.
func (l *logReader) read() error {
	for {
		if err := l.readOpen(); err != nil {
			return err
		}
		next, err := os.Open(l.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if l.file != nil && sameFile(l.file, next) {
			return next.Close()
		}
		if l.file != nil {
			l.offset = 0
		}
		l.close()
		l.file = next
	}
}

func (l *logReader) readOpen() error {
	if l.file == nil {
		return nil
	}
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	switch {
	case l.offset == atEnd:
		l.offset = info.Size()
	case info.Size() < l.offset: // its older half went
		l.offset = max(l.offset-l.half, 0)
	}
	n, err := io.Copy(l.to, io.NewSectionReader(l.file, l.offset, info.Size()-l.offset))
	l.offset += n
	return err
}

func (l *logReader) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

func sameFile(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// OpenConsole opens what a VM's guest wrote to its console at its last start.
func (e *Engine) OpenConsole(name string) (io.ReadCloser, error) {
	return e.openLog(name, statedir.ConsoleLog)
}

// openLog opens one of a VM's logs. One that was never written is empty.
func (e *Engine) openLog(name, file string) (io.ReadCloser, error) {
	if _, err := e.vms.Get(name); err != nil {
		return nil, err
	}
	f, err := os.Open(e.vms.Path(name, file))
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return f, err
}

package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"banger/internal/logfile"
	"banger/internal/statedir"
)

// logFile is a log of what a guest writes. Those of some boots before are kept. A
// file beside it says what was written when.
type logFile struct {
	path  string
	limit int64 // bytes, of which the older half goes when it is full

	file  *logfile.File
	times *os.File
	noted time.Time // the latest time in times
	notes int       // how many there are
}

// noteEvery is how exact a log's times are.
const noteEvery = 100 * time.Millisecond

// maxNotes is how many times are kept of a log: a guest that writes a byte at a time
// could have more of them than bytes. Where there are more, every second one goes.
const maxNotes = 32 << 10

// begin makes ready for a boot's log, and moves those before out of its way.
func (l *logFile) begin() error {
	l.Close()
	if info, err := os.Stat(l.path); err == nil && info.Size() > 0 {
		for boot := statedir.KeptLogs; boot > 0; boot-- {
			from, to := statedir.EarlierLog(l.path, boot-1), statedir.EarlierLog(l.path, boot)
			os.Rename(from, to)
			os.Rename(statedir.LogTimes(from), statedir.LogTimes(to))
		}
	}
	var err error
	if l.file, err = logfile.Create(l.path, l.limit); err == nil {
		l.times, err = os.OpenFile(statedir.LogTimes(l.path), os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	}
	if err != nil {
		l.Close()
		return fmt.Errorf("open a guest's log: %w", err)
	}
	l.noted, l.notes = time.Time{}, 0
	return nil
}

// Write never fails: a full disk must not stall the guest.
func (l *logFile) Write(p []byte) (int, error) {
	if l.file == nil || l.times == nil {
		return len(p), nil
	}
	before := l.file.Size()
	if now := time.Now(); now.Sub(l.noted) >= noteEvery {
		fmt.Fprintf(l.times, "%d %d\n", before, now.UnixNano())
		l.noted = now
		if l.notes++; l.notes > maxNotes {
			l.renote(func(number int, offset int64) (int64, bool) { return offset, number%2 == 0 })
		}
	}
	n, _ := l.file.Write(p)
	if gone := before + int64(n) - l.file.Size(); gone > 0 {
		l.shift(gone)
	}
	return len(p), nil
}

// shift takes the times of what has gone from the log's start.
func (l *logFile) shift(gone int64) {
	l.renote(func(_ int, offset int64) (int64, bool) { return offset - gone, offset >= gone })
}

// renote writes the times anew: those that stay, with the offsets that they have then.
func (l *logFile) renote(stays func(number int, offset int64) (int64, bool)) {
	old, err := os.ReadFile(l.times.Name())
	if err != nil || l.times.Truncate(0) != nil {
		return
	}
	l.notes = 0
	var kept bytes.Buffer
	number := 0
	for line := range bytes.Lines(old) {
		var offset, nanos int64
		if n, _ := fmt.Sscan(string(line), &offset, &nanos); n != 2 {
			continue
		}
		if now, ok := stays(number, offset); ok {
			fmt.Fprintf(&kept, "%d %d\n", now, nanos)
			l.notes++
		}
		number++
	}
	l.times.Write(kept.Bytes())
}

// Close ends the log.
func (l *logFile) Close() error {
	if l.times != nil {
		l.times.Close()
		l.times = nil
	}
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

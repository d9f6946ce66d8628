package engine

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"banger/internal/agent"
	"banger/internal/format/tree"
)

// Place is a file or a directory, on the host or in a guest.
type Place struct {
	VM   string // whose guest's; "" is the host's
	Path string // in a guest below the user's home where relative
}

func (p Place) String() string {
	if p.VM == "" {
		return p.Path
	}
	return p.VM + ":" + p.Path
}

// CopyOptions say what is copied where. Sources are as they are: nothing is
// ignored.
type CopyOptions struct {
	From    []Place
	To      Place
	Follow  bool   // what a link that is a source leads to is copied, and not the link
	Archive bool   // owners, setuid bits and devices stay as they are, where this process is root
	User    string // as whom in guests, and whose files are there; "" is root
	Events  Events

	// Stdin, if not nil, is a tar to unpack into To, a directory in a guest, which Make
	// creates if it is absent; From is empty then. Stdout, if not nil, gets a tar of the
	// one source, which is in a guest; To does not count then.
	Stdin  io.Reader
	Make   bool
	Stdout io.Writer
}

// ErrNoGuest says that neither side of a copy is in a guest.
var ErrNoGuest = errors.New("neither side is in a vm")

// Copy copies files and directories into guests, out of them, and from one to another, by
// the rules of docker cp. However it ends, a file has its name only if it is whole.
func (e *Engine) Copy(ctx context.Context, o CopyOptions) error {
	if o.Stdin != nil {
		return e.copyTar(ctx, o)
	}
	for _, from := range o.From {
		if o.Stdout == nil && from.VM == "" && o.To.VM == "" {
			return ErrNoGuest
		}
	}
	for _, from := range o.From {
		if err := e.copyOne(ctx, o, from); err != nil {
			return fmt.Errorf("copy %s: %w", from, err)
		}
	}
	return nil
}

func (e *Engine) copyOne(ctx context.Context, o CopyOptions, from Place) (err error) {
	meter := newMeter(o.Events, "copying "+from.String())
	into := agent.Target{Keep: o.Archive, Target: tree.Target{Path: o.To.Path, Name: nameOf(from.Path), Into: len(o.From) > 1}}
	var notes string
	switch {
	case from.VM == "":
		notes, err = e.copyClient(o, o.To).UnpackFrom(ctx, func(w io.Writer) error {
			return buffered(meter.writer(w), func(w io.Writer) error {
				return tree.Pack(w, from.Path, tree.PackOptions{Follow: o.Follow, Note: o.Events.notice})
			})
		}, into)
	case o.Stdout == nil && o.To.VM != "":
		if isWithin(from, o.To) {
			return fmt.Errorf("%s is within it", o.To)
		}
		notes, err = e.copyClient(o, from).PackInto(ctx, from.Path, o.Follow, e.copyClient(o, o.To), into)
	default:
		notes, err = e.copyClient(o, from).PackTo(ctx, from.Path, o.Follow, func(r io.Reader) error {
			r = meter.reader(bufio.NewReaderSize(r, copyBuffer))
			if o.Stdout != nil {
				return buffered(o.Stdout, func(w io.Writer) error { return tree.Rename(w, r, cmp.Or(into.Name, ".")) })
			}
			return full(o.To.Path, tree.Unpack(r, into.Target, tree.UnpackOptions{Keep: o.Archive, Guarded: true, Note: o.Events.notice}))
		})
	}
	if notes != "" && err == nil {
		o.Events.notice(notes)
	}
	return err
}

func (e *Engine) copyClient(o CopyOptions, p Place) *agent.Client {
	return e.agent(p.VM, cmp.Or(o.User, guestRoot))
}

// copyTar unpacks a tar in a guest.
func (e *Engine) copyTar(ctx context.Context, o CopyOptions) error {
	if o.To.VM == "" {
		return ErrNoGuest
	}
	meter := newMeter(o.Events, "copying to "+o.To.String())
	notes, err := e.copyClient(o, o.To).UnpackFrom(ctx, func(w io.Writer) error {
		_, err := io.Copy(meter.writer(w), o.Stdin)
		return err
	}, agent.Target{Keep: o.Archive, Any: true, Make: o.Make, Target: tree.Target{Path: o.To.Path}})
	if notes != "" && err == nil {
		o.Events.notice(notes)
	}
	return err
}

// copyBuffer is how much of a tar is passed on at once.
const copyBuffer = 64 << 10

// buffered passes on to w, in large pieces, what write writes.
func buffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(w, copyBuffer)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}

// nameOf is what a source is called in the directory that it is copied into, or "" if its
// content is copied in place of the directory itself.
func nameOf(file string) string {
	if file == "." || strings.HasSuffix(file, "/.") {
		return ""
	}
	switch base := path.Base(file); base {
	case ".", "..", "/":
		return ""
	default:
		return base
	}
}

// isWithin reports whether place is dir, or below it, going by their names.
func isWithin(dir, place Place) bool {
	if dir.VM != place.VM {
		return false
	}
	above, below := path.Clean(dir.Path), path.Clean(place.Path)
	return above == below || above == "/" || strings.HasPrefix(below, above+"/")
}

// meter reports how much of a copy is done, once it takes long enough to wonder.
type meter struct {
	events Events
	step   string
	done   int64
	told   time.Time
}

const (
	firstTold = time.Second
	toldAgain = 100 * time.Millisecond
)

func newMeter(events Events, step string) *meter {
	return &meter{events: events, step: step, told: time.Now().Add(firstTold - toldAgain)}
}

func (m *meter) count(n int) {
	m.done += int64(n)
	if time.Since(m.told) >= toldAgain {
		m.told = time.Now()
		m.events.progress(m.step, m.done, Unknown)
	}
}

func (m *meter) writer(w io.Writer) io.Writer { return io.MultiWriter(w, meterWriter{m}) }
func (m *meter) reader(r io.Reader) io.Reader { return io.TeeReader(r, meterWriter{m}) }

type meterWriter struct{ *meter }

func (m meterWriter) Write(p []byte) (int, error) {
	m.count(len(p))
	return len(p), nil
}

// FullError says that the disk with a directory of the user's is full.
type FullError struct {
	Dir string
	Err error
}

func (e *FullError) Error() string { return e.Err.Error() }
func (e *FullError) Unwrap() error { return e.Err }

// full turns an error that means a full disk into a *FullError for dir.
func full(dir string, err error) error {
	if abs, absErr := filepath.Abs(dir); errors.Is(err, syscall.ENOSPC) && absErr == nil {
		return &FullError{abs, err}
	}
	return err
}

package agent

import (
	"context"
	"errors"
	"io"

	"banger/internal/agentapi"
	"banger/internal/format/packed"
	"banger/internal/format/tree"
)

// Target is where in the guest a tree goes.
type Target struct {
	tree.Target
	Any  bool // the tar is any, and goes into the directory that the target is
	Make bool // with Any: that is made where absent
	Keep bool // owners stay as they are, and are not the client's user
}

// Pack writes what is at a path in the guest, in the form of package packed, to w. With
// follow it is what a link there leads to. It returns what the guest says was left out.
func (c *Client) Pack(ctx context.Context, path string, follow bool, w io.Writer) (notes string, err error) {
	request := agentapi.PackStream{User: c.user, Path: agentapi.Raw(path), Follow: follow}
	return c.serveNoted(ctx, agentapi.StreamPack, request, Streams{Stdout: w})
}

// Unpack unpacks a tar in the form of package packed in the guest, and returns what
// the guest says was left out.
func (c *Client) Unpack(ctx context.Context, r io.Reader, to Target) (notes string, err error) {
	request := agentapi.UnpackStream{User: c.user, Path: agentapi.Raw(to.Path), Name: agentapi.Raw(to.Name), Into: to.Into, Any: to.Any, Make: to.Make, Keep: to.Keep}
	return c.serveNoted(ctx, agentapi.StreamUnpack, request, Streams{Stdin: r, Stdout: io.Discard})
}

// UnpackFrom unpacks in the guest the tar that write writes.
func (c *Client) UnpackFrom(ctx context.Context, write func(io.Writer) error, to Target) (notes string, err error) {
	return through(ctx, func(_ context.Context, w io.Writer) (string, error) {
		out := packed.NewWriter(w)
		if err := write(out); err != nil {
			return "", err
		}
		return "", out.Close()
	}, func(ctx context.Context, r io.Reader) (string, error) { return c.Unpack(ctx, r, to) })
}

// PackTo gives the tar of a path in the guest to read, which reads it to its end.
func (c *Client) PackTo(ctx context.Context, path string, follow bool, read func(io.Reader) error) (notes string, err error) {
	return through(ctx, func(ctx context.Context, w io.Writer) (string, error) { return c.Pack(ctx, path, follow, w) },
		func(_ context.Context, r io.Reader) (string, error) {
			in := packed.NewReader(r)
			if err := read(in); err != nil {
				return "", err
			}
			if n, err := io.Copy(io.Discard, io.LimitReader(in, 1)); err != nil || n == 0 {
				return "", err
			}
			return "", errors.New("more follows than was asked for")
		})
}

// PackInto copies a path in the guest to another guest, or to another place in it.
func (c *Client) PackInto(ctx context.Context, path string, follow bool, other *Client, to Target) (notes string, err error) {
	return through(ctx, func(ctx context.Context, w io.Writer) (string, error) { return c.Pack(ctx, path, follow, w) },
		func(ctx context.Context, r io.Reader) (string, error) { return other.Unpack(ctx, r, to) })
}

// through joins write to read. The error is that of the side that failed first, and
// nothing is waited for after one of the reading side: writing may wait for a program
// that never goes on.
func through(ctx context.Context, write func(context.Context, io.Writer) (string, error), read func(context.Context, io.Reader) (string, error)) (notes string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reader, writer := io.Pipe()
	type end struct {
		notes string
		err   error
	}
	wrote := make(chan end, 1)
	go func() {
		notes, err := write(ctx, writer)
		wrote <- end{notes, err} // before the reading side can hear of it
		writer.CloseWithError(err)
	}()
	notes, err = read(ctx, reader)
	if err != nil {
		select {
		case writing := <-wrote:
			if writing.err != nil && ctx.Err() == nil {
				err = writing.err
			}
		default:
		}
		reader.CloseWithError(io.ErrClosedPipe) // of which the writing side makes an error of its own
		return "", err
	}
	writing := <-wrote
	return writing.notes + notes, writing.err
}

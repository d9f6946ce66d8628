package imagemgr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"banger/internal/digest"
	"banger/internal/fetch"
	"banger/internal/registry"
	"banger/internal/statedir"
)

// tries is how often in a row a transfer may fail without a byte of progress.
const tries = 5

// open returns a blob from the cache, into which it is fetched where it is not
// there yet.
func (r *repository) open(ctx context.Context, d v1.Descriptor) (part, error) {
	if p, err := openPart(r.cache.Path(d.Digest.Hex, statedir.Blob)); err == nil {
		return p, nil
	}
	stage, err := r.cache.Stage()
	if err != nil {
		return part{}, err
	}
	defer stage.Discard()
	if err := r.fetchFile(ctx, d, stage.Path(statedir.Blob)); err != nil {
		return part{}, err
	}
	p, err := openPart(stage.Path(statedir.Blob)) // before another prunes it
	if err != nil {
		return part{}, err
	}
	// Another process may have been faster.
	if err := stage.Publish(d.Digest.Hex); err != nil && !errors.Is(err, statedir.ErrExist) {
		p.Close()
		return part{}, err
	}
	return p, nil
}

func (r *repository) fetchFile(ctx context.Context, d v1.Descriptor, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return plain(err)
	}
	err = r.fetch(ctx, d, newRoomyFile(f, filepath.Dir(path)))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if isDisk(err) {
		return fmt.Errorf("write the cache: %w", plain(err))
	}
	return err
}

// fetch writes a blob to w and checks its digest. A transfer that breaks off
// is taken up where it ended.
func (r *repository) fetch(ctx context.Context, d v1.Descriptor, w io.Writer) error {
	sum, err := digest.New(d.Digest)
	if err != nil {
		return err
	}
	w = io.MultiWriter(w, sum)
	have, failed := int64(0), 0
	for have < d.Size {
		n, err := r.fetchFrom(ctx, d, have, w)
		have += n
		if err == nil {
			continue
		}
		if n > 0 {
			failed = 0
		}
		if failed++; failed == tries || !passing(err) {
			return registry.Explain(r.Name, err)
		}
		if err := fetch.Sleep(ctx, r.backoff<<failed); err != nil {
			return err
		}
	}
	return sum.Verify()
}

// fetchFrom writes what follows the first have bytes of a blob, and tells how
// much that was.
func (r *repository) fetchFrom(ctx context.Context, d v1.Descriptor, have int64, w io.Writer) (int64, error) {
	header := http.Header{"Accept-Encoding": {"identity"}}
	if have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", have, d.Size-1))
	}
	resp, err := r.find(ctx, d, header)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body := io.Reader(resp.Body)
	switch {
	case resp.StatusCode == http.StatusOK:
		// A layer is compressed itself, and its length reports whether there is more to it.
		if resp.ContentLength != d.Size {
			if body, err = registry.Decoded(resp); err != nil {
				return 0, err
			}
		}
		// All of it again: not every registry knows ranges.
		if _, err := io.CopyN(io.Discard, body, have); err != nil {
			return 0, err
		}
	case !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
		return 0, &registry.StatusError{Code: resp.StatusCode}
	}
	n, err := io.Copy(w, r.meter.reader(io.LimitReader(body, d.Size-have)))
	if err == nil && n < d.Size-have {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// maxPlaces is how many other places are asked for a blob.
const maxPlaces = 8

// find asks the registry for a blob and, where it is not there, the places that
// the manifest names: some layers only their makers may distribute.
func (r *repository) find(ctx context.Context, d v1.Descriptor, header http.Header) (*http.Response, error) {
	resp, err := r.Get(ctx, "blobs/"+d.Digest.String(), header)
	for _, place := range d.URLs[:min(len(d.URLs), maxPlaces)] {
		if !errors.As(err, new(*registry.MissingError)) {
			break
		}
		resp, err = r.GetElsewhere(ctx, place, header)
	}
	return resp, err
}

// isDisk reports whether it was the disk that failed, and not the network.
func isDisk(err error) bool {
	return errors.As(err, new(*fs.PathError)) || errors.As(err, new(*statedir.NoSpaceError))
}

// passing reports whether a transfer that broke off with err is worth another
// try.
func passing(err error) bool {
	if isDisk(err) || !fetch.MayMend(err) {
		return false
	}
	_, denied := errors.AsType[*registry.AccessError](err)
	_, limited := errors.AsType[*registry.RateLimitError](err)
	_, missing := errors.AsType[*registry.MissingError](err)
	_, answered := errors.AsType[*registry.StatusError](err) // more than once
	return !answered && !denied && !limited && !missing && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

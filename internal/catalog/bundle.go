package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"banger/internal/fetch"
)

// Promise is what an entry says of its bundle.
type Promise struct {
	URL    string
	SHA256 string // 64 lower-case hex digits
	Size   int64
}

// Bundle is a bundle while it is downloaded. What is read has not been checked
// before Check has.
type Bundle struct {
	promise  Promise
	body     *fetch.Body
	digest   hash.Hash
	n        int64
	progress func(done, total int64)
}

// OpenBundle begins to download what p promises. progress may be nil.
func OpenBundle(ctx context.Context, p Promise, o fetch.Options, progress func(done, total int64)) (*Bundle, error) {
	body, err := fetch.Open(ctx, p.URL, o)
	if err != nil {
		return nil, err
	}
	if body.Size >= 0 && body.Size != p.Size {
		body.Close()
		return nil, fmt.Errorf("%s has %d bytes, and the catalog says %d", p.URL, body.Size, p.Size)
	}
	return &Bundle{promise: p, body: body, digest: sha256.New(), progress: progress}, nil
}

func (b *Bundle) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.digest.Write(p[:n])
	if b.n += int64(n); b.n > b.promise.Size {
		return 0, fmt.Errorf("%s has more bytes than the %d that the catalog says", b.promise.URL, b.promise.Size)
	}
	if b.progress != nil && n > 0 {
		b.progress(b.n, b.promise.Size)
	}
	return n, err
}

// Check reads what is left, and compares all of it with the promise.
func (b *Bundle) Check() error {
	if _, err := io.Copy(io.Discard, b); err != nil {
		return err
	}
	p := b.promise
	if b.n != p.Size {
		return fmt.Errorf("%s has %d bytes, and the catalog says %d", p.URL, b.n, p.Size)
	}
	if got := hex.EncodeToString(b.digest.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("%s is not what the catalog says: its SHA-256 is %s, not %s", p.URL, got, p.SHA256)
	}
	return nil
}

// Close ends the download.
func (b *Bundle) Close() error { return b.body.Close() }

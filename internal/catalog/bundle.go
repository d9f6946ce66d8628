package catalog

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"banger/internal/artifact"
	"banger/internal/fetch"
	"banger/internal/format/bundle"
	"banger/internal/statedir"
)

// Promise is what an entry says of its bundle.
type Promise struct {
	URL       string // or a reference, by digest, to an artifact in a registry
	SHA256    string // 64 lower-case hex digits
	Size      int64
	CosignKey string // in PEM, of who has to have signed the artifact; "" is nobody
}

func (p Promise) inRegistry() bool { return strings.HasPrefix(p.URL, artifact.Scheme) }

func (p Promise) key() (crypto.PublicKey, error) {
	if p.CosignKey == "" {
		return nil, nil
	}
	return artifact.ParseKey([]byte(p.CosignKey))
}

// locate returns where a promised bundle is, and how to fetch it.
func (p Promise) locate(ctx context.Context, o fetch.Options) (url string, _ fetch.Options, err error) {
	if !p.inRegistry() {
		return p.URL, o, nil
	}
	key, err := p.key()
	if err != nil {
		return "", o, err
	}
	found, err := artifact.Find(ctx, artifact.Options{Reference: p.URL, Insecure: o.Insecure, Key: key, Say: o.Say})
	if err != nil {
		return "", o, fmt.Errorf("%s: %w", p.URL, err)
	}
	if found.SHA256 != p.SHA256 {
		return "", o, fmt.Errorf("%s has another bundle than promised: its SHA-256 is %s, not %s", p.URL, found.SHA256, p.SHA256)
	}
	o.Transport = found.Transport
	return found.URL, o, nil
}

// download is a bundle while it is downloaded. What is read has not been checked
// before check has.
type download struct {
	promise  Promise
	body     *fetch.Body
	digest   hash.Hash
	n        int64
	progress func(done, total int64)
}

// Unpack downloads the bundle that p promises and unpacks what it holds, as what says, to
// dir meanwhile. It returns the files, once the bundle is known to be the promised one.
// progress may be nil.
func Unpack(ctx context.Context, dir string, p Promise, what bundle.Options, o fetch.Options, progress func(done, total int64)) ([]bundle.File, error) {
	if err := statedir.CheckSpace(dir, p.Size); err != nil {
		return nil, err
	}
	promised, err := openBundle(ctx, p, o, progress)
	if err != nil {
		return nil, err
	}
	defer promised.close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	room := &statedir.Room{Dir: dir}
	what.Room = room.Take
	files, err := bundle.Unpack(ctx, promised, root, what)
	if err != nil && !errors.As(err, new(*bundle.Error)) {
		return nil, err
	}
	if err := promised.check(); err != nil {
		return nil, err // which says more than what other bytes unpack to
	}
	return files, err
}

// openBundle begins to download what p promises. progress may be nil.
func openBundle(ctx context.Context, p Promise, o fetch.Options, progress func(done, total int64)) (*download, error) {
	url, o, err := p.locate(ctx, o)
	if err != nil {
		return nil, err
	}
	body, err := fetch.Open(ctx, url, o)
	if err != nil {
		return nil, err
	}
	if body.Size >= 0 && body.Size != p.Size {
		body.Close()
		return nil, fmt.Errorf("%s has %d bytes, and the catalog says %d", p.URL, body.Size, p.Size)
	}
	return &download{promise: p, body: body, digest: sha256.New(), progress: progress}, nil
}

func (b *download) Read(p []byte) (int, error) {
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

// check reads what is left, and compares all of it with the promise.
func (b *download) check() error {
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

// close ends the download.
func (b *download) close() error { return b.body.Close() }

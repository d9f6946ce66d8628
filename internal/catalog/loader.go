package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"aead.dev/minisign"

	"banger/internal/fetch"
	"banger/internal/statedir"
)

// signatureSuffix is what minisign gives a signature's name.
const signatureSuffix = ".minisig"

// maxSignature is how many bytes of a signature are read.
const maxSignature = 8 << 10

// Loader reads catalogs. It keeps what it has fetched, so that the network is
// needed once, and that none is ever replaced by an older one.
type Loader struct {
	Cache statedir.Tree
	Fetch fetch.Options
}

// Load returns the bytes of a catalog: of a remote one those that were fetched
// last, if ever. What it returns has passed parse, which returns its serial.
func (l *Loader) Load(ctx context.Context, from Location, parse func([]byte) (serial int64, err error)) ([]byte, error) {
	if from.remote() && from.check() == nil {
		if data, _, err := l.cached(from, parse); err == nil {
			return data, nil
		}
	}
	return l.Refresh(ctx, from, parse)
}

// Refresh is Load that fetches in any case.
func (l *Loader) Refresh(ctx context.Context, from Location, parse func([]byte) (serial int64, err error)) ([]byte, error) {
	data, err := l.refresh(ctx, from, parse)
	if err != nil {
		return nil, fmt.Errorf("catalog %q: %w", from.Name, err)
	}
	return data, nil
}

func (l *Loader) refresh(ctx context.Context, from Location, parse func([]byte) (int64, error)) ([]byte, error) {
	if err := from.check(); err != nil {
		return nil, err
	}
	if !from.remote() {
		return readLocal(from, parse)
	}
	key := cacheKey(from)
	lock, err := l.Cache.Lock(ctx, key)
	if err != nil {
		return nil, err
	}
	defer lock.Remove()
	data, signature, err := l.fetch(ctx, from)
	if err != nil {
		return nil, err
	}
	if err := from.verify(data, signature); err != nil {
		return nil, err
	}
	serial, err := parse(data)
	if err != nil {
		return nil, err
	}
	if _, last, err := l.cached(from, parse); err == nil && serial < last {
		return nil, fmt.Errorf("%s is older than what was there before: its serial is %d, and was %d", from.At, serial, last)
	}
	return data, l.store(key, data, signature)
}

func readLocal(from Location, parse func([]byte) (int64, error)) ([]byte, error) {
	f, err := os.Open(from.At)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAll(f, from.At, MaxSize)
	if err != nil {
		return nil, err
	}
	_, err = parse(data)
	return data, err
}

// fetch gets a catalog and its signature, which is empty where none is needed.
func (l *Loader) fetch(ctx context.Context, from Location) (data, signature []byte, err error) {
	if data, err = l.fetchFile(ctx, from, "", MaxSize); err != nil || from.PublicKey == "" {
		return data, nil, err
	}
	signature, err = l.fetchFile(ctx, from, signatureSuffix, maxSignature)
	var status *fetch.StatusError
	if errors.As(err, &status) {
		err = fmt.Errorf("it is not signed: %w", err)
	}
	return data, signature, err
}

func (l *Loader) fetchFile(ctx context.Context, from Location, suffix string, limit int64) ([]byte, error) {
	o := l.Fetch
	o.Insecure = from.Insecure
	body, err := fetch.Open(ctx, from.At+suffix, o)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return readAll(body, from.At+suffix, limit)
}

// readAll reads what is not larger than limit.
func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d KiB", name, limit>>10)
	}
	return data, err
}

// verify reports whether data carries the signature that is asked for.
func (l Location) verify(data, signature []byte) error {
	key, err := l.key()
	if err != nil || key == nil {
		return err
	}
	if !minisign.Verify(*key, data, signature) {
		return fmt.Errorf("%s does not carry the signature of the key %s", l.At, l.PublicKey)
	}
	return nil
}

// cacheKey is the name of a remote catalog in the cache.
func cacheKey(l Location) string {
	sum := sha256.Sum256([]byte(l.At))
	return hex.EncodeToString(sum[:16])
}

// cached returns a remote catalog as it was fetched last, with its serial, if
// it still passes.
func (l *Loader) cached(from Location, parse func([]byte) (int64, error)) ([]byte, int64, error) {
	key := cacheKey(from)
	data, err := os.ReadFile(l.Cache.Path(key, statedir.Catalog))
	if err != nil {
		return nil, 0, err
	}
	signature, err := os.ReadFile(l.Cache.Path(key, statedir.CatalogSignature))
	if err != nil {
		return nil, 0, err
	}
	if err := from.verify(data, signature); err != nil {
		return nil, 0, err
	}
	serial, err := parse(data)
	return data, serial, err
}

func (l *Loader) store(key string, data, signature []byte) error {
	stage, err := l.Cache.Stage()
	if err != nil {
		return err
	}
	defer stage.Discard()
	if err := os.WriteFile(stage.Path(statedir.Catalog), data, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(stage.Path(statedir.CatalogSignature), signature, 0o600); err != nil {
		return err
	}
	return stage.Replace(key)
}

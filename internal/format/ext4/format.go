package ext4

// Format makes f, which loses what it holds, an empty file system of size bytes to
// be written to. seed is what its UUID is made of. It writes a few blocks whatever
// the size. Above 256 GiB the kernel has to grow it the rest of the way.
func Format(f interface {
	Device
	File
}, size int64, seed []byte) error {
	w, err := NewWriter(f, Options{})
	if err != nil {
		return err
	}
	w.SetSeed(seed)
	if err := w.Close(); err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	return Grow(f, size)
}

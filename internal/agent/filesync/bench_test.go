package filesync

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A directory of 20,000 files that has not changed: what each step of a sync takes.
func BenchmarkUnchanged(b *testing.B) {
	top := b.TempDir()
	for d := range 200 {
		dir := filepath.Join(top, fmt.Sprintf("dir%d", d))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for f := range 100 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%d", f)), []byte("content"), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	there, err := scanned(top, func(string) bool { return false })
	if err != nil {
		b.Fatal(err)
	}
	names := there.Names()
	hashed, err := Hash(context.Background(), top, names)
	if err != nil {
		b.Fatal(err)
	}
	base := Base{}
	for name, e := range there {
		if h, is := hashed[name]; is {
			e = h
		}
		base[name] = Known{e.Content, e.Stamp, e.Stamp}
	}
	var listed bytes.Buffer
	there.Write(&listed)
	kept := base.Encode(nil)
	for name, step := range map[string]func() error{
		"scan":      func() error { return Scan(new(bytes.Buffer), top, func(string) bool { return false }) },
		"look":      func() error { _, err := Look(top, names); return err },
		"hash":      func() error { _, err := Hash(context.Background(), top, names); return err },
		"write":     func() error { return there.Write(new(bytes.Buffer)) },
		"read":      func() error { _, err := Read(bytes.NewReader(listed.Bytes())); return err },
		"decode":    func() error { _, _, err := DecodeBase(kept); return err },
		"encode":    func() error { base.Encode(nil); return nil },
		"reconcile": func() error { Reconcile(base, hashed, hashed); return nil },
		"harmless":  func() error { Harmless(nil, hashed, nil); return nil },
	} {
		b.Run(name, func(b *testing.B) {
			begin := cpu()
			for b.Loop() {
				if err := step(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu()-begin).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpu is what this process has had of the processors.
func cpu() time.Duration {
	var use unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &use)
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

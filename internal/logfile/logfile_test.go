package logfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openLog(t *testing.T, size int64) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f := New(file, size)
	t.Cleanup(func() { f.Close() })
	return f, path
}

// However it is written, a full log has the newest at its end.
func TestFileIsBounded(t *testing.T) {
	for _, step := range []int{1, 7, 64, 100, 1000, 5000} {
		f, path := openLog(t, 64)
		var all bytes.Buffer
		for i := range 5000 / step {
			chunk := []byte(strings.Repeat(string(rune('a'+i%26)), step))
			all.Write(chunk)
			if n, err := f.Write(chunk); n != step || err != nil {
				t.Fatal(n, err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || len(got) > 64 || len(got) < 32 || !bytes.HasSuffix(all.Bytes(), got) {
			t.Errorf("steps of %d: %d bytes, %q, %v", step, len(got), got, err)
		}
	}
}

func TestFileGoesOn(t *testing.T) {
	f, path := openLog(t, 64)
	f.Write([]byte("one\n"))
	f.Close()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	again := New(file, 64)
	defer again.Close()
	again.Write([]byte("two\n"))
	if got, _ := os.ReadFile(path); string(got) != "one\ntwo\n" {
		t.Errorf("got %q", got)
	}
}

func TestFileSurvivesAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("needs /dev/full")
	}
	f := New(full, 64)
	defer f.Close()
	if n, err := f.Write(make([]byte, 1000)); n != 1000 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestLines(t *testing.T) {
	var out strings.Builder
	l := NewLines(&out)
	now := time.Now()
	l.now = func() time.Time { return now }
	for _, text := range []string{"a\nb", "b\n", strings.Repeat("bb\n", 3), strings.Repeat("x", maxLine*3), "\nend\n", "half"} {
		if n, err := l.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	l.Close()
	want := "a\nbb\n(the same 3 times more)\n" + strings.Repeat("x", maxLine) + "\nend\nhalf\n"
	if out.String() != want {
		t.Errorf("got %.200q", out.String())
	}
}

func TestLinesAreLimited(t *testing.T) {
	var out strings.Builder
	l := NewLines(&out)
	now := l.filled
	l.now = func() time.Time { return now }
	for i := range 100_000 {
		fmt.Fprintf(l, "line %d\n", i)
	}
	if n := strings.Count(out.String(), "\n"); n != burst {
		t.Errorf("%d lines at once", n)
	}
	now = now.Add(time.Second)
	for i := range 1000 {
		fmt.Fprintf(l, "later %d\n", i)
	}
	if n := strings.Count(out.String(), "later"); n != perSecond || !strings.Contains(out.String(), fmt.Sprintf("(%d lines more)\n", 100_000-burst)) {
		t.Errorf("%d lines a second later", n)
	}
}

// A program's standard error is a file to append to, which is how a supervisor
// has its log.
func TestAppendedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f := New(file, 64)
	defer f.Close()
	for i := range 100 {
		fmt.Fprintf(f, "line %d\n", i)
	}
	got, err := os.ReadFile(path)
	if err != nil || len(got) > 64 || !strings.HasSuffix(string(got), "line 98\nline 99\n") {
		t.Errorf("the log is %q, %v", got, err)
	}
}

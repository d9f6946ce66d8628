package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func testJournal(t testing.TB) *Journal {
	t.Helper()
	return New(filepath.Join(t.TempDir(), "events.jsonl"))
}

func add(t testing.TB, j *Journal, e Entry) {
	t.Helper()
	if err := j.Append(e); err != nil {
		t.Fatal(err)
	}
}

// all is what a follower from the beginning on hears at once.
func all(t testing.TB, j *Journal, since time.Time) (entries []Entry) {
	t.Helper()
	f, err := j.Follow(since, func(e Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Read(); err != nil {
		t.Fatal(err)
	}
	return entries
}

var ever = time.Unix(1, 0)

func TestAppend(t *testing.T) {
	j := testJournal(t)
	if got := all(t, j, ever); got != nil {
		t.Errorf("an empty journal has %+v", got)
	}
	status := 7
	add(t, j, Entry{VM: "a", Event: Created})
	between := time.Now()
	add(t, j, Entry{VM: "a", Event: ExecEnd, Argv: []string{"x", "\xff\n"}, Status: &status})
	got := all(t, j, ever)
	if len(got) != 2 || got[0].Event != Created || *got[1].Status != 7 || got[0].Time.After(between) {
		t.Errorf("got %+v", got)
	}
	if got := all(t, j, between); len(got) != 1 || got[0].Event != ExecEnd {
		t.Errorf("since then: %+v", got)
	}
	if got := all(t, j, time.Time{}); got != nil {
		t.Errorf("from now on: %+v", got)
	}
}

// What a kill left half-written is skipped, and takes nothing else with it.
func TestTornLines(t *testing.T) {
	j := testJournal(t)
	add(t, j, Entry{VM: "a", Event: Created})
	f, err := os.OpenFile(j.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("{}\n" + strings.Repeat("x", 3*maxLine) + "\n" + `{"vm":"a","eve`)
	f.Close()
	add(t, j, Entry{VM: "a", Event: Removed})
	if got := all(t, j, ever); len(got) != 2 || got[1].Event != Removed {
		t.Errorf("got %+v", got)
	}
}

func TestBounds(t *testing.T) {
	j := testJournal(t)
	long := strings.Repeat("é", maxText)
	add(t, j, Entry{VM: "a", Event: ExecStart, Detail: long, Argv: append(make([]string, 500), long)})
	add(t, j, Entry{VM: "a", Event: ExecStart, Argv: []string{"sh", long, "more"}})
	got := all(t, j, ever)
	if len(got) != 2 || len(got[0].Detail) > maxText+8 || len(got[0].Argv) != maxArgv+1 || len(got[1].Argv) != 2 {
		t.Errorf("got %d entries, %+v", len(got), got)
	}
	for range 3 * maxFile / maxText {
		add(t, j, Entry{VM: "a", Event: Stopped, Detail: long})
	}
	entries, _ := os.ReadDir(filepath.Dir(j.path))
	var sum int64
	for _, e := range entries {
		info, _ := e.Info()
		sum += info.Size()
	}
	if sum > 2*maxFile || sum < maxFile || len(entries) != 3 {
		t.Errorf("%d bytes in %v", sum, entries)
	}
}

// Followers hear each event once and in order, whoever writes, also while files
// change.
func TestFollow(t *testing.T) {
	j := testJournal(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	heard := map[string]int{}
	f, err := j.Follow(time.Time{}, func(e Entry) error {
		var writer string
		var number int
		fmt.Sscan(e.Detail, &writer, &number)
		if number != heard[writer] {
			t.Errorf("%s: heard %d, want %d", writer, number, heard[writer])
		}
		if heard[writer]++; heard["a"] == 3000 && heard["b"] == 3000 {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var writers sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		writers.Go(func() {
			for i := range 3000 {
				if err := j.Append(Entry{VM: name, Event: Ready, Detail: fmt.Sprintf("%s %d %s", name, i, strings.Repeat("x", 900))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for ctx.Err() == nil {
		if err := f.Next(ctx); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	}
	writers.Wait()
	if heard["a"] != 3000 || heard["b"] != 3000 {
		t.Errorf("heard %v", heard)
	}
}

// FuzzRead reads what anything may have written.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"event":"ready","vm":"a"}`+"\n"+`{"event":1}`+"\n\n{"), 7)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		r := reader{to: func(e Entry) error {
			if e.Event == "" {
				t.Error("an event without a kind")
			}
			return nil
		}}
		cut = max(0, min(cut, len(data)))
		for _, part := range [][]byte{data[:cut], data[cut:]} {
			if err := r.read(strings.NewReader(string(part))); err != nil {
				t.Error(err)
			}
		}
		if len(r.partial) > maxLine {
			t.Errorf("%d bytes are kept", len(r.partial))
		}
	})
}

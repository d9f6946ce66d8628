package usernet

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestHosts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("127.0.0.1 localhost a.localhost\n127.0.1.1\tbox app.local # dev.test\n::1 box six.test\n192.0.2.1 DEV.test dev2\nbad dev.test\n" +
		"192.0.2.2 dev.test.\n192.0.2.1 dev.test\n192.0.2.3")
	upstream := func(_ context.Context, _ string, q []byte) ([]byte, error) {
		question, _ := parseQuestion(q)
		return answer(q, question, nameError), nil
	}
	answers := func(records ...[]byte) func([]byte) []byte {
		return func(query []byte) []byte {
			q, _ := parseQuestion(query)
			return answerWith(query, q, records...)
		}
	}
	n := &Network{options: Options{Log: io.Discard}, servers: func() []string { return []string{"one"} }, ctx: t.Context(), hosts: hostNames{path: file}}
	for _, tt := range []struct {
		name     string
		kind     uint16
		loopback bool
		want     func([]byte) []byte
	}{
		{"dev.TEST", typeA, false, answers([]byte{192, 0, 2, 1}, []byte{192, 0, 2, 2})},
		{"dev2", typeA, false, answers([]byte{192, 0, 2, 1})},
		{"dev.test", typeAAAA, false, empty(noError)},
		{"dev.test", 16, false, empty(nameError)},
		{"app.local", typeA, false, empty(nameError)},
		{"app.local", typeA, true, answers(host.AsSlice())},
		{"box", typeAAAA, true, empty(noError)},
		{"localhost", typeA, true, empty(nameError)},
		{"a.localhost", typeA, true, empty(nameError)},
		{"six.test", typeAAAA, true, empty(nameError)},
		{"other.test", typeA, true, empty(nameError)},
	} {
		n.options.HostLoopback = tt.loopback
		q := query(tt.name, tt.kind)
		if got, want := n.resolve(q, upstream), tt.want(q); !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%swant\n%s", tt.name, hex.Dump(got), hex.Dump(want))
		}
	}
	write("192.0.2.4 other.test\n")
	q := query("other.test", typeA)
	if got, want := n.resolve(q, upstream), answers([]byte{192, 0, 2, 4})(q); !bytes.Equal(got, want) {
		t.Errorf("after a change: got\n%s", hex.Dump(got))
	}
	os.Remove(file)
	if got, want := n.resolve(q, upstream), empty(nameError)(q); !bytes.Equal(got, want) {
		t.Errorf("without the file: got\n%s", hex.Dump(got))
	}
}

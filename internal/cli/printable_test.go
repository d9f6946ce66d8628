package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"banger/internal/vm"
)

// hostile are texts that do something to a terminal or to its reader, and how
// they are shown.
var hostile = []struct{ name, text, want string }{
	{"plain", "debian 12 (bookworm)", "debian 12 (bookworm)"},
	{"other scripts", "größe 日本 👍", "größe 日本 👍"},
	{"combined letters", "e\u0301", "e\u0301"},
	{"clipboard", "a\x1b]52;c;aGk=\x07b", `a\x1b]52;c;aGk=\x07b`},
	{"title", "\x1b]0;root@host\x1b\\", `\x1b]0;root@host\x1b\`},
	{"line above", "\x1b[1A\x1b[2Kbanger: all is well", `\x1b[1A\x1b[2Kbanger: all is well`},
	{"answer back", "\x1b[c\x1b[6n\x05", `\x1b[c\x1b[6n\x05`},
	{"hyperlink", "\x1b]8;;http://x\x1b\\y", `\x1b]8;;http://x\x1b\y`},
	{"device control", "\x1bP$q\x1b\\", `\x1bP$q\x1b\`},
	{"one-byte controls", "\u009b2J\u009d0;x\u009c\u0085", `\u009b2J\u009d0;x\u009c\u0085`},
	{"bare bytes of them", "\x9b2J", `\x9b2J`},
	{"carriage return", "evil\rgood", `evil\rgood`},
	{"backspace", "rm\b\bls", `rm\x08\x08ls`},
	{"null, bell, form feed, delete", "\x00\a\f\v\x7f", `\x00\x07\x0c\x0b\x7f`},
	{"character sets", "\x0e\x0f", `\x0e\x0f`},
	{"right to left", "\u202egnp.exe\u2066\u2069\u200f\u061c", `\u202egnp.exe\u2066\u2069\u200f\u061c`},
	{"no width", "ban\u200bger\u200d\u2060\ufeff\u00ad\u034f\u180e", `ban\u200bger\u200d\u2060\ufeff\u00ad\u034f\u180e`},
	{"fillers and selectors", "\u3164\u115f\ufe0f\U000e0101", `\u3164\u115f\ufe0f\U000e0101`},
	{"tags", "\U000e0041", `\U000e0041`},
	{"line separators", "a\u2028b\u2029", `a\u2028b\u2029`},
	{"private and unassigned", "\ue000\uffff\U000fffff", `\ue000\uffff\U000fffff`},
	{"no UTF-8", "\xff\xc3(\xe2\x80", `\xff\xc3(\xe2\x80`},
	{"overlong and surrogates", "\xc0\x9b\xed\xa0\x80", `\xc0\x9b\xed\xa0\x80`},
	{"replacement itself", "\ufffd", "\ufffd"},
}

func TestPrintable(t *testing.T) {
	for _, tt := range hostile {
		if got := printable(tt.text); got != tt.want {
			t.Errorf("%s: got %q", tt.name, got)
		}
		if got := filtered(t, tt.text, 1<<20); got != tt.want {
			t.Errorf("%s, filtered: got %q", tt.name, got)
		}
		for _, size := range []int{1, 2, 3} { // a rune may come in pieces
			if got := filtered(t, tt.text, size); got != tt.want {
				t.Errorf("%s, by %d: got %q", tt.name, size, got)
			}
		}
	}
	if got := printable("a\tb\nc"); got != `a\tb\nc` {
		t.Errorf("got %q", got)
	}
	if got := oneLine("one\ntwo\tthree\n"); got != `one; two\tthree` {
		t.Errorf("got %q", got)
	}
}

// Of a text of many lines, the ends and the tabs are no harm.
func TestFilterLines(t *testing.T) {
	const text = "a\tb\r\nc\n\r\n\rd\r\re\r"
	for size := 1; size < len(text); size++ {
		if got, want := filtered(t, text, size), "a\tb\nc\n\n\\rd\\r\\re\\r"; got != want {
			t.Errorf("by %d: got %q", size, got)
		}
	}
}

// filtered writes text through a filter, so many bytes at once.
func filtered(t *testing.T, text string, size int) string {
	t.Helper()
	var out bytes.Buffer
	f := newFilter(&out)
	for len(text) > 0 {
		n := min(size, len(text))
		if written, err := f.Write([]byte(text[:n])); err != nil || written != n {
			t.Fatalf("wrote %d of %d, %v", written, n, err)
		}
		text = text[n:]
	}
	f.flush()
	return out.String()
}

func TestPrintableJSON(t *testing.T) {
	for _, tt := range hostile {
		var out bytes.Buffer
		if err := printJSON(&out, map[string]string{"text": tt.text}); err != nil {
			t.Fatal(err)
		}
		if !harmless(out.String()) {
			t.Errorf("%s: got %q", tt.name, out.String())
		}
		var back map[string]string
		err := json.Unmarshal(out.Bytes(), &back)
		if want := strings.ToValidUTF8(tt.text, ""); err != nil || strings.ReplaceAll(back["text"], "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
			t.Errorf("%s: read back %q, %v", tt.name, back["text"], err)
		}
	}
}

// A guest that does not come up has the last word, and a tag or an architecture
// comes back in what is wrong with it.
func TestReportIsPrintable(t *testing.T) {
	for _, tt := range hostile {
		var printed bytes.Buffer
		a := &app{Streams: Streams{Err: newFilter(&printed)}}
		err := fmt.Errorf("start: %w", &vm.StartError{
			Message: "one\nbanger: " + tt.text, Hint: tt.text, Console: []string{tt.text + "\nbanger: forged"},
		})
		if code := a.report(t.Context(), err); code != exitFailure {
			t.Errorf("%s: exit code %d", tt.name, code)
		}
		want := "  | " + tt.want + "\\nbanger: forged\nbanger: start: one; banger: " + tt.want + " (" + tt.want + ")\n"
		if printed.String() != want {
			t.Errorf("%s: got %q", tt.name, printed.String())
		}
	}
}

// harmless reports whether a terminal shows text and does nothing else.
func harmless(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || !unicode.IsGraphic(r))
	})
}

func FuzzPrintable(f *testing.F) {
	for i, tt := range hostile {
		f.Add(tt.text, i)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		if line := printable(text); !harmless(line) || strings.ContainsAny(line, "\n\t") {
			t.Errorf("printable(%q) is %q", text, line)
		}
		got := filtered(t, text, 1+max(size, 0)%8)
		if !harmless(got) {
			t.Errorf("filtered %q is %q", text, got)
		}
		if whole := filtered(t, text, 1<<20); got != whole {
			t.Errorf("in pieces %q, whole %q", got, whole)
		}
		data, err := json.Marshal(text)
		if err == nil && (!harmless(string(printableJSON(data))) || !json.Valid(printableJSON(data))) {
			t.Errorf("JSON of %q is %q", text, printableJSON(data))
		}
	})
}

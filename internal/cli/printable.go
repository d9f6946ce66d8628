package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Guests, images, registries and archives write much of what banger prints, and
// a terminal obeys what it is sent: it changes its title, its clipboard, its lines
// above. All that people read goes through a filter, which lets through what can
// be seen, and shows the rest as escapes.

// visible reports whether a rune takes a place of its own on a terminal and does
// nothing else: no control, no change of direction, nothing of no width.
func visible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// printable returns text, which may come from anywhere, as a line for a terminal.
func printable(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		b.WriteString(shown(text[:n], r))
		text = text[n:]
	}
	return b.String()
}

// shown is a rune, read from raw, as a terminal may be sent it.
func shown(raw string, r rune) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case visible(r):
		return raw
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r == '\r':
		return `\r`
	case r <= unicode.MaxASCII:
		return fmt.Sprintf(`\x%02x`, r)
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// oneLine is printable of a message that may have several lines.
func oneLine(text string) string {
	return printable(strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "))
}

// filter is printable for a text of many lines, which keeps their ends and their
// tabs. It may be used by several goroutines.
type filter struct {
	mu   sync.Mutex
	to   io.Writer
	rest []byte // the beginning of a rune, or a CR whose LF may follow
}

func newFilter(to io.Writer) *filter { return &filter{to: to} }

// Write implements io.Writer.
func (f *filter) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := append(f.rest, p...)
	var b strings.Builder
	for len(text) > 0 && (utf8.FullRune(text) && string(text) != "\r") {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == '\r' && text[1] == '\n':
		default:
			b.WriteString(shown(string(text[:n]), r))
		}
		text = text[n:]
	}
	f.rest = append([]byte(nil), text...)
	if _, err := io.WriteString(f.to, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes what was waiting for more that did not come.
func (f *filter) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	io.WriteString(f.to, printable(string(f.rest)))
	f.rest = nil
}

// printableJSON escapes what cannot be seen in strings; elsewhere JSON is ASCII.
func printableJSON(data []byte) []byte {
	var b []byte
	for _, r := range string(data) {
		switch {
		case visible(r) || r == '\n':
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}

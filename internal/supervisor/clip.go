package supervisor

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much is kept of what a guest says, in bytes. vm.json holds it, which every
// list reads.
const (
	maxRelease  = 128 // of uname's release, which has 64
	maxInit     = 512 // of a path
	maxReason   = 512
	maxWarning  = 512
	maxWarnings = 32 // of them, and one that says that there were more
)

// clip returns text as one line of valid UTF-8 of at most limit bytes: in logs, each
// line has one writer.
func clip(text string, limit int) string {
	const cut = "…"
	whole := len(text) <= limit
	if !whole {
		text = text[:limit-len(cut)]
		for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		if last, _ := utf8.DecodeLastRuneInString(text); last == utf8.RuneError && len(text) > 0 {
			text = text[:len(text)-1] // the start of a rune that was cut
		}
	}
	text = strings.Map(onOneLine, strings.ToValidUTF8(text, "?"))
	if !whole {
		text += cut
	}
	return text
}

func onOneLine(r rune) rune {
	if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
		return ' '
	}
	return r
}

package process

import "strings"

const tailSize = 4096

// lastLines keeps the end of what is written to it.
type lastLines struct{ buf []byte }

func (t *lastLines) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - tailSize; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return len(p), nil
}

// String returns the last line that is not blank. Where that is indented, it comes
// with those before it that it belongs to, in one line.
func (t *lastLines) String() string {
	text := strings.TrimSpace(string(t.buf))
	for at := len(text); ; {
		at = strings.LastIndexByte(text[:at], '\n')
		line := text[at+1:]
		if at >= 0 && strings.TrimSpace(line) != line {
			continue
		}
		if strings.Contains(line, "\n") {
			line = strings.Join(strings.Fields(line), " ")
		}
		return line
	}
}

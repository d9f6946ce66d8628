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

// String returns the last line that is not blank.
func (t *lastLines) String() string {
	text := strings.TrimSpace(string(t.buf))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

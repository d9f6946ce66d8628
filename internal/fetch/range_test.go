package fetch

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A part is the one that was asked for, of the file that was begun, or refused.
func FuzzContentRange(f *testing.F) {
	f.Add("bytes 5-9/10", "20")
	f.Add("bytes 5-9/*", "Fri, 01 Jan 2100 00:00:00 GMT")
	f.Add("bytes 5-18446744073709551616/10", "-1")
	f.Fuzz(func(t *testing.T, text, after string) {
		b := &Body{Size: 10, at: 5}
		h := http.Header{"Content-Range": {text}, "Retry-After": {after}}
		if err := b.acceptRest(&http.Response{Header: h}); err == nil && !strings.HasPrefix(text, "bytes") {
			t.Errorf("%q was taken", text)
		}
		if wait := pause(1, &StatusError{retryAfter: RetryAfter(h)}); wait < 0 || wait > max(MaxRetryAfter, time.Second) {
			t.Errorf("a wait of %v for %q", wait, after)
		}
	})
}

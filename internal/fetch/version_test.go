package fetch

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	const old, sent = "Mon, 23 Nov 2026 04:00:00 GMT", "Mon, 23 Nov 2026 05:00:00 GMT"
	tests := map[string]struct {
		first, then http.Header
		ifRange     string
		same        bool
	}{
		"nothing":         {http.Header{}, http.Header{}, "", true},
		"tag":             {http.Header{"Etag": {`"a"`}}, http.Header{"Etag": {`"a"`}}, `"a"`, true},
		"another tag":     {http.Header{"Etag": {`"a"`}}, http.Header{"Etag": {`"b"`}}, `"a"`, false},
		"no tag any more": {http.Header{"Etag": {`"a"`}}, http.Header{}, `"a"`, false},
		"a tag now":       {http.Header{}, http.Header{"Etag": {`"a"`}}, "", false},
		"weak tag":        {http.Header{"Etag": {`W/"a"`}}, http.Header{"Etag": {`W/"b"`}}, "", true},
		"tag before date": {http.Header{"Etag": {`"a"`}, "Last-Modified": {old}, "Date": {sent}}, http.Header{"Etag": {`"a"`}}, `"a"`, true},
		"date":            {http.Header{"Last-Modified": {old}, "Date": {sent}}, http.Header{"Last-Modified": {old}}, old, true},
		"another date":    {http.Header{"Last-Modified": {old}, "Date": {sent}}, http.Header{"Last-Modified": {sent}}, old, false},
		"date left out":   {http.Header{"Last-Modified": {old}, "Date": {sent}}, http.Header{}, old, true},
		"just modified":   {http.Header{"Last-Modified": {sent}, "Date": {sent}}, http.Header{"Last-Modified": {sent}}, "", true},
		"no clock":        {http.Header{"Last-Modified": {old}}, http.Header{"Last-Modified": {old}}, "", true},
	}
	for what, test := range tests {
		v := versionOf(test.first)
		if got := v.ifRange(); got != test.ifRange {
			t.Errorf("%s: asks for %q, want %q", what, got, test.ifRange)
		}
		if got := v.mayBe(versionOf(test.then)); got != test.same {
			t.Errorf("%s: the same: %v", what, got)
		}
	}
}

// Without a tag, the date keeps the changed file apart from the old one.
func TestResumeByDate(t *testing.T) {
	for date, want := range map[string]string{
		"Mon, 02 Jan 2006 15:04:05 GMT": "",
		"Mon, 02 Jan 2006 15:04:06 GMT": "the file changed",
	} {
		var s *server
		s = serve(t, 300_000, func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.Header()["Etag"] = nil
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			if n == 1 {
				w.Header().Set("Content-Length", fmt.Sprint(len(s.content)))
				w.Write(s.content[:100_000])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Last-Modified", date)
			w.Header().Set("Content-Range", "bytes 100000-299999/300000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(s.content[100_000:])
			return true
		})
		got, err := s.fetch(t, s.options())
		switch {
		case want == "" && (err != nil || !bytes.Equal(got, s.content)):
			t.Errorf("%d bytes, %v", len(got), err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("got %v, want ... %s", err, want)
		}
		if got := s.requests[1].Header.Get("If-Range"); got != "Mon, 02 Jan 2006 15:04:05 GMT" {
			t.Errorf("asked for the version %q", got)
		}
	}
}

// A page is one whatever it is called, and a short file is none.
func TestWebPageByContent(t *testing.T) {
	for body, want := range map[string]string{
		" \n<!doctype HTML>\n<title>Sign in": "sent a web page",
		"<html>":                             "sent a web page",
		"(":                                  "",
		"":                                   "",
	} {
		s := serve(t, 0, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/octet-stream")
			io.WriteString(w, body)
			return true
		})
		got, err := s.fetch(t, s.options())
		if want == "" && (err != nil || string(got) != body) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %q, %v", body, got, err)
		}
	}
}

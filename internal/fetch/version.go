package fetch

import (
	"net/http"
	"strings"
	"time"
)

// version is what a server says of which version of a file it sends. All of it
// may be empty: then the length has to do, and the caller's digest.
type version struct {
	etag     string // only where it stands for the very bytes
	modified string
	dated    bool // modified says enough, by RFC 9110, 8.8.2.2
}

func versionOf(h http.Header) version {
	v := version{modified: h.Get("Last-Modified")}
	if tag := h.Get("ETag"); !strings.HasPrefix(tag, "W/") {
		v.etag = tag
	}
	modified, err := http.ParseTime(v.modified)
	sent, sentErr := http.ParseTime(h.Get("Date"))
	v.dated = err == nil && sentErr == nil && sent.Sub(modified) >= time.Second
	return v
}

// ifRange is the header of that name that asks for a part of this very version,
// "" where none can.
func (v version) ifRange() string {
	if v.etag == "" && v.dated {
		return v.modified
	}
	return v.etag
}

// mayBe reports whether nothing speaks against w being the same version. A part
// need not repeat when the whole was modified.
func (v version) mayBe(w version) bool {
	if v.etag != "" || w.etag != "" {
		return v.etag == w.etag
	}
	return v.modified == w.modified || v.modified == "" || w.modified == ""
}

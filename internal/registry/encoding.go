package registry

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Decoded is a response's body without the encoding that it was given on the way:
// what stands between compresses at times what nobody asked to be compressed.
// Bytes that are only said to be encoded stay as they are.
func Decoded(resp *http.Response) (io.Reader, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return resp.Body, nil
	case "gzip", "x-gzip":
		in := bufio.NewReader(resp.Body)
		if head, _ := in.Peek(2); string(head) != "\x1f\x8b" {
			return in, nil
		}
		return gzip.NewReader(in)
	default:
		return nil, fmt.Errorf("the registry sends it encoded as %q, which was not asked for", encoding)
	}
}

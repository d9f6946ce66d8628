package edge

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// A host that answers before it has heard a request out is heard to its end.
func TestAnswerBeforeTheBody(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusUnauthorized)
		io.WriteString(rw, "no")
	}, nil)
	client := w.client(true)
	for range 50 {
		// It has more than waits anywhere, and after that nothing.
		body, more := io.Pipe()
		go more.Write(make([]byte, 4<<20))
		answer, err := client.Post("https://api.test/", "", io.MultiReader(bytes.NewReader([]byte("x")), body))
		must(t, err)
		said, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		body.Close()
		if answer.StatusCode != http.StatusUnauthorized || string(said) != "no" || err != nil {
			t.Fatalf("got %s, %q, %v", answer.Status, said, err)
		}
	}
}

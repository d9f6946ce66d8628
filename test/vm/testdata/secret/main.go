// Command secret asks a server over HTTPS by what the guest's programs trust, with
// its variable TOKEN: as a header, as a password, in the query and, of its input,
// a large body. It prints what the server says to each.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
)

const size = 4 << 20 // bytes

func main() {
	address, token := os.Args[1], os.Getenv("TOKEN")
	var total []byte
	for _, how := range []string{"header", "basic", "query", "body"} {
		hash := sha256.New()
		var body io.Reader
		if how == "body" {
			body = io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), hash)
		}
		r, err := http.NewRequest(http.MethodPost, address+"/"+how, body)
		if err != nil {
			fail(err)
		}
		switch how {
		case "query":
			r.URL.RawQuery = "key=" + token
		case "basic":
			r.SetBasicAuth("user", token)
		default:
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			fail(err)
		}
		said, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			fail(err)
		}
		if how == "body" {
			same := string(said) == string(hash.Sum(nil))
			said = fmt.Appendf(nil, "%d, the same: %v", answer.StatusCode, same)
		}
		total = fmt.Appendf(total, "%s: %s\n", how, said)
	}
	os.Stdout.Write(total)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

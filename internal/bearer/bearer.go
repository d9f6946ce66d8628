// Package bearer has HTTP servers answer only those who send a token.
//
// It makes no token and keeps none; how long one has to be it says for all servers
// alike. How long a wrong one is looked at says nothing of the right one.
package bearer

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
)

// MinLength is how short a token may be that a user gives, in characters.
const MinLength = 16

// Check says what is wrong with a token, which the variable of the environment has.
func Check(variable, token string) error {
	if len(token) < MinLength {
		return fmt.Errorf("%s has to have a token of at least %d characters", variable, MinLength)
	}
	return nil
}

// Require lets through to next who sends the token, as RFC 6750 has it, and has
// refuse answer others, with the status 401.
func Require(token string, next http.Handler, refuse http.HandlerFunc) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

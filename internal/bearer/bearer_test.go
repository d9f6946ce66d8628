package bearer

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRequire(t *testing.T) {
	const token = "0123456789abcdef"
	if err := Check("TOKEN", token); err != nil {
		t.Error(err)
	}
	if Check("TOKEN", token[1:]) == nil {
		t.Error("a short token will do")
	}
	refuse := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	h := Require(token, http.NotFoundHandler(), refuse)
	for sent, want := range map[string]int{
		"": 401, "Bearer": 401, token: 401, "Bearer " + token[1:]: 401, "Bearer " + token + "0": 401, "bearer " + token: 401, "Bearer " + token: 404,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", sent)
		if h.ServeHTTP(w, r); w.Code != want || (want == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%q: %d", sent, w.Code)
		}
	}
}

package edge

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"banger/internal/secret"
)

// What changes of the secrets is in force from the next request on, within the same
// connection too, as far as the guest knows of it.
func TestChange(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Echo", r.Header.Get("Authorization"))
			io.WriteString(rw, r.Header.Get("Authorization"))
		}, nil)
		client := w.client(http2)
		ask := func() (heard, echoed string) {
			t.Helper()
			r, err := http.NewRequest(http.MethodGet, "https://api.test/", nil)
			must(t, err)
			r.Header.Set("Authorization", "Bearer "+fake)
			answer, err := client.Do(r)
			must(t, err)
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			must(t, err)
			return string(body), answer.Header.Get("Echo")
		}
		if heard, _ := ask(); heard != "Bearer "+token {
			t.Fatalf("the host heard %q", heard)
		}
		const rotated = "ghp_Rotated0Rotated0Rotated0Rotated0Rotated0Longer"
		all := w.edge.held.Load().secrets
		if !w.edge.Change(all, values(t, map[string]string{"TOKEN": rotated, "PASSWORD": password, "OTHER": other})) {
			t.Error("a new value is not in force at once")
		}
		if heard, echoed := ask(); heard != "Bearer "+rotated || echoed != "Bearer "+fake {
			t.Errorf("the host heard %q, and the guest %q", heard, echoed)
		}
		more := append(all[:len(all):len(all)], secret.Secret{Name: "NEW", Hosts: []secret.Host{"api.test"}})
		if w.edge.Change(more, values(t, map[string]string{"TOKEN": token, "PASSWORD": password, "OTHER": other, "NEW": "new-value"})) {
			t.Error("a secret that the guest has not heard of is in force")
		}
		if heard, _ := ask(); heard != "Bearer "+token {
			t.Errorf("the host heard %q", heard)
		}
		elsewhere := []secret.Secret{{Name: "TOKEN", Hosts: []secret.Host{"api.test", "elsewhere.test"}}}
		if w.edge.Change(elsewhere, values(t, map[string]string{"TOKEN": token})) || w.edge.Wants("elsewhere.test", 443) {
			t.Error("a host that the guest trusts nobody for is wanted")
		}
		if !w.edge.Change(nil, nil) || w.edge.Wants("api.test", 443) {
			t.Error("a secret that was taken away is in force")
		}
		if heard, _ := ask(); strings.Contains(heard, token) {
			t.Errorf("the host heard %q", heard)
		}
	})
}

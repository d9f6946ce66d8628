package edge

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What a guest may not do with a placeholder, and what is said of it.
func TestPlaceholdersElsewhere(t *testing.T) {
	for _, tt := range []struct {
		what, host, path, header string
		status                   int
		note                     string
	}{
		{"another host's secret in a header", "api.test", "/", fakeOth, 403, "secret OTHER"},
		{"in Basic credentials", "api.test", "/", "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+fakeOth)), 403, "secret OTHER"},
		{"beside one of this host's", "api.test", "/", fake + fakeOth, 403, "secret OTHER"},
		{"in the query", "api.test", "/?x=" + fakeOth, "", 403, "secret OTHER"},
		{"in an escaped query", "api.test", "/?x=%6f" + fakeOth[1:], "", 403, "secret OTHER"},
		{"in the path", "api.test", "/x" + fakeOth, "", 403, "secret OTHER"},
		{"in an escaped path", "api.test", "/%6f" + fakeOth[1:], "", 403, "secret OTHER"},
		{"another host behind this one's TLS", "evil.test", "/", fake, 421, `"evil.test"`},
		{"a host below", "a.api.test", "/", fake, 421, `"a.api.test"`},
		{"another port", "api.test:8443", "/", fake, 421, `"api.test:8443"`},
		{"this port", "API.test:443", "/", fake, 200, "with secret TOKEN"},
		{"with a dot at the end", "api.test.", "/", fake, 200, "with secret TOKEN"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			both(t, func(t *testing.T, http2 bool) {
				reached := 0
				w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { reached++ }, nil)
				r, err := http.NewRequest(http.MethodGet, "https://api.test"+tt.path, nil)
				must(t, err)
				r.Host = tt.host
				r.Header.Set("Authorization", tt.header)
				answer, err := w.client(http2).Do(r)
				must(t, err)
				defer answer.Body.Close()
				if answer.StatusCode != tt.status || (tt.status == 200) != (reached == 1) {
					t.Errorf("got %s, the host was reached %d times", answer.Status, reached)
				}
				if !strings.Contains(w.noted(), tt.note) {
					t.Errorf("the log has %q", w.noted())
				}
			})
		})
	}
}

// Foreign trailers come when the host has the request: it gets no end of it.
func TestForeignTrailer(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		whole := make(chan bool, 1)
		w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			whole <- err == nil
		}, nil)
		r, err := http.NewRequest(http.MethodPost, "https://api.test/", io.MultiReader(strings.NewReader("some")))
		must(t, err)
		r.Trailer = http.Header{"X-Sum": {fakeOth}}
		answer, err := w.client(http2).Do(r)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode != http.StatusForbidden {
				t.Errorf("got %s", answer.Status)
			}
		}
		if <-whole {
			t.Error("the host got the whole request")
		}
	})
}

// Bytes that are no good HTTP/1, of which no value comes of to another host. The
// first request may be served, the rest ends the connection.
func TestHostileHTTP1(t *testing.T) {
	const auth = "Authorization: " + fake + "\r\n"
	for _, tt := range []struct{ what, bytes string }{
		{"no HTTP", "\x00\x01\x02\r\n\r\n"},
		{"no host", "GET / HTTP/1.1\r\n" + auth + "\r\n"},
		{"no host in 1.0", "GET / HTTP/1.0\r\n" + auth + "\r\n"},
		{"two hosts", "GET / HTTP/1.1\r\nHost: api.test\r\nHost: evil.test\r\n" + auth + "\r\n"},
		{"another in the target", "GET https://evil.test/ HTTP/1.1\r\nHost: api.test\r\n" + auth + "\r\n"},
		{"clear text in the target", "GET http://evil.test/ HTTP/1.1\r\nHost: api.test\r\n" + auth + "\r\n"},
		{"a user in the host", "GET / HTTP/1.1\r\nHost: evil.test@api.test\r\n" + auth + "\r\n"},
		{"a proxy", "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n" + auth + "\r\n"},
		{"a proxy of this host", "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n" + auth + "\r\n"},
		{"a wish to hear it all again", "TRACE / HTTP/1.1\r\nHost: api.test\r\n" + auth + "\r\n"},
		{"the same by another word", "TRACK / HTTP/1.1\r\nHost: api.test\r\n" + auth + "\r\n"},
		{"a zero in a header", "GET / HTTP/1.1\r\nHost: api.test\r\nX: \x00\r\n" + auth + "\r\n"},
		{"a space before the colon", "GET / HTTP/1.1\r\nHost : api.test\r\n" + auth + "\r\n"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\nContent-Length: 5\r\n" + auth + "\r\nbodyX"},
		{"a negative length", "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: -1\r\n" + auth + "\r\n"},
		{"an unknown coding", "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: xchunked\r\n" + auth + "\r\n0\r\n\r\n"},
		{"two codings", "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n" + auth + "\r\n0\r\n\r\n"},
		{"a huge header", "GET / HTTP/1.1\r\nHost: api.test\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n" + auth + "\r\n"},
		{"many headers", "GET / HTTP/1.1\r\nHost: api.test\r\n" + strings.Repeat("X: y\r\n", 1<<17) + auth + "\r\n"},
		{"HTTP/2 in clear", preface},
		{"an old version", "GET / HTTP/0.9\r\nHost: api.test\r\n" + auth + "\r\n"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
				t.Errorf("the host got %s %s of %s", r.Method, r.URL, r.Host)
			}, nil)
			conn := w.dial("http/1.1")
			conn.SetDeadline(time.Now().Add(30 * time.Second))
			go io.WriteString(conn, tt.bytes)
			said, _ := io.ReadAll(conn) // which ends
			leaks(t, "the answer", said)
			if bytes.HasPrefix(said, []byte("HTTP/1.1 2")) {
				t.Errorf("got %.200q", said)
			}
		})
	}
}

// What can be read in two ways is put in one: the host never sees a second request
// that the edge did not.
func TestNothingIsSmuggled(t *testing.T) {
	const inner = "GET /inner HTTP/1.1\r\nHost: evil.test\r\nAuthorization: " + fake + "\r\n\r\n"
	for what, request := range map[string]string{
		"length and chunks": fmt.Sprintf("POST /outer HTTP/1.1\r\nHost: api.test\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%s", 5+len(inner), inner),
		"within the length": fmt.Sprintf("POST /outer HTTP/1.1\r\nHost: api.test\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
		"a folded header":   "GET /outer HTTP/1.1\r\nHost: api.test\r\nX: y\r\n z: " + fake + "\r\n\r\n" + inner,
		"bare line feeds":   "GET /outer HTTP/1.1\nHost: api.test\nX: y\n\n" + inner,
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.URL.Path != "/outer" || r.Host != "api.test" {
					t.Errorf("the host got %s of %s", r.URL, r.Host)
				}
				leaks(t, "the body", body)
			}, nil)
			conn := w.dial("http/1.1")
			conn.SetDeadline(time.Now().Add(30 * time.Second))
			io.WriteString(conn, request)
			conn.CloseWrite()
			said, _ := io.ReadAll(conn)
			leaks(t, "the answer", said)
		})
	}
}

// flood is a client that misuses HTTP/2: RFC 9113, section 4.
type flood struct {
	conn *tls.Conn
	head []byte // a request's, in HPACK
}

const (
	frameHeaders, frameReset, frameSettings, framePing, frameContinuation = 1, 3, 4, 6, 9
	flagEndStream, flagEndHeaders                                         = 1, 4

	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

func newFlood(t *testing.T, w *world) *flood {
	f := &flood{conn: w.dial("h2")}
	f.conn.SetDeadline(time.Now().Add(60 * time.Second))
	_, err := io.WriteString(f.conn, preface)
	must(t, err)
	must(t, f.frame(frameSettings, 0, 0, nil))
	for _, h := range []string{":method", "GET", ":scheme", "https", ":authority", "api.test", ":path", "/", "authorization", fake} {
		if len(f.head) == 0 || strings.HasPrefix(h, ":") || h == "authorization" {
			f.head = append(f.head, 0) // a literal that is not indexed: RFC 7541, 6.2.2
		}
		f.head = append(append(f.head, byte(len(h))), h...)
	}
	return f
}

func (f *flood) frame(kind, flags byte, stream uint32, payload []byte) error {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	_, err := f.conn.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
	return err
}

// A client that floods is cut off or ignored; others go on, and nothing is left.
func TestHostileHTTP2(t *testing.T) {
	for what, misuse := range map[string]func(f *flood) error{
		"rapid reset": func(f *flood) error {
			var err error
			for id := uint32(1); id < 5_000 && err == nil; id += 2 {
				f.frame(frameHeaders, flagEndHeaders|flagEndStream, id, f.head)
				err = f.frame(frameReset, 0, id, []byte{0, 0, 0, 8})
			}
			return err
		},
		"continuations without end": func(f *flood) error {
			err := f.frame(frameHeaders, 0, 1, f.head)
			for i := 0; i < 5_000 && err == nil; i++ {
				err = f.frame(frameContinuation, 0, 1, make([]byte, 1000))
			}
			return err
		},
		"settings": func(f *flood) (err error) {
			for i := 0; i < 20_000 && err == nil; i++ {
				err = f.frame(frameSettings, 0, 0, []byte{0, 4, 0, 0, byte(i), byte(i)})
			}
			return err
		},
		"pings": func(f *flood) (err error) {
			for i := 0; i < 20_000 && err == nil; i++ {
				err = f.frame(framePing, 0, 0, make([]byte, 8))
			}
			return err
		},
		"more streams than there may be": func(f *flood) (err error) {
			for id := uint32(1); id < 1000 && err == nil; id += 2 {
				err = f.frame(frameHeaders, flagEndHeaders, id, f.head)
			}
			return err
		},
		"garbage": func(f *flood) error {
			_, err := f.conn.Write(bytes.Repeat([]byte{0xff, 0, 7}, 10_000))
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, nil)
			f := newFlood(t, w)
			read := make(chan error)
			go func() {
				_, err := io.Copy(io.Discard, f.conn)
				read <- err
			}()
			misuse(f) // which may be cut off
			answer, err := w.client(true).Get("https://api.test/")
			must(t, err)
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("another client got %s", answer.Status)
			}
			f.conn.Close()
			<-read
		})
	}
}

// A host's name in Unicode that folds to another is not that one.
func TestFoldedHost(t *testing.T) {
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the host got a request for %q", r.Host) }, nil)
	f := newFlood(t, w)
	go io.Copy(io.Discard, f.conn)
	folded := bytes.Replace(f.head, []byte("\x08api.test"), []byte("\x09api.te\u017ft"), 1)
	must(t, f.frame(frameHeaders, flagEndHeaders|flagEndStream, 1, folded))
	for deadline := time.Now().Add(time.Minute); !strings.Contains(w.noted(), "another host"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log has %q", w.noted())
		}
	}
}

// A guest that does not speak HTTP is not spoken for.
func TestOtherProtocols(t *testing.T) {
	w := newWorld(t, nil, nil)
	conn, err := tls.Dial("tcp", w.address, &tls.Config{RootCAs: w.roots, ServerName: w.name, NextProtos: []string{"postgresql"}})
	if err == nil {
		conn.Close()
		t.Error("the guest could connect")
	}
	for !strings.Contains(w.noted(), "postgresql") {
		time.Sleep(time.Millisecond)
	}
}

// Only so many connections are carried at a time, of which few may speak HTTP/2.
func TestPlacesAreBounded(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) {}, nil)
	var got int
	for range maxHTTP2 + 3 {
		conn := w.dial("h2", "http/1.1")
		if conn.ConnectionState().NegotiatedProtocol == "h2" {
			got++
		}
	}
	if got != maxHTTP2 {
		t.Errorf("%d connections speak HTTP/2", got)
	}
}

// A host that answers with what is no HTTP, and has the secret in it, is not
// quoted.
func TestHostsAnswersAreNotQuoted(t *testing.T) {
	for what, said := range map[string]string{
		"no HTTP":       token + "\r\n\r\n",
		"a bad header":  "HTTP/1.1 200 OK\r\n" + token + "\r\n\r\n",
		"a bad length":  "HTTP/1.1 200 OK\r\nContent-Length: " + token + "\r\n\r\n",
		"a huge header": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat(token, 10_000) + "\r\n\r\n",
		"a header":      "HTTP/1.1 200 OK\r\nX-Echo: " + token + password + other + "\r\nLocation: /?k=" + url.QueryEscape(password) + "\r\nX-" + token + ": y\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					io.WriteString(conn, said)
					conn.Close()
				}
			}, nil)
			conn := w.dial("http/1.1")
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\nAuthorization: "+fake+"\r\n\r\n")
			got, _ := io.ReadAll(conn)
			if len(got) == 0 {
				t.Error("there is no answer")
			}
			leaks(t, "the answer", got)
			if bytes.Contains(got, []byte(url.QueryEscape(password))) {
				t.Errorf("the answer has a value: %q", got)
			}
			leaks(t, "the log", []byte(w.noted()))
		})
	}
}

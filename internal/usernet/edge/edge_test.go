package edge

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"banger/internal/secret"
)

var discard = log.New(io.Discard, "", 0)

// both runs a test by HTTP/1 and HTTP/2.
func both(t *testing.T, test func(t *testing.T, http2 bool)) {
	for name, http2 := range map[string]bool{"http1": false, "http2": true} {
		t.Run(name, func(t *testing.T) { test(t, http2) })
	}
}

// What a request has of a secret, and what the host gets.
func TestRequestsGetValues(t *testing.T) {
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, tt := range []struct {
		what, header, query   string
		wantHeader, wantQuery string
	}{
		{"nothing", "Bearer x", "a=b&c", "Bearer x", "a=b&c"},
		{"a header", "token " + fake, "", "token " + token, ""},
		{"twice", fake + "," + fake, "", token + "," + token, ""},
		{"two secrets", fake + " " + fakePass, "", token + " " + password, ""},
		{"Basic credentials", basic("x-access-token:" + fake), "", basic("x-access-token:" + token), ""},
		{"Basic in small letters", strings.Replace(basic(fake+":"), "Basic", "basic", 1), "", strings.Replace(basic(token+":"), "Basic", "basic", 1), ""},
		{"Basic that is no base64", "Basic " + fake + "!", "", "Basic " + token + "!", ""},
		{"Basic without a secret stays as it is", "Basic eDp5", "", "Basic eDp5", ""},
		{"the query", "", "b=%7e&key=" + fake + "&a=1", "", "b=%7e&key=" + token + "&a=1"},
		{"a query that is escaped", "", "k=" + url.QueryEscape(fakePass), "", "k=" + url.QueryEscape(password)},
		{"a query of odd form", "", "%zz&" + fake + ";x=%", "", "%zz&" + token + ";x=%"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			both(t, func(t *testing.T, http2 bool) {
				var header, query string
				w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
					header, query = r.Header.Get("Authorization"), r.URL.RawQuery
				}, nil)
				r, err := http.NewRequest(http.MethodGet, "https://api.test/", nil)
				must(t, err)
				r.Header.Set("Authorization", tt.header)
				r.URL.RawQuery = tt.query
				answer, err := w.client(http2).Do(r)
				must(t, err)
				answer.Body.Close()
				if header != tt.wantHeader || query != tt.wantQuery {
					t.Errorf("the host got %q and %q\nwant %q and %q", header, query, tt.wantHeader, tt.wantQuery)
				}
				leaks(t, "the log", []byte(w.noted()))
				if used := strings.Contains(w.noted(), "with secret"); used != (tt.header+tt.query != tt.wantHeader+tt.wantQuery) {
					t.Errorf("the log has %q", w.noted())
				}
			})
		})
	}
}

// The host gets what the guest sends, and nothing that it does not.
func TestRequestsStayAsTheyAre(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		var got *http.Request
		var body []byte
		w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			w.Header()["Date"] = nil
			w.Header()["Content-Type"] = nil
			w.Header().Set("X-Answer", "yes")
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, "<html>"+fake+fakeOth)
		}, nil)
		for _, path := range []string{"/", "/a%2Fb", "/a/../b//c", "//twice", "/%7Euser/~x", "/a|b^c%20", "/?", "/x?a=;b&&c=%zz"} {
			r := requestOf(t, path)
			answer, err := w.client(http2).Do(r)
			must(t, err)
			said, err := io.ReadAll(answer.Body)
			must(t, err)
			answer.Body.Close()
			if got.RequestURI != path || got.Host != "api.test" || got.Method != http.MethodPatch || string(body) != "body of "+fake {
				t.Errorf("%s: the host got %s %s of %s, and %q", path, got.Method, got.RequestURI, got.Host, body)
			}
			checkNothingAdded(t, got.Header)
			if answer.StatusCode != http.StatusTeapot || string(said) != "<html>"+fake+fakeOth || answer.Header.Get("X-Answer") != "yes" {
				t.Errorf("the guest got %s, %q", answer.Status, said)
			}
			if answer.Header.Get("Content-Type")+answer.Header.Get("Date") != "" {
				t.Errorf("the guest got %q", answer.Header)
			}
			if want := map[bool]int{false: 1, true: 2}[http2]; answer.ProtoMajor != want || got.ProtoMajor != want {
				t.Errorf("the guest speaks HTTP/%d, and the host HTTP/%d", answer.ProtoMajor, got.ProtoMajor)
			}
		}
	})
}

// requestOf is one whose target is written just so.
func requestOf(t *testing.T, path string) *http.Request {
	r, err := http.NewRequest(http.MethodPatch, "https://api.test/", strings.NewReader("body of "+fake))
	must(t, err)
	r.URL = &url.URL{Scheme: "https", Host: "api.test", Opaque: path}
	if before, query, found := strings.Cut(path, "?"); found {
		r.URL.Opaque, r.URL.RawQuery, r.URL.ForceQuery = before, query, true
	}
	if strings.HasPrefix(path, "//") {
		r.URL = &url.URL{Scheme: "https", Host: "api.test", Path: path}
	}
	r.Header["User-Agent"] = nil
	r.Header.Set("X-Forwarded-For", "1.2.3.4")
	return r
}

func checkNothingAdded(t *testing.T, h http.Header) {
	for _, name := range []string{"User-Agent", "Accept-Encoding", "Via", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if h.Get(name) != "" {
			t.Errorf("the host got %s: %s", name, h.Get(name))
		}
	}
	if h.Get("X-Forwarded-For") != "1.2.3.4" {
		t.Errorf("X-Forwarded-For is %q", h["X-Forwarded-For"])
	}
}

// Bodies pass byte for byte, however long, both ways at once.
func TestBodies(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.Header().Set("Content-Encoding", r.Header.Get("Content-Encoding"))
			w.WriteHeader(http.StatusOK)
			io.Copy(w, r.Body)
		}, nil)
		const size = 8 << 20
		for _, length := range []int64{-1, size} {
			sent, got := sha256.New(), sha256.New()
			source := rand.NewChaCha8([32]byte{1})
			r, err := http.NewRequest(http.MethodPost, "https://api.test/", io.TeeReader(io.LimitReader(source, size), sent))
			must(t, err)
			r.ContentLength = length
			r.Header.Set("Content-Encoding", "zstd")
			answer, err := w.client(http2).Do(r)
			must(t, err)
			n, err := io.Copy(got, answer.Body)
			must(t, err)
			answer.Body.Close()
			if n != size || !bytes.Equal(sent.Sum(nil), got.Sum(nil)) || answer.Header.Get("Content-Encoding") != "zstd" {
				t.Errorf("%d bytes came back", n)
			}
		}
	})
}

func TestCompressedAnswersStaySo(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		io.WriteString(z, strings.Repeat(token, 100))
		must(t, z.Close())
		w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header["Accept-Encoding"]; len(got) != 1 || got[0] != "gzip, br" {
				t.Errorf("the host is offered %q", got)
			}
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(packed.Bytes())
		}, nil)
		r, err := http.NewRequest(http.MethodGet, "https://api.test/", nil)
		must(t, err)
		r.Header.Set("Accept-Encoding", "gzip, br")
		answer, err := w.client(http2).Do(r)
		must(t, err)
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		must(t, err)
		if !bytes.Equal(got, packed.Bytes()) || answer.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("the guest got %d bytes, %q", len(got), answer.Header)
		}
	})
}

// Each event is there before the next is sent.
func TestEventsAreNotBuffered(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		next := make(chan bool)
		w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := 0; <-next; i++ {
				fmt.Fprintf(w, "data: %d\n", i)
				http.NewResponseController(w).Flush()
			}
		}, nil)
		go func() { next <- true }()
		answer, err := w.client(http2).Get("https://api.test/")
		must(t, err)
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		for i := range 3 {
			if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", i) {
				t.Fatalf("got %q, %v", lines.Text(), lines.Err())
			}
			next <- i < 2
		}
	})
}

func TestTrailersBothWays(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Trailer", "Grpc-Status")
			io.WriteString(w, "body")
			http.NewResponseController(w).Flush()
			w.Header().Set("Grpc-Status", "0")
			w.Header().Set(http.TrailerPrefix+"X-Echo", r.Trailer.Get("X-Sum"))
		}, nil)
		r, err := http.NewRequest(http.MethodPost, "https://api.test/", io.MultiReader(strings.NewReader("some")))
		must(t, err)
		r.Trailer = http.Header{"X-Sum": {"sum " + fake}}
		answer, err := w.client(http2).Do(r)
		must(t, err)
		defer answer.Body.Close()
		_, err = io.ReadAll(answer.Body)
		must(t, err)
		// The host got the value, and said it: the guest gets the placeholder.
		if answer.Trailer.Get("Grpc-Status") != "0" || answer.Trailer.Get("X-Echo") != "sum "+fake {
			t.Errorf("the trailers are %q", answer.Trailer)
		}
	})
}

func TestAnswersOfOneHundred(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</"+token+">")
		w.WriteHeader(http.StatusEarlyHints)
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}, nil)
	for path, want := range map[string][]string{
		"/no":  {"HTTP/1.1 103 ", "HTTP/1.1 417 "},
		"/yes": {"HTTP/1.1 103 ", "HTTP/1.1 100 ", "HTTP/1.1 200 "},
	} {
		conn := w.dial("http/1.1")
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", path)
		lines := bufio.NewReader(conn)
		for _, status := range want {
			line, err := lines.ReadString('\n')
			must(t, err)
			if !strings.HasPrefix(line, status) {
				t.Fatalf("%s: got %q, want %q", path, line, status)
			}
			header, err := textproto.NewReader(lines).ReadMIMEHeader()
			must(t, err)
			leaks(t, "an answer", []byte(header.Get("Link")))
			if strings.Contains(status, "100") {
				io.WriteString(conn, "body")
			}
		}
	}
}

// A guest may say that it sends no more, and hears the answer all the same; HEAD
// and kept connections work as ever.
func TestHalfClosed(t *testing.T) {
	for _, abruptly := range []bool{false, true} {
		asked, answerNow := make(chan bool), make(chan bool)
		w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				asked <- true
				select {
				case <-answerNow:
				case <-r.Context().Done():
				}
			}
			w.Header().Set("Content-Length", "4")
			io.WriteString(w, "done")
		}, nil)
		conn := w.dial()
		reader := bufio.NewReader(conn)
		for _, method := range []string{"HEAD", "GET"} {
			fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: api.test\r\n\r\n", method)
			r, err := http.ReadResponse(reader, &http.Request{Method: method})
			must(t, err)
			body, err := io.ReadAll(r.Body)
			must(t, err)
			r.Body.Close()
			if string(body) != map[string]string{"GET": "done"}[method] || r.ContentLength != 4 {
				t.Errorf("%s: %q of %d", method, body, r.ContentLength)
			}
		}
		io.WriteString(conn, "GET /slow HTTP/1.1\r\nHost: api.test\r\n\r\n")
		<-asked
		must(t, conn.CloseWrite())
		close(answerNow)
		answer, err := http.ReadResponse(reader, nil)
		must(t, err)
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); string(body) != "done" || err != nil {
			t.Errorf("got %q, %v", body, err)
		}
		if _, err := reader.ReadByte(); err == nil {
			t.Error("the connection goes on")
		}
		if abruptly {
			conn.NetConn().Close()
		}
	}
}

// A websocket's handshake has the value, and what follows passes as it is.
func TestWebsocket(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-WebSocket-Protocol") != token {
			t.Errorf("the host got %q", r.Header)
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: %s\r\n\r\n", token)
		io.Copy(conn, buffered)
	}, nil)
	conn := w.dial("http/1.1")
	fmt.Fprintf(conn, "GET /chat HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: %s\r\n\r\n", fake)
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, nil)
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-WebSocket-Protocol") != fake {
		t.Fatalf("got %s, %q", answer.Status, answer.Header)
	}
	frame := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{2}).Read(frame)
	go conn.Write(frame)
	got := make([]byte, len(frame))
	_, err = io.ReadFull(reader, got)
	must(t, err)
	if !bytes.Equal(got, frame) {
		t.Error("what came back is not what was sent")
	}
}

// Where the host is not who it says, the guest hears that, and nothing is sent.
func TestHostsCertificateIsChecked(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		reached := false
		w := newWorld(t, func(http.ResponseWriter, *http.Request) { reached = true }, func(w *world, o *Options) {
			w.host.TLS = nil // httptest's own, which nobody vouches for
		})
		r, err := http.NewRequest(http.MethodGet, "https://api.test/", nil)
		must(t, err)
		r.Header.Set("Authorization", fake)
		answer, err := w.client(http2).Do(r)
		must(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		if answer.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), "certificate") || reached {
			t.Errorf("got %s, %q; the host was reached: %v", answer.Status, body, reached)
		}
		if !strings.Contains(w.noted(), "certificate") {
			t.Errorf("the log has %q", w.noted())
		}
	})
}

// The VM's authority vouches for the hosts of secrets and for none other.
func TestAuthority(t *testing.T) {
	w := newWorld(t, nil, nil)
	text, err := w.edge.authority.MarshalText()
	must(t, err)
	var read Authority
	must(t, read.UnmarshalText(text))
	secrets := w.edge.held.Load().secrets
	if read.Certificate() != w.edge.authority.Certificate() || !read.IsFor(secrets) || read.IsFor(secrets[1:2]) {
		t.Error("the authority is another after it was written and read")
	}
	for host, good := range map[string]bool{"api.test": true, "below.api.test": true, "bank.test": false, "test": false} {
		cert, err := read.certificate(host)
		must(t, err)
		_, err = cert.Leaf.Verify(verifyBy(w.roots, host))
		if good != (err == nil) {
			t.Errorf("a certificate of %s: %v", host, err)
		}
	}
	for _, bad := range []string{"", "x", string(text[:len(text)/2])} {
		if new(Authority).UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%.20q is an authority", bad)
		}
	}
	leaks(t, "the authority", []byte(hex.EncodeToString(text)))
}

// The hash is the one of openssl x509 -subject_hash.
func TestSubjectHash(t *testing.T) {
	a, err := NewAuthority("My-Box_1", []secret.Secret{{Hosts: []secret.Host{"api.test"}}})
	must(t, err)
	if got := a.SubjectHash(); got != "8bf72f56" {
		t.Errorf("got %s", got)
	}
}

package fetch

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Body is a file that is being fetched. Read it to io.EOF, then it is whole.
type Body struct {
	// Size is the file's length in bytes, -1 where the server does not tell.
	Size int64

	ctx    context.Context
	cancel context.CancelFunc
	o      Options
	client *http.Client
	url    string
	name   string // the URL without a password

	body     io.ReadCloser // of the response in hand, nil between two
	at       int64         // bytes read so far
	version  version       // of the file
	attempts int           // since the last byte
}

// Open asks for the file at the URL from and returns once it begins to come. The Body
// ends with ctx.
func Open(ctx context.Context, from string, o Options) (*Body, error) {
	u, err := parseURL(from, o.Insecure)
	if err != nil {
		return nil, err
	}
	if o.Transport == nil {
		t := NewTransport()
		t.Say = o.Say
		o.Transport = t
	}
	if o.Sleep == nil {
		o.Sleep = Sleep
	}
	o.Stall = cmp.Or(o.Stall, time.Minute)
	b := &Body{
		Size: -1, o: o, url: from, name: u.Redacted(),
		client: &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect(o.Insecure)},
	}
	b.ctx, b.cancel = context.WithCancel(ctx)
	if err := b.request(); err != nil {
		if err := b.recover(err); err != nil {
			b.Close()
			return nil, err
		}
	}
	return b, nil
}

// Close ends the transfer.
func (b *Body) Close() error {
	b.cancel()
	b.drop()
	b.client.CloseIdleConnections()
	return nil
}

func (b *Body) Read(p []byte) (int, error) {
	if b.body == nil {
		return 0, fmt.Errorf("fetch %s: the transfer has ended", b.name)
	}
	for {
		n, err := b.body.Read(p)
		b.at += int64(n)
		if n > 0 {
			b.attempts = 0
			return n, nil // an error comes again
		}
		if err == nil {
			continue
		}
		if err == io.EOF {
			if b.at == b.Size || b.Size < 0 {
				return 0, io.EOF
			}
			err = io.ErrUnexpectedEOF
		}
		if err := b.recover(err); err != nil {
			return 0, err
		}
	}
}

// recover asks again for what is missing until it comes, after err.
func (b *Body) recover(err error) error {
	for {
		if ended := b.ctx.Err(); ended != nil {
			return ended
		}
		if b.attempts++; !MayMend(err) || b.attempts >= Attempts {
			return b.explain(err)
		}
		wait := pause(b.attempts, err)
		if b.o.Say != nil {
			b.o.Say(fmt.Sprintf("%v; trying again in %s", b.explain(err), wait.Round(time.Second/10)))
		}
		if err := b.o.Sleep(b.ctx, wait); err != nil {
			return err
		}
		if err = b.request(); err == nil {
			return nil
		}
	}
}

// explain makes one line of an error, with the URL in it once.
func (b *Body) explain(err error) error {
	var status *StatusError
	var failed *url.Error
	switch {
	case errors.As(err, &status):
		return status
	case errors.As(err, &failed):
		err = failed.Err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("fetch %s: the connection broke after %d bytes: %w", b.name, b.at, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("fetch %s: %w", b.name, err)
}

// drop gives the response in hand up.
func (b *Body) drop() {
	if b.body != nil {
		b.body.Close()
		b.body = nil
	}
}

// request asks for the file from b.at on.
func (b *Body) request() error {
	b.drop()
	watch := watch(b.ctx, b.o.Stall)
	request, err := http.NewRequestWithContext(watch.ctx, http.MethodGet, b.url, nil)
	if err != nil {
		return permanent{err}
	}
	request.Header.Set("User-Agent", cmp.Or(b.o.UserAgent, "banger"))
	if b.at > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.at))
		if tag := b.version.ifRange(); tag != "" {
			request.Header.Set("If-Range", tag)
		}
	}
	response, err := b.client.Do(request)
	if err != nil {
		return watch.explain(err)
	}
	response.Body = watch.reader(response.Body)
	if err := b.accept(response); err != nil {
		response.Body.Close()
		return err
	}
	b.body = response.Body
	return nil
}

// accept takes a response whose body goes on where b is.
func (b *Body) accept(response *http.Response) error {
	switch response.StatusCode {
	case http.StatusOK:
		return b.acceptWhole(response)
	case http.StatusPartialContent:
		return b.acceptRest(response)
	case http.StatusRequestedRangeNotSatisfiable:
		return permanent{errors.New("the file became shorter while it was fetched")}
	}
	return &StatusError{URL: b.name, Code: response.StatusCode, retryAfter: RetryAfter(response.Header)}
}

// acceptWhole takes a response that begins with the first byte. Where some
// bytes are read already, it skips those, if the file is surely the same.
func (b *Body) acceptWhole(response *http.Response) error {
	if err := checkContent(response); err != nil {
		return err
	}
	if b.at == 0 {
		b.Size, b.version = response.ContentLength, versionOf(response.Header)
		return nil
	}
	if !b.same(response) || response.ContentLength != b.Size {
		return errChanged
	}
	_, err := io.CopyN(io.Discard, response.Body, b.at)
	return err
}

func (b *Body) acceptRest(response *http.Response) error {
	var first, last int64
	var length string // "*" where the server does not know, RFC 9110, 14.4
	text := response.Header.Get("Content-Range")
	if _, err := fmt.Sscanf(text, "bytes %d-%d/%s", &first, &last, &length); err != nil || first != b.at {
		return permanent{fmt.Errorf("the server sent another part than was asked for: %q", text)}
	}
	if !b.same(response) {
		return errChanged
	}
	if size, err := strconv.ParseInt(length, 10, 64); length != "*" && (err != nil || b.Size >= 0 && size != b.Size) {
		return errChanged
	}
	return nil
}

var errChanged = permanent{errors.New("the file changed while it was fetched: pull it again")}

func (b *Body) same(response *http.Response) bool {
	return b.version.mayBe(versionOf(response.Header))
}

// checkContent refuses the page that a captive portal, a proxy or a forge shows
// where a file is not to be had, whatever type it claims to have.
func checkContent(response *http.Response) error {
	start := bufio.NewReader(response.Body)
	head, err := start.Peek(512) // as much as is looked at
	if err != nil && err != io.EOF {
		return err
	}
	claimed, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if claimed == "text/html" || claimed == "application/xhtml+xml" || strings.HasPrefix(http.DetectContentType(head), "text/html") {
		return permanent{errors.New("the server sent a web page in place of the file")}
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{start, response.Body}
	return nil
}

// RetryAfter reads the header of that name, in seconds or as a date: how long to
// wait, 0 where it does not tell.
func RetryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds < 1<<20 {
		return time.Duration(max(0, seconds)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at).Round(time.Second))
	}
	return 0
}

package mcp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxMessage is more than any message of a client has, in bytes: a file that is written
// at once has maxFile, and more where it is escaped.
const maxMessage = 16 << 20

// lineTransport is one on a pair of streams, a message a line. A line that is no message
// is answered as such and left out: it is not the end of the session, with which what is
// in its sandboxes would be lost.
func lineTransport(in io.ReadCloser, out io.Writer) sdk.Transport {
	answers := &lockedWriter{to: out}
	return &sdk.IOTransport{Reader: &lines{Closer: in, from: bufio.NewReaderSize(in, 64<<10), answers: answers}, Writer: answers, MaxLineLength: -1}
}

// lockedWriter has each message be written whole.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// Close leaves the stream open: it is this process's own.
func (w *lockedWriter) Close() error { return nil }

// lines reads the lines that are messages.
type lines struct {
	io.Closer
	from    *bufio.Reader
	answers io.Writer
	left    []byte // of the message that is being read
}

func (l *lines) Read(p []byte) (int, error) {
	for len(l.left) == 0 {
		line, err := l.next()
		if err != nil {
			return 0, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if fault := faultOf(line); fault != nil {
			if _, err := l.answers.Write(fault.answer(line)); err != nil {
				return 0, err
			}
			continue
		}
		l.left = append(line, '\n')
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}

// next returns a line, or the beginning of one that is too long. The last may lack its
// end: where it is no message then, the client broke off.
func (l *lines) next() (line []byte, err error) {
	for {
		part, err := l.from.ReadSlice('\n')
		line = append(line, part[:min(len(part), maxMessage+1-len(line))]...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case len(line) > 0 && faultOf(line) == nil:
			return line, nil
		default:
			return nil, err
		}
	}
}

// fault is what is wrong with a line.
type fault struct {
	code int // of JSON-RPC
	text string
}

// faultOf says why a line is neither a message nor a list of some.
func faultOf(line []byte) *fault {
	if len(line) > maxMessage {
		return &fault{jsonrpc.CodeInvalidRequest, "the message is too long"}
	}
	if !json.Valid(line) {
		return &fault{jsonrpc.CodeParseError, "the line is not JSON"}
	}
	all := []json.RawMessage{line}
	if bytes.TrimSpace(line)[0] == '[' && (json.Unmarshal(line, &all) != nil || len(all) == 0) {
		return &fault{jsonrpc.CodeInvalidRequest, "the list is empty"}
	}
	for _, one := range all {
		if _, err := jsonrpc.DecodeMessage(one); err != nil {
			return &fault{jsonrpc.CodeInvalidRequest, err.Error()}
		}
	}
	return nil
}

// answer is the answer to the line, with its number where that can be told.
func (f *fault) answer(line []byte) []byte {
	var of struct {
		ID json.RawMessage `json:"id"`
	}
	json.Unmarshal(line, &of) // what is not JSON has none
	if len(of.ID) == 0 || !strings.ContainsRune("\"-0123456789", rune(of.ID[0])) {
		of.ID = json.RawMessage("null")
	}
	text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": of.ID, "error": map[string]any{"code": f.code, "message": f.text}})
	if err != nil {
		panic(err) // of a number, a text and what has been JSON
	}
	return append(text, '\n')
}

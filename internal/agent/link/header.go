package link

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"banger/internal/agentapi"
)

// maxHeader is more than the arguments and the environment that Linux lets a
// program have, in bytes.
const maxHeader = 8 << 20

// WriteHeader begins a stream of a kind.
func WriteHeader(w io.Writer, kind string, payload any) error {
	data, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("begin a stream: %w", err)
	}
	line, err := json.Marshal(agentapi.Header{Protocol: agentapi.Protocol, Kind: kind, Payload: data})
	if err != nil {
		return fmt.Errorf("begin a stream: %w", err)
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("begin a stream: %w", err)
	}
	return nil
}

var errLongHeader = errors.New("the header is too long")

// ReadHeader reads the line that begins a stream.
func ReadHeader(r *bufio.Reader) (h agentapi.Header, err error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return h, err
		}
		if len(line) > maxHeader {
			return h, errLongHeader
		}
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, fmt.Errorf("read a stream's header: %w", err)
	}
	return h, nil
}

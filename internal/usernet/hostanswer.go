package usernet

import (
	"bytes"
	"encoding/binary"
)

// hostAnswer is what a host says first to a client of TLS. It may ask for the client's
// first message again, and goes by the name in the second then: RFC 8446, section
// 4.1.4.
type hostAnswer struct {
	data  []byte        // what there is of it
	known chan struct{} // closed once again is known
	again bool          // the host asks for the first message again
}

const (
	recordAlert  = 21
	helloAnswer  = 2
	helloRandom  = 6  // where a server's message has its random, behind type, length and version
	randomLength = 32 // bytes

	// maxAnswer is more than comes before a server's random, in bytes.
	maxAnswer = 1 << 10
)

// retryRandom is what a server's random is where it asks again.
var retryRandom = []byte("\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c")

func newHostAnswer() *hostAnswer { return &hostAnswer{known: make(chan struct{})} }

// isKnown reports whether again is.
func (a *hostAnswer) isKnown() bool {
	select {
	case <-a.known:
		return true
	default:
		return false
	}
}

// add takes what the host says next. A nil answer is nothing to anybody.
func (a *hostAnswer) add(data []byte) {
	if a == nil || a.isKnown() {
		return
	}
	a.data = append(a.data, data[:min(len(data), maxAnswer-len(a.data))]...)
	again, whole := asksAgain(a.data)
	switch {
	case whole:
		a.end(again)
	case len(a.data) == maxAnswer:
		a.end(true) // for want of better knowledge
	}
}

// end says what is known, where nothing is yet: the host says no more, for instance.
func (a *hostAnswer) end(again bool) {
	if a == nil || a.isKnown() {
		return
	}
	a.again, a.data = again, nil
	close(a.known)
}

// asksAgain reads the beginning of a host's answer; whole reports whether it is long
// enough for that. What is no TLS asks for nothing.
func asksAgain(data []byte) (again, whole bool) {
	var message []byte
	for len(data) > 0 {
		if data[0] != recordHandshake && data[0] != recordAlert {
			return false, true
		}
		if len(data) < recordHeader {
			break
		}
		end := min(recordHeader+int(binary.BigEndian.Uint16(data[3:])), len(data))
		if data[0] == recordHandshake {
			message = append(message, data[recordHeader:end]...)
		}
		if len(message) > 0 && message[0] != helloAnswer {
			return false, true
		}
		if len(message) >= helloRandom+randomLength {
			return bytes.Equal(message[helloRandom:helloRandom+randomLength], retryRandom), true
		}
		data = data[end:]
	}
	return false, false
}

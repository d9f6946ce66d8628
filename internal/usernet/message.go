package usernet

import (
	"encoding/binary"
	"strings"
)

// DNS messages: RFC 1035, section 4.1.
const (
	headerSize    = 12
	questionCount = 4 // offsets of the header's counts
	answerCount   = 6

	flagResponse         = 0x80 // in byte 2
	flagRecursionDesired = 0x01 // in byte 2
	flagRecursion        = 0x80 // in byte 3
	rcodeMask            = 0x0f // in byte 3

	noError        = 0
	serverFailure  = 2
	nameError      = 3
	notImplemented = 4
	refused        = 5

	typeA     = 1
	typePTR   = 12
	typeAAAA  = 28
	typeHTTPS = 65
	classIN   = 1

	maxLabel = 63
)

// question is what a query asks.
type question struct {
	name string // without the dot at its end
	kind uint16
	raw  []byte
}

// parseQuestion reads a query's question; ok reports whether there is just one.
func parseQuestion(query []byte) (q question, ok bool) {
	if len(query) < headerSize || query[2]&flagResponse != 0 ||
		binary.BigEndian.Uint16(query[questionCount:]) != 1 {
		return q, false
	}
	rest := query[headerSize:]
	var labels []string
	for {
		if len(rest) == 0 {
			return q, false
		}
		size := int(rest[0])
		if size > maxLabel || len(rest) < 1+size {
			return q, false
		}
		label := rest[1 : 1+size]
		rest = rest[1+size:]
		if size == 0 {
			break
		}
		// A dot within a label parts nothing: RFC 1035, 5.1.
		labels = append(labels, strings.ReplaceAll(string(label), ".", `\046`))
	}
	if len(rest) < 4 {
		return q, false
	}
	q.name = strings.Join(labels, ".")
	q.kind = binary.BigEndian.Uint16(rest)
	q.raw = query[headerSize : len(query)-len(rest)+4]
	return q, true
}

// answer makes an answer without records. It is also what a guest without IPv6
// gets for an AAAA query: the name's existence, and no address.
func answer(query []byte, q question, rcode byte) []byte {
	reply := make([]byte, headerSize, headerSize+len(q.raw))
	copy(reply, query[:2]) // the identifier
	reply[2] = flagResponse | query[2]&flagRecursionDesired
	reply[3] = flagRecursion | rcode
	binary.BigEndian.PutUint16(reply[questionCount:], 1)
	return append(reply, q.raw...)
}

// answers reports whether a message is an answer to a query.
func answers(message, query []byte) bool {
	return len(message) >= headerSize && message[2]&flagResponse != 0 && [2]byte(message) == [2]byte(query)
}

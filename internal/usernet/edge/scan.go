package edge

import (
	"bytes"
	"encoding/base64"
)

// patterns are what placeholders look like on their way: as they are, and within
// base64, as Basic credentials have them.
type patterns struct {
	all     []pattern
	longest int
}

type pattern struct {
	name string // of the secret
	text []byte
}

func (p *patterns) add(name, placeholder string) {
	texts := [][]byte{[]byte(placeholder)}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			texts = append(texts, within(encoding, before, placeholder))
		}
	}
	for _, text := range texts {
		p.all = append(p.all, pattern{name, text})
		p.longest = max(p.longest, len(text))
	}
}

// within is what is the same of a text in base64, whatever is around it, where it
// begins so many bytes after a multiple of three.
func within(encoding *base64.Encoding, before int, text string) []byte {
	encoded := []byte(encoding.EncodeToString(append(make([]byte, before), text...)))
	if (before+len(text))%3 != 0 {
		encoded = encoded[:len(encoded)-1]
	}
	return encoded[[]int{0, 2, 3}[before]:]
}

// find returns the secret whose placeholder is in data, or "".
func (p *patterns) find(data []byte) string {
	for _, pattern := range p.all {
		if bytes.Contains(data, pattern.text) {
			return pattern.name
		}
	}
	return ""
}

// Scanner looks for placeholders in what a guest sends in the clear.
type Scanner struct {
	patterns *patterns
	end      []byte // of what came before
}

// Scanner returns one for a new connection.
func (e *Edge) Scanner() *Scanner { return &Scanner{patterns: &e.held.Load().scanned} }

// Find returns the secret whose placeholder ends in data, which follows what came
// before, or "".
func (s *Scanner) Find(data []byte) (name string) {
	if s.patterns.longest == 0 {
		return ""
	}
	keep := s.patterns.longest - 1
	if len(s.end) > 0 {
		joint := append(s.end, data[:min(keep, len(data))]...)
		if name = s.patterns.find(joint); name != "" {
			return name
		}
		s.end = joint
	}
	if name = s.patterns.find(data); name != "" {
		return name
	}
	if len(data) >= keep {
		s.end = s.end[:0]
		data = data[len(data)-keep:]
		s.end = append(s.end, data...)
		return ""
	}
	if len(s.end) == 0 {
		s.end = append(s.end, data...)
	}
	s.end = s.end[max(0, len(s.end)-keep):]
	return ""
}

package edge

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// swap is a secret as requests have it: a placeholder for the value.
type swap struct{ name, placeholder, value string }

// swaps are what is put in at one host, and what must not go there.
type swaps struct{ own, foreign []swap }

// foreignError says that a request has the placeholder of a secret that is not
// for its host.
type foreignError struct{ name string }

func (e *foreignError) Error() string { return "secret " + e.name + " is not for this host" }

// request puts values into a request's header and query. used are the names of
// those that it had; the error is a *foreignError, and then nothing is changed.
func (s swaps) request(r *http.Request) (used []string, err error) {
	if err := s.check(r); err != nil {
		return nil, err
	}
	used = s.header(r.Header)
	query, in := s.query(r.URL.RawQuery)
	r.URL.RawQuery = query
	used = append(used, in...)
	slices.Sort(used)
	return slices.Compact(used), nil
}

// check looks for foreign placeholders wherever values would be put in, and in the
// path.
func (s swaps) check(r *http.Request) error {
	seen := func(text string) error {
		for _, f := range s.foreign {
			if strings.Contains(text, f.placeholder) {
				return &foreignError{f.name}
			}
		}
		return nil
	}
	if err := s.checkHeader(r.Header); err != nil {
		return err
	}
	for _, text := range []string{r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.URL.Fragment} {
		if err := seen(text); err != nil {
			return err
		}
	}
	for part := range strings.FieldsFuncSeq(r.URL.RawQuery, isDelimiter) {
		if plain, err := url.QueryUnescape(part); err == nil {
			if err := seen(plain); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s swaps) checkHeader(h http.Header) error {
	for _, values := range h {
		for _, value := range values {
			for _, f := range s.foreign {
				_, _, plain, _ := basic(value)
				if strings.Contains(value, f.placeholder) || strings.Contains(plain, f.placeholder) {
					return &foreignError{f.name}
				}
			}
		}
	}
	return nil
}

// header puts values into a header's.
func (s swaps) header(h http.Header) (used []string) {
	for name, values := range h {
		for i, value := range values {
			changed, in := s.text(value)
			if before, encoded, plain, ok := basic(value); ok {
				if with, inBasic := s.text(plain); len(inBasic) > 0 {
					changed, in = before+encoded.EncodeToString([]byte(with)), inBasic
				}
			}
			if len(in) > 0 {
				h[name][i] = changed
				used = append(used, in...)
			}
		}
	}
	return used
}

// text puts values into a text.
func (s swaps) text(text string) (_ string, used []string) {
	for _, o := range s.own {
		if strings.Contains(text, o.placeholder) {
			text = strings.ReplaceAll(text, o.placeholder, o.value)
			used = append(used, o.name)
		}
	}
	return text, used
}

// basic takes Basic credentials apart: RFC 7617, section 2. ok reports whether a
// value is some.
func basic(value string) (before string, encoding *base64.Encoding, plain string, ok bool) {
	const scheme = "Basic "
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", nil, "", false
	}
	before = value[:len(scheme)]
	rest := strings.TrimLeft(value[len(scheme):], " ")
	for _, encoding = range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if data, err := encoding.DecodeString(rest); err == nil {
			return before, encoding, string(data), true
		}
	}
	return "", nil, "", false
}

// query puts values into a query. What has none stays as it is written.
func (s swaps) query(raw string) (_ string, used []string) {
	var out strings.Builder
	for len(raw) > 0 {
		size := strings.IndexFunc(raw, isDelimiter)
		part, rest := raw, ""
		if size >= 0 {
			part, rest = raw[:size], raw[size:]
		}
		written, in := s.part(part)
		out.WriteString(written)
		used = append(used, in...)
		raw = rest
		if raw != "" {
			out.WriteByte(raw[0])
			raw = raw[1:]
		}
	}
	return out.String(), used
}

// part puts values into a name or a value of a query.
func (s swaps) part(part string) (_ string, used []string) {
	plain, err := url.QueryUnescape(part)
	if err != nil {
		plain = part
	}
	with, used := s.text(plain)
	if len(used) == 0 {
		return part, nil
	}
	return url.QueryEscape(with), used
}

func isDelimiter(r rune) bool { return r == '&' || r == ';' || r == '=' }

// minHidden is how long a value has to be for answers to be searched for it: a
// shorter one may be there by chance.
const minHidden = 8

// hide puts the placeholders back into an answer's header. A host's other secrets
// are none of its business, but all the more nothing for the guest.
func (s swaps) hide(h http.Header) {
	for _, o := range slices.Concat(s.own, s.foreign) {
		if len(o.value) < minHidden {
			continue
		}
		for name, values := range h {
			for i, value := range values {
				value = strings.ReplaceAll(value, o.value, o.placeholder)
				h[name][i] = strings.ReplaceAll(value, url.QueryEscape(o.value), url.QueryEscape(o.placeholder))
			}
			if strings.Contains(name, o.value) {
				delete(h, name)
			}
		}
	}
}

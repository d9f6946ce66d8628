package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// member is a member of a JSON object. Objects are lists of them here, so that
// what banger does not know of stays as it is and where it is.
type member struct {
	key   string
	value json.RawMessage
}

// inJSON returns what puts a server into, or takes it out of, the object that is
// called section in a JSON file.
func inJSON(section string) func([]byte, string, *server) ([]byte, error) {
	return func(text []byte, name string, s *server) ([]byte, error) {
		top, err := members(text)
		if err != nil {
			return nil, fmt.Errorf("it is no plain JSON object, and is to be edited by hand: %w", err)
		}
		at := slices.IndexFunc(top, func(m member) bool { return m.key == section })
		var servers []member
		if at >= 0 {
			if servers, err = members(top[at].value); err != nil {
				return nil, fmt.Errorf("%s: %w", section, err)
			}
		}
		changed, err := setServer(servers, name, s)
		if err != nil || changed == nil {
			return text, err
		}
		if at < 0 {
			top = append(top, member{key: section})
			at = len(top) - 1
		}
		top[at].value = object(changed)
		var out bytes.Buffer
		if err := json.Indent(&out, object(top), "", "  "); err != nil {
			return nil, err
		}
		out.WriteByte('\n')
		return out.Bytes(), nil
	}
}

// setServer returns the servers with one put in or taken out, nil where they are
// so already.
func setServer(servers []member, name string, s *server) ([]member, error) {
	at := slices.IndexFunc(servers, func(m member) bool { return m.key == name })
	if s == nil {
		if at < 0 {
			return nil, nil
		}
		return append([]member{}, slices.Delete(servers, at, at+1)...), nil
	}
	value, err := plainJSON(s)
	if err != nil {
		return nil, err
	}
	if at < 0 {
		return append(servers, member{name, value}), nil
	}
	var had bytes.Buffer
	if json.Compact(&had, servers[at].value) == nil && bytes.Equal(had.Bytes(), value) {
		return nil, nil
	}
	servers[at].value = value
	return servers, nil
}

// members reads an object; no text is an empty one.
func members(text []byte) ([]member, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.Join(errors.New("there is no object"), err)
	}
	var all []member
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: key.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o member) bool { return o.key == m.key }) {
			return nil, fmt.Errorf("%q is there twice", m.key)
		}
		all = append(all, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind it")
	}
	return all, nil
}

// object writes an object.
func object(all []member) []byte {
	out := []byte{'{'}
	for i, m := range all {
		if i > 0 {
			out = append(out, ',')
		}
		key, _ := plainJSON(m.key)
		out = append(append(append(out, key...), ':'), m.value...)
	}
	return append(out, '}')
}

// plainJSON is json.Marshal that leaves <, > and & as they are.
func plainJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(out.Bytes()), err
}

package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tailscale/hujson"
)

// inJSON returns what puts a server into, or takes it out of, the object that is
// called section in a JSON file. What else is in the file stays as it is and where it
// is, comments too, which editors allow there.
func inJSON(section string) func([]byte, string, *server) ([]byte, error) {
	return func(text []byte, name string, s *server) ([]byte, error) {
		if len(bytes.TrimSpace(text)) == 0 {
			text = []byte("{}\n")
		}
		file, err := hujson.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("it is no JSON, and is to be edited by hand: %w", err)
		}
		top, is := file.Value.(*hujson.Object)
		if !is {
			return nil, errors.New("there is no object")
		}
		indent := indentOf(top)
		at, err := memberOf(top, section)
		if err != nil || at < 0 && s == nil {
			return text, err
		}
		if at < 0 {
			at = appendMember(top, section, hujson.Value{Value: &hujson.Object{}}, indent, 1)
		}
		servers, is := top.Members[at].Value.Value.(*hujson.Object)
		if !is {
			return nil, fmt.Errorf("%s is no object", section)
		}
		changed, err := setServer(servers, name, s, indent)
		if err != nil || !changed {
			return text, err
		}
		return file.Pack(), nil
	}
}

// setServer puts a server in or takes it out, and reports whether it was not so
// already.
func setServer(servers *hujson.Object, name string, s *server, indent string) (changed bool, err error) {
	at, err := memberOf(servers, name)
	if err != nil || at < 0 && s == nil {
		return false, err
	}
	if s == nil {
		removeMember(servers, at)
		return true, nil
	}
	plain, err := plainJSON(s)
	if err != nil {
		return false, err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, plain, indent+indent, indent); err != nil {
		return false, err
	}
	value, err := hujson.Parse(text.Bytes())
	if err != nil {
		return false, err
	}
	if at < 0 {
		appendMember(servers, name, value, indent, 2)
		return true, nil
	}
	had := servers.Members[at].Value.Clone()
	had.Standardize()
	var compact bytes.Buffer
	if json.Compact(&compact, had.Pack()) == nil && bytes.Equal(compact.Bytes(), plain) {
		return false, nil
	}
	servers.Members[at].Value.Value = value.Value
	return true, nil
}

// indentOf is what an object's members are indented by.
func indentOf(top *hujson.Object) string {
	if len(top.Members) > 0 {
		before := top.Members[0].Name.BeforeExtra
		line := before[bytes.LastIndexByte(before, '\n')+1:]
		if spaces := len(line) - len(bytes.TrimLeft(line, " \t")); spaces > 0 && len(line) < len(before) {
			return string(line[:spaces])
		}
	}
	return "  "
}

// memberOf returns which member of an object has a name, -1 for none.
func memberOf(o *hujson.Object, name string) (at int, err error) {
	at = -1
	for i, m := range o.Members {
		if literal, is := m.Name.Value.(hujson.Literal); !is || literal.String() != name {
			continue
		}
		if at >= 0 {
			return -1, fmt.Errorf("%q is there twice", name)
		}
		at = i
	}
	return at, nil
}

// appendMember adds a member on a line of its own, behind what comments there are,
// and returns which it is. depth is how often it is indented.
func appendMember(o *hujson.Object, name string, value hujson.Value, indent string, depth int) int {
	line := func(depth int) string { return "\n" + string(bytes.Repeat([]byte(indent), depth)) }
	value.BeforeExtra = hujson.Extra(" ")
	o.Members = append(o.Members, hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: append(trimmed(o.AfterExtra), line(depth)...), Value: hujson.String(name)},
		Value: value,
	})
	o.AfterExtra = hujson.Extra(line(depth - 1))
	return len(o.Members) - 1
}

// removeMember takes a member out. The comments before it stay, for they may be of
// others.
func removeMember(o *hujson.Object, at int) {
	comments := trimmed(o.Members[at].Name.BeforeExtra)
	o.Members = slices.Delete(o.Members, at, at+1)
	next := &o.AfterExtra
	if at < len(o.Members) {
		next = &o.Members[at].Name.BeforeExtra
	} else if at > 0 {
		o.Members[at-1].Value.AfterExtra = nil // with which there would be a comma
	}
	*next = append(comments, *next...)
}

// trimmed is what is between two values without the spaces at its end.
func trimmed(extra hujson.Extra) hujson.Extra {
	return slices.Clone(hujson.Extra(bytes.TrimRight(extra, " \t\r\n")))
}

// plainJSON is json.Marshal that leaves <, > and & as they are.
func plainJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(out.Bytes()), err
}

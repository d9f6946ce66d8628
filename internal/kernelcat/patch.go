package kernelcat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Patch returns the catalog data with e added, or put in the place of the entry
// of its name and arch. The bytes of all other entries stay as they are.
func Patch(data []byte, e Entry) ([]byte, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	c, raw, err := split(data)
	if err != nil {
		return nil, err
	}
	at, found := slices.BinarySearchFunc(c.Entries, e, compare)
	text, err := encode(e)
	if err != nil {
		return nil, err
	}
	if found {
		raw[at] = text
	} else {
		raw = slices.Insert(raw, at, text)
	}
	return join(raw)
}

// Remove returns the catalog data without an entry. The error is a
// *NotFoundError where it is not there.
func Remove(data []byte, name, arch string) ([]byte, error) {
	c, raw, err := split(data)
	if err != nil {
		return nil, err
	}
	at, found := slices.BinarySearchFunc(c.Entries, Entry{Name: name, Arch: arch}, compare)
	if !found {
		_, err := c.Find(name, arch)
		return nil, err
	}
	return join(slices.Delete(raw, at, at+1))
}

// split returns a catalog and the text of each entry.
func split(data []byte) (*Catalog, []json.RawMessage, error) {
	c, err := Parse(data)
	if err != nil {
		return nil, nil, err
	}
	var raw struct{ Entries []json.RawMessage }
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, nil, fmt.Errorf("read catalog: %w", err)
	}
	return c, raw.Entries, nil
}

const indent = "    " // of an entry

// encode returns an entry's text, from its first brace on.
func encode(e Entry) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // URLs stay legible
	encoder.SetIndent(indent, "  ")
	if err := encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("write catalog: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// join makes a catalog of its entries' texts, and checks it.
func join(entries []json.RawMessage) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"version\": %d,\n  \"entries\": [", version)
	for i, e := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + indent)
		b.Write(e)
	}
	if len(entries) > 0 {
		b.WriteString("\n  ")
	}
	b.WriteString("]\n}\n")
	_, err := Parse(b.Bytes())
	return b.Bytes(), err
}

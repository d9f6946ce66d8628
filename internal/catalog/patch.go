package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Patch returns the catalog data with e added, or put in the place of the entry
// of its identity, and the serial, where there is one, raised. The bytes of all
// other entries stay as they are.
func Patch[E Item](data []byte, e E) ([]byte, error) {
	if err := e.Check(false); err != nil {
		return nil, err
	}
	c, raw, err := parse[E](data, false)
	if err != nil {
		return nil, err
	}
	text, err := encode(e)
	if err != nil {
		return nil, err
	}
	at, found := slices.BinarySearchFunc(c.Entries, e, compare[E])
	if found {
		raw[at] = text
	} else {
		raw = slices.Insert(raw, at, text)
	}
	return join[E](c.Serial, raw)
}

// Remove returns the catalog data without an entry, as Patch does. The error is
// a *NotFoundError where it is not there.
func Remove[E Item](data []byte, name, arch string) ([]byte, error) {
	c, raw, err := parse[E](data, false)
	if err != nil {
		return nil, err
	}
	e, err := c.Find(name, arch)
	if err != nil {
		return nil, err
	}
	at := slices.Index(c.Entries, e)
	return join[E](c.Serial, slices.Delete(raw, at, at+1))
}

const indent = "    " // of an entry

// encode returns an entry's text, from its first brace on.
func encode(e any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // URLs stay legible
	encoder.SetIndent(indent, "  ")
	if err := encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("write catalog: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// join makes a catalog of its entries' texts, with the serial that follows the
// given one, and checks it.
func join[E Item](serial int64, entries []json.RawMessage) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"version\": %d,\n", version)
	if serial > 0 {
		fmt.Fprintf(&b, "  \"serial\": %d,\n", serial+1)
	}
	b.WriteString("  \"entries\": [")
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
	_, err := Parse[E](b.Bytes(), false)
	return b.Bytes(), err
}

package filesync

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"

	"banger/internal/format/tree"
)

const baseMagic = "banger sync 2\n"

// Encode returns a base as bytes, for DecodeBase.
func (b Base) Encode(skip []string) []byte {
	var out bytes.Buffer // which takes all
	out.WriteString(baseMagic)
	known := encoder{w: &out}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		k := b[name]
		known.add(name, k.Content, k.Here, k.There)
	}
	known.end()
	ignored := encoder{w: &out}
	for _, dir := range skip {
		ignored.add(dir, Content{Kind: Dir})
	}
	ignored.end()
	return out.Bytes()
}

// DecodeBase reads what Encode returned, with the directories that are left out.
func DecodeBase(data []byte) (Base, []string, error) {
	rest, ok := bytes.CutPrefix(data, []byte(baseMagic))
	if !ok {
		return nil, nil, errors.New("it is no base of a sync")
	}
	d := newDecoder(bytes.NewReader(rest))
	base := make(Base, len(rest)/120)
	for {
		var stamps [2]tree.Stamp
		name, c, err := d.next(stamps[:])
		if err != nil {
			return nil, nil, cutShort(err)
		}
		if c.Kind == Absent {
			break
		}
		base[name] = Known{c, stamps[0], stamps[1]}
	}
	var skip []string
	for d.name = nil; ; {
		name, c, err := d.next(nil)
		if err != nil {
			return nil, nil, cutShort(err)
		}
		if c.Kind == Absent {
			return base, skip, nil
		}
		skip = append(skip, name)
	}
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

package filesync

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const baseMagic = "banger sync 1\n"

// Encode returns a base as bytes, for DecodeBase.
func (b Base) Encode(skip []string) []byte {
	var out bytes.Buffer
	out.WriteString(baseMagic)
	here, there := State{}, State{}
	for name, k := range b {
		here[name], there[name] = Entry{k.Content, k.Here}, Entry{k.Content, k.There}
	}
	ignored := State{}
	for _, dir := range skip {
		ignored[dir] = Entry{Content: Content{Kind: Dir}}
	}
	for _, s := range []State{here, there, ignored} {
		s.Write(&out) // a buffer takes all
	}
	return out.Bytes()
}

// DecodeBase reads what Encode returned, with the directories that are left out.
func DecodeBase(data []byte) (Base, []string, error) {
	rest, ok := bytes.CutPrefix(data, []byte(baseMagic))
	if !ok {
		return nil, nil, errors.New("it is no base of a sync")
	}
	r := bufio.NewReaderSize(bytes.NewReader(rest), 64<<10) // which Read goes on with
	var states [3]State
	for i := range states {
		s, err := Read(r)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, nil, err
		}
		states[i] = s
	}
	base := Base{}
	for name, e := range states[0] {
		base[name] = Known{e.Content, e.Stamp, states[1][name].Stamp}
	}
	return base, states[2].Names(), nil
}

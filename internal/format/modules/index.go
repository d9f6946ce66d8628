package modules

import (
	"encoding/binary"
	"slices"
)

// index is a trie in the file format of kmod, see the comment in its
// libkmod/libkmod-index.c. Keys may repeat; their values stay apart.
type index struct {
	prefix   string
	children map[byte]*index
	values   []indexValue
}

type indexValue struct {
	text     string
	priority uint32
}

const (
	indexMagic    = 0xB007F457
	indexVersion  = 0x00020001
	indexPrefix   = 0x80000000
	indexValues   = 0x40000000
	indexChildren = 0x20000000
)

// insert adds a value under key. Of several, the one with the lower priority
// number comes first, and of those of one priority the latest, as depmod has it.
func (n *index) insert(key, value string, priority int) {
	for {
		common := commonPrefix(n.prefix, key)
		if common < len(n.prefix) {
			n.split(common)
		}
		key = key[common:]
		if key == "" {
			n.addValue(indexValue{value, uint32(priority)})
			return
		}
		child := n.children[key[0]]
		if child == nil {
			child = &index{prefix: key[1:]}
			if n.children == nil {
				n.children = map[byte]*index{}
			}
			n.children[key[0]] = child
		}
		n, key = child, key[1:]
	}
}

func (n *index) addValue(v indexValue) {
	at := slices.IndexFunc(n.values, func(other indexValue) bool { return other.priority >= v.priority })
	if at < 0 {
		at = len(n.values)
	}
	n.values = slices.Insert(n.values, at, v)
}

// split moves all but the first bytes of n's prefix to a new child.
func (n *index) split(at int) {
	child := &index{prefix: n.prefix[at+1:], children: n.children, values: n.values}
	n.children = map[byte]*index{n.prefix[at]: child}
	n.prefix, n.values = n.prefix[:at], nil
}

func commonPrefix(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

// encode returns the index as a file.
func (n *index) encode() []byte {
	out := binary.BigEndian.AppendUint32(nil, indexMagic)
	out = binary.BigEndian.AppendUint32(out, indexVersion)
	out = binary.BigEndian.AppendUint32(out, 0)
	out, root := n.append(out)
	binary.BigEndian.PutUint32(out[8:], root)
	return out
}

// append writes n behind its children and returns where it is, with the flags
// that tell its parts.
func (n *index) append(out []byte) ([]byte, uint32) {
	offsets := map[byte]uint32{}
	letters := make([]byte, 0, len(n.children))
	for letter := range n.children {
		letters = append(letters, letter)
	}
	slices.Sort(letters)
	for _, letter := range letters {
		out, offsets[letter] = n.children[letter].append(out)
	}
	at := uint32(len(out))
	if n.prefix != "" {
		at |= indexPrefix
		out = append(append(out, n.prefix...), 0)
	}
	if len(letters) > 0 {
		at |= indexChildren
		first, last := letters[0], letters[len(letters)-1]
		out = append(out, first, last)
		for letter := int(first); letter <= int(last); letter++ {
			out = binary.BigEndian.AppendUint32(out, offsets[byte(letter)])
		}
	}
	if len(n.values) > 0 {
		at |= indexValues
		out = binary.BigEndian.AppendUint32(out, uint32(len(n.values)))
		for _, v := range n.values {
			out = binary.BigEndian.AppendUint32(out, v.priority)
			out = append(append(out, v.text...), 0)
		}
	}
	return out, at
}

package ext4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var errXattr = fmt.Errorf("%w: its extended attributes are damaged", ErrUnreadable)

// xattrs returns an inode's extended attributes as PAX records have them, or
// nil.
func (fs *Reader) xattrs(n diskInode) (map[string]string, error) {
	le := binary.LittleEndian
	records := map[string]string{}
	if len(n.raw) > oldInodeSize+extraSizeBytes {
		area := n.raw[min(oldInodeSize+int(le.Uint16(n.raw[oldInodeSize:])), len(n.raw)):]
		if len(area) >= xattrIDSize && le.Uint32(area) == xattrMagic {
			if err := fs.addXattrs(records, area[xattrIDSize:], area[xattrIDSize:]); err != nil {
				return nil, err
			}
		}
	}
	if number := uint64(le.Uint32(n.raw[104:])) | uint64(le.Uint16(n.raw[118:]))<<32; number != 0 {
		block, err := fs.block(number)
		if err != nil {
			return nil, err
		}
		if le.Uint32(block) != xattrMagic {
			return nil, errXattr
		}
		if err := fs.addXattrs(records, block[xattrHeadSize:], block); err != nil {
			return nil, err
		}
	}
	if len(records) == 0 {
		return nil, nil
	}
	return records, nil
}

// extraSizeBytes is the length of what says how much of an inode is in use.
const extraSizeBytes = 2

// addXattrs reads entries up to a terminator, or the end; their values' offsets
// count from base.
func (fs *Reader) addXattrs(records map[string]string, entries, base []byte) error {
	le := binary.LittleEndian
	for len(entries) >= 4 && le.Uint32(entries) != 0 {
		if len(entries) < xattrEntrySize {
			return errXattr
		}
		length := int(entries[0])
		size := xattrEntrySize + (length+3)&^3
		if size > len(entries) {
			return errXattr
		}
		name, known := xattrName(entries[1], string(entries[xattrEntrySize:][:length]))
		value, err := fs.xattrValue(entries, base)
		if err != nil {
			return err
		}
		if index := entries[1]; index == xattrACL || index == xattrDefaultACL {
			if value, err = programACL(value); err != nil {
				return errXattr
			}
		}
		if known {
			records[paxXattrPrefix+name] = string(value)
		}
		entries = entries[size:]
	}
	return nil
}

// maxXattr is the longest value that Linux allows.
const maxXattr = 64 << 10

// xattrValue reads an entry's value, which a long one has an inode for.
func (fs *Reader) xattrValue(entry, base []byte) ([]byte, error) {
	le := binary.LittleEndian
	at, count, number := int64(le.Uint16(entry[2:])), int64(le.Uint32(entry[8:])), le.Uint32(entry[4:])
	if number == 0 {
		if at+count > int64(len(base)) {
			return nil, errXattr
		}
		return base[at : at+count], nil
	}
	n, err := fs.inode(number)
	if err != nil {
		return nil, err
	}
	if n.mode&modeType != modeFile || n.size != count || count > maxXattr {
		return nil, errXattr
	}
	content, err := fs.content(n)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(content)
}

// xattrName puts a name behind the prefix that a number stands for.
func xattrName(index byte, rest string) (name string, known bool) {
	for _, p := range xattrPrefixes {
		if p.index == index {
			return p.prefix + rest, true
		}
	}
	return "", false
}

// programACL is the inverse of storedACL.
func programACL(stored []byte) ([]byte, error) {
	const noID = 1<<32 - 1
	le := binary.LittleEndian
	damaged := errors.New("which is damaged")
	if len(stored) < 4 || le.Uint32(stored) != aclStoredVersion {
		return nil, damaged
	}
	value := le.AppendUint32(nil, aclVersion)
	for rest := stored[4:]; len(rest) > 0; {
		size := 4
		if len(rest) >= 2 && (le.Uint16(rest) == aclUser || le.Uint16(rest) == aclGroup) {
			size = 8
		}
		if len(rest) < size {
			return nil, damaged
		}
		value = append(value, rest[:size]...)
		if size == 4 {
			value = le.AppendUint32(value, noID)
		}
		rest = rest[size:]
	}
	return value, nil
}

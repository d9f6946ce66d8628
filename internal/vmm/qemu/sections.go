package qemu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// split returns where the rest of the stream is to be copied as it is.
func (p *pages) split() error {
	head, err := p.copy(8)
	if err != nil {
		return err
	}
	if head != streamMagic<<32|streamVersion {
		return fmt.Errorf("it begins with %#x", head)
	}
	for {
		next, err := p.in.Peek(1)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch next[0] {
		case sectionConfiguration:
			err = p.configuration()
		case sectionStart:
			if next, err = p.in.Peek(9); err != nil || string(next[5:]) != "\x03ram" {
				return err
			}
			p.begun = true
			err = p.setup()
		case sectionPart:
			err = p.part()
		case sectionEnd:
			p.begun = false
			err = p.part()
		case sectionFooter:
			_, err = p.copy(5)
		case sectionCommand:
			err = p.order()
		default:
			if p.begun { // the pages behind it would not be taken out
				err = fmt.Errorf("its memory has a section of kind %#x in it", next[0])
			}
			return err
		}
		if err != nil {
			return err
		}
	}
}

// copy copies n bytes, eight at most, and returns them as a number.
func (p *pages) copy(n int) (uint64, error) {
	var bytes [8]byte
	if _, err := io.ReadFull(p.in, bytes[8-n:]); err != nil {
		return 0, err
	}
	_, err := p.out.Write(bytes[8-n:])
	return binary.BigEndian.Uint64(bytes[:]), err
}

// text copies a text behind its length, which has n bytes.
func (p *pages) text(n int) (string, error) {
	length, err := p.copy(n)
	if err == nil && length > 255 {
		err = fmt.Errorf("a name in it has %d bytes", length)
	}
	if err != nil {
		return "", err
	}
	name := make([]byte, length)
	if _, err := io.ReadFull(p.in, name); err != nil {
		return "", err
	}
	_, err = p.out.Write(name)
	return string(name), err
}

// configuration copies the machine's name.
func (p *pages) configuration() error {
	_, err := p.copy(1)
	if err == nil {
		_, err = p.text(4)
	}
	return err
}

// order copies a command: its number, and what it is about behind the length of that.
// QEMU 10 gives one before the last of the memory.
func (p *pages) order() error {
	if _, err := p.copy(3); err != nil {
		return err
	}
	length, err := p.copy(2)
	if err == nil {
		_, err = io.CopyN(p.out, p.in, int64(length))
	}
	return err
}

// setup copies the section that says what memory there is.
func (p *pages) setup() error {
	if _, err := p.copy(5); err != nil {
		return err
	}
	if _, err := p.text(1); err != nil {
		return err
	}
	if _, err := p.copy(8); err != nil { // instance and version
		return err
	}
	total, err := p.copy(8)
	if err == nil && total&flagBits != flagMemSize {
		err = fmt.Errorf("its memory begins with %#x", total)
	}
	for left, n := total&^flagBits, 0; left > 0 && err == nil; n++ {
		left, err = p.memory(left)
		if n == maxBlocks {
			err = errors.New("its memory has too many parts")
		}
	}
	if err != nil {
		return err
	}
	return p.end()
}

// memory copies what is said of a block of memory, and returns how many bytes of it
// are left.
func (p *pages) memory(left uint64) (uint64, error) {
	name, err := p.text(1)
	if err != nil {
		return 0, err
	}
	length, err := p.copy(8)
	if err == nil && (length > left || name == ramName && length != uint64(p.size)) {
		err = fmt.Errorf("its %s has %d bytes", name, length)
	}
	return left - length, err
}

// end copies the end of a section's content.
func (p *pages) end() error {
	last, err := p.copy(8)
	if err == nil && last != flagEOS {
		err = fmt.Errorf("a part of it ends with %#x", last)
	}
	return err
}

package qemu

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// ramName is the name of a guest's memory in its state.
const ramName = "microvm.ram"

// The stream of a migration, as QEMU's docs/devel/migration has it and
// migration/savevm.c and ram.c write it. All numbers are big-endian.
const (
	streamMagic   = 0x5145564d
	streamVersion = 3

	sectionStart         = 0x01
	sectionPart          = 0x02
	sectionEnd           = 0x03
	sectionConfiguration = 0x07
	sectionCommand       = 0x08
	sectionFooter        = 0x7e

	pageSize = 4 << 10
	flagBits = pageSize - 1 // the lower bits of a page's place

	flagZero     = 0x02 // a byte follows that fills the page
	flagMemSize  = 0x04
	flagPage     = 0x08 // the page follows
	flagEOS      = 0x10 // the section ends
	flagContinue = 0x20 // of the same block as the one before, else its name follows

	maxBlocks = 64 // of memory, which a microvm has a few of
)

// pages takes a guest's memory out of its stream and writes it to a file, which
// begins as a hole. So whoever reads the rest has to have that file for its memory,
// and touches no page but those it needs.
type pages struct {
	in   *bufio.Reader
	out  *bufio.Writer
	file *os.File
	size int64 // of the memory, in bytes

	begun   bool   // the memory, which has not ended
	written []bool // pages that are no holes
	block   string // that the last page was of

	buf   []byte // pages that are to be written
	start int64  // where
}

// splitPages copies a stream from in to out, but for the pages of the guest's memory,
// which has a size in bytes.
func splitPages(out io.Writer, in io.Reader, file *os.File, size int64) error {
	const buffer = 256 << 10
	p := &pages{
		in: bufio.NewReaderSize(in, buffer), out: bufio.NewWriterSize(out, buffer), file: file, size: size,
		written: make([]bool, size/pageSize), buf: make([]byte, 0, buffer),
	}
	err := p.split()
	if err == nil {
		err = p.out.Flush()
	}
	if err == nil {
		_, err = p.in.WriteTo(out)
	}
	return err
}

// part copies a section of pages, but for those of the guest's memory.
func (p *pages) part() error {
	if _, err := p.copy(5); err != nil {
		return err
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(p.in, head[:]); err != nil {
			return err
		}
		place := binary.BigEndian.Uint64(head[:])
		flags := place & flagBits
		switch flags &^ flagContinue {
		case flagEOS:
			if err := p.write(); err != nil {
				return err
			}
			_, err := p.out.Write(head[:])
			return err
		case flagZero, flagPage:
			if err := p.page(head[:], place&^flagBits, flags); err != nil {
				return err
			}
		default:
			return fmt.Errorf("a page of it has the flags %#x", flags)
		}
	}
}

// page takes one page, whose head is read. Each that is copied follows one of its
// block, or names it.
func (p *pages) page(head []byte, place, flags uint64) error {
	if flags&flagContinue == 0 {
		length, err := p.in.ReadByte()
		if err != nil {
			return err
		}
		name := make([]byte, length)
		if _, err := io.ReadFull(p.in, name); err != nil {
			return err
		}
		p.block = string(name)
		head = append(append(head, length), name...)
	}
	content := 1
	if flags&flagPage != 0 {
		content = pageSize
	}
	if p.block == ramName {
		return p.keep(int64(place), content)
	}
	if _, err := p.out.Write(head); err != nil {
		return err
	}
	_, err := io.CopyN(p.out, p.in, int64(content))
	return err
}

// keep takes the content of a page of the guest's memory.
func (p *pages) keep(place int64, content int) error {
	if place < 0 || place > p.size-pageSize {
		return fmt.Errorf("a page of it is at %#x", place)
	}
	if next := p.start + int64(len(p.buf)); place != next || len(p.buf) == cap(p.buf) {
		if err := p.write(); err != nil {
			return err
		}
		p.start = place
	}
	filled, number := len(p.buf), place/pageSize
	if content == pageSize {
		p.buf = p.buf[:filled+pageSize]
		p.written[number] = true
		_, err := io.ReadFull(p.in, p.buf[filled:])
		return err
	}
	fill, err := p.in.ReadByte()
	if err != nil || fill == 0 && !p.written[number] {
		return err // a hole already; the next page is not its neighbour
	}
	p.written[number] = true
	p.buf = append(p.buf, bytes.Repeat([]byte{fill}, pageSize)...)
	return nil
}

// write writes the pages that were kept.
func (p *pages) write() error {
	_, err := p.file.WriteAt(p.buf, p.start)
	p.buf = p.buf[:0]
	return err
}

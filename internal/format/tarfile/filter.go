package tarfile

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	blockSize = 512
	// maxSpecial is how long an extended header may be for archive/tar.
	maxSpecial = 1 << 20
)

// Where fields are in a header.
const (
	sizeAt     = 124
	checksumAt = 148
	typeAt     = 156
	magicAt    = 257
	gnuMagic   = "ustar  \x00"
)

// The PAX records of sparse files, as they are and as archive/tar gets to see
// them: it leaves alone what it does not know.
const (
	sparsePrefix = "GNU.sparse."
	hiddenPrefix = "gnu.sparse."
)

// filter passes a tar on to archive/tar, and keeps from it that files are
// sparse. It knows headers from content as archive/tar reads nothing ahead.
type filter struct {
	src    io.Reader
	ready  []byte // a header to be passed on
	raw    int64  // content to be passed on before the next header
	zeros  bool   // the last block was one of zeros, and ends the tar
	err    error  // the source's
	sparse *sparse
	maxMap int64 // of a sparse file, in bytes
}

func (f *filter) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case len(f.ready) == 0 && f.raw > 0:
		n, err := f.src.Read(p[:min(int64(len(p)), f.raw)])
		f.raw -= int64(n)
		return n, err
	case len(f.ready) == 0 && f.err == nil:
		f.err = f.header()
	}
	if len(f.ready) == 0 {
		return 0, f.err
	}
	n := copy(p, f.ready)
	f.ready = f.ready[n:]
	return n, nil
}

// header reads a header's block and, of what is to be hidden, what belongs to it.
func (f *filter) header() error {
	block := make([]byte, blockSize)
	n, err := io.ReadFull(f.src, block)
	f.ready = block[:n]
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF // as the source would have said
	}
	if err != nil || f.zeros {
		return err
	}
	f.zeros = [blockSize]byte(block) == [blockSize]byte{}
	switch block[typeAt] {
	case tar.TypeXHeader:
		f.sparse = nil
		return f.extended(block)
	case tar.TypeXGlobalHeader:
		f.sparse = nil
		f.raw = padded(numeric(block[sizeAt:][:12]))
	case tar.TypeGNULongName, tar.TypeGNULongLink:
		f.raw = padded(numeric(block[sizeAt:][:12]))
	case tar.TypeGNUSparse:
		if string(block[magicAt:][:8]) == gnuMagic {
			return f.oldSparse(block)
		}
	}
	return nil
}

// extended hides the records of sparse files in an extended header.
func (f *filter) extended(block []byte) error {
	size := numeric(block[sizeAt:][:12])
	if size < 0 || size > maxSpecial {
		f.raw = padded(size)
		return nil // archive/tar refuses it
	}
	records := make([]byte, padded(size))
	n, err := io.ReadFull(f.src, records)
	f.ready = append(block, records[:n]...)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return err
	}
	eachRecord(f.ready[blockSize:][:size], func(key, value []byte) {
		name, ok := bytes.CutPrefix(key, []byte(sparsePrefix))
		if !ok {
			return
		}
		if f.sparse == nil {
			f.sparse = &sparse{records: map[string]string{}}
		}
		f.sparse.add(string(name), string(value))
		copy(key, hiddenPrefix)
	})
	return nil
}

// eachRecord calls visit for the PAX records, up to what is none.
func eachRecord(records []byte, visit func(key, value []byte)) {
	for len(records) > 0 {
		digits, _, ok := bytes.Cut(records, []byte(" "))
		size, err := strconv.Atoi(string(digits))
		if !ok || err != nil || size <= len(digits)+1 || size > len(records) {
			return
		}
		record := bytes.TrimSuffix(records[len(digits)+1:size], []byte("\n"))
		if key, value, ok := bytes.Cut(record, []byte("=")); ok {
			visit(key, value)
		}
		records = records[size:]
	}
}

// takeSparse returns what the headers before an entry said of holes, or nil.
func (f *filter) takeSparse() *sparse {
	s := f.sparse
	f.sparse = nil
	return s
}

func padded(n int64) int64 { return (max(n, 0) + blockSize - 1) / blockSize * blockSize }

// numeric reads a number as headers have them, or returns -1.
func numeric(field []byte) int64 {
	if field[0]&0x80 != 0 {
		n := int64(field[0] & 0x3f)
		for _, b := range field[1:] {
			if n >= 1<<55 {
				return -1
			}
			n = n<<8 | int64(b)
		}
		return n
	}
	text := strings.Trim(string(field), " \x00")
	if text == "" {
		return 0
	}
	text, _, _ = strings.Cut(text, "\x00")
	n, err := strconv.ParseInt(strings.TrimSpace(text), 8, 64)
	if err != nil {
		return -1
	}
	return n
}

// seal puts a header's checksum right.
func seal(block []byte) {
	copy(block[checksumAt:][:8], "        ")
	sum := 0
	for _, b := range block[:blockSize] {
		sum += int(b)
	}
	copy(block[checksumAt:][:8], fmt.Sprintf("%06o\x00 ", sum))
}

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

// sparse is what the headers of a file say of its holes.
type sparse struct {
	records map[string]string // PAX records, without their common prefix
	numbers []string          // of the form 0.0, whose records come again and again
	data    []Range           // of the old form
	size    int64             // of the old form; otherwise 0
	mapSize int64             // how much of the content in the tar says where data is
}

var errSparse = errors.New("what it says of its holes is damaged")

func (s *sparse) add(name, value string) {
	if name == "offset" || name == "numbytes" {
		s.numbers = append(s.numbers, value)
		return
	}
	s.records[name] = value
}

// ranges returns where data is. The form 1.0 has that in front of the content.
func (s *sparse) ranges(content io.Reader, maxMap int64) ([]Range, error) {
	if s.records == nil {
		return s.data, nil
	}
	switch version := s.records["major"] + "." + s.records["minor"]; {
	case version == "1.0":
		return s.mapInContent(content, maxMap)
	case version != "." && version != "0.0" && version != "0.1":
		return nil, fmt.Errorf("its sparse form %q is not understood", version)
	case s.records["map"] != "":
		return parseRanges(strings.Split(s.records["map"], ","))
	}
	return parseRanges(s.numbers)
}

// realSize returns the size of the file on disk.
func (s *sparse) realSize(stored int64) (int64, error) {
	if s.records == nil {
		return s.size, nil
	}
	for _, key := range []string{"size", "realsize"} {
		if text := s.records[key]; text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 {
				return 0, errSparse
			}
			return n, nil
		}
	}
	return stored, nil
}

// parseRanges reads offsets and lengths.
func parseRanges(numbers []string) ([]Range, error) {
	if len(numbers)%2 != 0 {
		return nil, errSparse
	}
	data := make([]Range, 0, len(numbers)/2)
	for i := 0; i < len(numbers); i += 2 {
		offset, err := strconv.ParseInt(numbers[i], 10, 64)
		if err != nil {
			return nil, errSparse
		}
		length, err := strconv.ParseInt(numbers[i+1], 10, 64)
		if err != nil || offset < 0 {
			return nil, errSparse
		}
		data = append(data, Range{offset, length})
	}
	return data, nil
}

// maxMap is how long the form 1.0's map may be. GNU tar sets no bound.
const maxMap = 16 << 20

// writtenMap is more than a Writer's map has: a number of up to 19 digits for each
// offset and length.
const writtenMap = 2*20*maxRanges + 2*blockSize

// mapInContent reads the number of ranges, and then these, a number on each
// line, in whole blocks.
func (s *sparse) mapInContent(content io.Reader, maxMap int64) ([]Range, error) {
	var text bytes.Buffer
	lines, want := 0, 1
	for lines < want {
		var block [blockSize]byte
		if s.mapSize += blockSize; s.mapSize > maxMap {
			return nil, errSparse
		}
		if _, err := io.ReadFull(content, block[:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		text.Write(block[:])
		lines += bytes.Count(block[:], []byte("\n"))
		if want == 1 && lines > 0 {
			count, _, _ := bytes.Cut(text.Bytes(), []byte("\n"))
			n, err := strconv.Atoi(string(count))
			if err != nil || n < 0 || int64(n) > maxMap/4 {
				return nil, errSparse
			}
			want += 2 * n
		}
	}
	numbers := strings.SplitN(text.String(), "\n", want+1)
	return parseRanges(numbers[1:want])
}

// The old form's fields: four ranges in the header, and as many as it takes in
// blocks behind it.
const (
	oldRangesAt, oldInHeader = 386, 4
	oldMoreAt                = 482
	oldSizeAt                = 483
	oldInBlock               = 21
	oldMoreInBlockAt         = 504
	oldField                 = 12
)

// oldSparse makes a plain file of one of the old form.
func (f *filter) oldSparse(block []byte) error {
	s := &sparse{size: numeric(block[oldSizeAt:][:oldField])}
	ok := s.addOld(block[oldRangesAt:], oldInHeader)
	more := block[oldMoreAt] != 0
	for n := 0; more; n++ {
		rest := make([]byte, blockSize)
		if _, err := io.ReadFull(f.src, rest); err != nil || n == int(f.maxMap/blockSize) {
			f.ready = f.ready[:0]
			if err == nil {
				err = tar.ErrHeader
			}
			return err
		}
		ok = ok && s.addOld(rest, oldInBlock)
		more = rest[oldMoreInBlockAt] != 0
	}
	if !ok || s.size < 0 {
		f.ready = f.ready[:0]
		return tar.ErrHeader
	}
	f.sparse = s
	block[typeAt] = tar.TypeReg
	seal(block)
	return nil
}

// addOld reads up to count ranges, and reports whether they are numbers.
func (s *sparse) addOld(fields []byte, count int) bool {
	for ; count > 0 && fields[0] != 0; count-- {
		r := Range{numeric(fields[:oldField]), numeric(fields[oldField:][:oldField])}
		if r.Offset < 0 || r.Length < 0 {
			return false
		}
		s.data = append(s.data, r)
		fields = fields[2*oldField:]
	}
	return true
}

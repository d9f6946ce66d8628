package tarfile

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Open returns the content of a regular file on disk, which stays open and may
// grow or shrink meanwhile: of what it has now, that is what size says.
func Open(f *os.File, size int64) (*File, error) {
	data, err := rangesOf(f, size)
	if err != nil {
		return nil, err
	}
	return NewFile(size, data, &sections{f, data})
}

// rangesOf asks where a file has data. One that has as many blocks as its size
// needs is not asked.
func rangesOf(f *os.File, size int64) ([]Range, error) {
	whole := []Range{{0, size}}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Blocks*512 >= size {
		return whole, nil
	}
	var data []Range
	for end := int64(0); end < size; {
		start, err := f.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // a hole to the end
		}
		if errors.Is(err, unix.EINVAL) {
			return whole, nil // a file system that does not know
		}
		if err != nil {
			return nil, err
		}
		if start >= size {
			break
		}
		if end, err = f.Seek(start, unix.SEEK_HOLE); err != nil {
			return nil, err
		}
		end = min(end, size)
		data = append(data, Range{start, end - start})
	}
	return data, nil
}

// sections reads ranges of a file, one behind the other.
type sections struct {
	file io.ReaderAt
	left []Range
}

func (s *sections) Read(p []byte) (int, error) {
	for len(s.left) > 0 && s.left[0].Length == 0 {
		s.left = s.left[1:]
	}
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	r := &s.left[0]
	n, err := s.file.ReadAt(p[:min(int64(len(p)), r.Length)], r.Offset)
	r.Offset, r.Length = r.Offset+int64(n), r.Length-int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

package tarfile

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// worthwhile is how much a file's holes must be for them to be left out: what
// only unpacks plain files is better off with plain ones, and programs, whose
// sections are far apart, are files for everybody.
const worthwhile = 1 << 20

// maxRanges is how many ranges are written of a file: archive/tar takes no more
// than 1 MiB of digits. What is behind is written with its holes.
const maxRanges = 1 << 14

// Writer writes a tar.
type Writer struct {
	tar *tar.Writer
	out io.Writer
}

// NewWriter returns a writer of a tar to w.
func NewWriter(w io.Writer) *Writer { return &Writer{tar.NewWriter(w), w} }

// Close writes the tar's end mark.
func (w *Writer) Close() error { return w.tar.Close() }

// Add writes an entry and, where it is a file with content, that.
func (w *Writer) Add(h *tar.Header, content io.Reader) error {
	h = withKeys(h)
	f, known := content.(*File)
	if known && h.Typeflag == tar.TypeReg && h.Size == f.size {
		if data := leastRanges(f); f.size-sum(data) >= worthwhile {
			return w.addSparse(h, f, data)
		}
	}
	if err := w.tar.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg || h.Size == 0 {
		return err
	}
	_, err := io.CopyN(w.tar, content, h.Size)
	return err
}

// leastRanges is where a file that was not read yet has data, in as many ranges
// as can be written.
func leastRanges(f *File) []Range {
	if len(f.data) <= maxRanges {
		return slices.Clone(f.data)
	}
	data := slices.Clone(f.data[:maxRanges])
	last := &data[maxRanges-1]
	last.Length = f.size - last.Offset
	return data
}

// addSparse writes a file in GNU's form 1.0: what does not know it unpacks a
// file of another name, which holds the map and the data.
func (w *Writer) addSparse(h *tar.Header, f *File, data []Range) error {
	if err := w.tar.Flush(); err != nil {
		return err
	}
	index, stored := rangeMap(data, f.size), sum(data)
	head, err := sparseHeader(h, int64(len(index))+stored)
	if err != nil {
		return err
	}
	if _, err := w.out.Write(append(head, index...)); err != nil {
		return err
	}
	for _, r := range data {
		f.SkipHole(1)
		if _, err := io.CopyN(w.out, f, r.Length); err != nil {
			return err
		}
	}
	_, err = w.out.Write(make([]byte, padded(stored)-stored))
	return err
}

// rangeMap writes down where data is. A last range says where the file ends, as
// GNU tar has it.
func rangeMap(data []Range, size int64) []byte {
	if len(data) == 0 || data[len(data)-1].end() < size {
		data = append(data, Range{size, 0})
	}
	text := strconv.AppendInt(nil, int64(len(data)), 10)
	for _, r := range data {
		text = strconv.AppendInt(append(text, '\n'), r.Offset, 10)
		text = strconv.AppendInt(append(text, '\n'), r.Length, 10)
	}
	text = append(text, '\n')
	return append(text, make([]byte, padded(int64(len(text)))-int64(len(text)))...)
}

// sparseHeader encodes a header with the records of a sparse file, which
// archive/tar writes only under a name that it does not know.
func sparseHeader(h *tar.Header, stored int64) ([]byte, error) {
	as := *h
	as.Format, as.Name, as.Size = tar.FormatPAX, path.Join(path.Dir(h.Name), "GNUSparseFile.0", path.Base(h.Name)), stored
	as.PAXRecords = maps.Clone(h.PAXRecords)
	if as.PAXRecords == nil {
		as.PAXRecords = map[string]string{}
	}
	maps.Copy(as.PAXRecords, map[string]string{
		hiddenPrefix + "major": "1", hiddenPrefix + "minor": "0",
		hiddenPrefix + "name": h.Name, hiddenPrefix + "realsize": strconv.FormatInt(h.Size, 10),
	})
	var out bytes.Buffer
	if err := tar.NewWriter(&out).WriteHeader(&as); err != nil {
		return nil, err
	}
	head := out.Bytes()
	size := numeric(head[sizeAt:][:12])
	eachRecord(head[blockSize:][:size], func(key, _ []byte) {
		if bytes.HasPrefix(key, []byte(hiddenPrefix)) {
			copy(key, sparsePrefix)
		}
	})
	return head, nil
}

// xattrPrefix begins the keys of extended attributes. What no key may have in
// it is written as GNU tar does.
const xattrPrefix = "SCHILY.xattr."

var (
	encodeKey = strings.NewReplacer("%", "%25", "=", "%3D")
	decodeKey = strings.NewReplacer("%25", "%", "%3D", "=")
)

// withKeys is a header whose extended attributes can be written.
func withKeys(h *tar.Header) *tar.Header {
	records := recoded(h.PAXRecords, encodeKey)
	if records == nil {
		return h
	}
	as := *h
	as.PAXRecords = records
	return &as
}

// decodeKeys gives extended attributes their names.
func decodeKeys(records map[string]string) {
	if decoded := recoded(records, decodeKey); decoded != nil {
		clear(records)
		maps.Copy(records, decoded)
	}
}

// recoded returns records whose keys are other ones, or nil where none is.
func recoded(records map[string]string, code *strings.Replacer) map[string]string {
	var all map[string]string
	for key := range records {
		if !strings.HasPrefix(key, xattrPrefix) || code.Replace(key) == key {
			continue
		}
		if all == nil {
			all = maps.Clone(records)
		}
		delete(all, key)
	}
	for key, value := range records {
		if _, kept := all[key]; all != nil && !kept {
			all[code.Replace(key)] = value
		}
	}
	return all
}

package vmdisk

import (
	"encoding/binary"
	"io"
)

// The format of the store: see Linux's dm-snap-persistent.c.
const (
	exceptionSize = 16         // two numbers of chunks: in the image, in the store
	storeMagic    = 0x70416e53 // "SnAp"
	storeVersion  = 1
)

// disk is a new VM's root as the guest will see it. What is written to the
// image's part is kept until close.
type disk struct {
	f     io.WriterAt
	image io.ReaderAt
	end   int64 // of the image
	plain int64 // where on f the root goes on

	changed map[int64][]byte // chunks of the image, by their numbers
	order   []int64          // these, as they came
}

func newDisk(f io.WriterAt, image io.ReaderAt, sectors uint64) *disk {
	return &disk{
		f: f, image: image, end: int64(sectors) * SectorSize, plain: int64(PlainSector(sectors)) * SectorSize,
		changed: map[int64][]byte{},
	}
}

// ReadAt reads of the image's part alone: of the rest nothing is known but what
// was just written.
func (d *disk) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		if at+int64(n) >= d.end {
			return n, io.ErrUnexpectedEOF
		}
		number, offset := (at+int64(n))/chunkSize, (at+int64(n))%chunkSize
		chunk, err := d.chunk(number)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], chunk[offset:])
	}
	return n, nil
}

func (d *disk) chunk(number int64) ([]byte, error) {
	if chunk := d.changed[number]; chunk != nil {
		return chunk, nil
	}
	chunk := make([]byte, chunkSize)
	_, err := d.image.ReadAt(chunk[:min(chunkSize, d.end-number*chunkSize)], number*chunkSize)
	return chunk, err
}

// WriteAt implements io.WriterAt.
func (d *disk) WriteAt(p []byte, at int64) (n int, err error) {
	for n < len(p) && at+int64(n) < d.end {
		number, offset := (at+int64(n))/chunkSize, (at+int64(n))%chunkSize
		chunk, err := d.chunk(number)
		if err != nil {
			return n, err
		}
		if d.changed[number] == nil {
			d.changed[number] = chunk
			d.order = append(d.order, number)
		}
		n += copy(chunk[offset:min(chunkSize, d.end-number*chunkSize)], p[n:])
	}
	if n == len(p) {
		return n, nil
	}
	written, err := d.f.WriteAt(p[n:], d.plain+at+int64(n)-d.end)
	return n + written, err
}

// close writes the store.
func (d *disk) close() error {
	le := binary.LittleEndian
	var header []byte
	for _, v := range []uint32{storeMagic, 1 /* valid */, storeVersion, ChunkSectors} {
		header = le.AppendUint32(header, v)
	}
	if _, err := d.f.WriteAt(header, 0); err != nil {
		return err
	}
	var list []byte
	for i, number := range d.order {
		// Behind the header: a list, what it lists, the next one.
		begin := 1 + int64(i/chunksPerList)*(1+chunksPerList)
		place := begin + 1 + int64(i%chunksPerList)
		if _, err := d.f.WriteAt(d.changed[number], place*chunkSize); err != nil {
			return err
		}
		list = le.AppendUint64(le.AppendUint64(list, uint64(number)), uint64(place))
		if len(list) < chunkSize && i < len(d.order)-1 {
			continue
		}
		if _, err := d.f.WriteAt(list, begin*chunkSize); err != nil {
			return err
		}
		list = list[:0]
	}
	return nil
}

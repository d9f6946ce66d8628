package ext4

import "fmt"

// bufferSize is how much is written at once.
const bufferSize = 1 << 20

// output writes blocks one after another. None is written twice, and none is
// read back.
type output struct {
	file  File
	limit uint32 // blocks
	space space
	taken uint32 // how many blocks were written
	buf   []byte
	at    uint32 // the place of the first block in buf
}

func newOutput(f File, limit uint32) *output {
	return &output{file: f, limit: limit, space: space{next: superArea}, buf: make([]byte, 0, bufferSize)}
}

// write stores a block and returns its number.
func (o *output) write(block []byte) (uint32, error) {
	number := o.space.take(1)
	if number >= o.limit {
		return 0, o.tooLarge()
	}
	if len(o.buf) == cap(o.buf) || number != o.at+uint32(len(o.buf)/blockSize) {
		if err := o.flush(); err != nil {
			return 0, err
		}
		o.at = number
	}
	o.buf = append(o.buf, block...)
	o.taken++
	return number, nil
}

// flush writes what is buffered.
func (o *output) flush() error {
	err := o.writeAt(o.at, o.buf)
	o.buf = o.buf[:0]
	return err
}

func (o *output) writeAt(block uint32, data []byte) error {
	_, err := o.file.WriteAt(data, int64(block)*blockSize)
	return err
}

func (o *output) tooLarge() error {
	return fmt.Errorf("content %w for a file system of %d MiB", ErrTooLarge, int64(o.limit)*blockSize>>20)
}

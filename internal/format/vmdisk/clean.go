package vmdisk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"banger/internal/format/ext4"
)

// errStore says that a disk begins with no store.
var errStore = errors.New("the disk has no exception store")

// IsClean reports whether the guest's file system was unmounted when the VM
// stopped: where it was not, the next boot replays its journal. The image has
// size bytes.
func IsClean(disk, image io.ReaderAt, size int64) (bool, error) {
	first, err := firstChunk(disk, image, size)
	if err != nil {
		return false, err
	}
	info, err := ext4.Check(bytes.NewReader(first))
	return err == nil && !info.NeedsRecovery, err
}

// firstChunk returns the root's first chunk, in which the superblock is.
func firstChunk(disk, image io.ReaderAt, size int64) ([]byte, error) {
	le := binary.LittleEndian
	chunk := make([]byte, chunkSize)
	if _, err := disk.ReadAt(chunk, 0); err != nil {
		return nil, err
	}
	if le.Uint32(chunk) != storeMagic {
		return nil, errStore
	}
	lists := int64(NoteSector(uint64(size)/SectorSize)) / ChunkSectors / (1 + chunksPerList)
	for i := range lists {
		if _, err := disk.ReadAt(chunk, (1+i*(1+chunksPerList))*chunkSize); err != nil {
			return nil, err
		}
		for entry := chunk; len(entry) > 0; entry = entry[exceptionSize:] {
			number, place := le.Uint64(entry), le.Uint64(entry[8:])
			switch {
			case place == 0: // the list's end
				_, err := image.ReadAt(chunk, 0)
				return chunk, err
			case number == 0:
				if place > uint64(lists*(1+chunksPerList)) {
					return nil, errStore
				}
				_, err := disk.ReadAt(chunk, int64(place)*chunkSize)
				return chunk, err
			}
		}
	}
	_, err := image.ReadAt(chunk, 0)
	return chunk, err
}

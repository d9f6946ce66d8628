// Package vmdisk lays out and writes a VM's disk, which makes a file system to
// write to of an image that is never written to.
//
// From its start the disk holds the exception store of Linux's dm-snapshot,
// with all chunks of the image that the VM has changed; a page for the guest's
// agent; and the plain region, where the root goes on behind the image's end.
// All that is not written reads as zeros, so that a disk is a sparse file and
// takes the same time to make whatever its size.
//
// The package knows neither processes nor HTTP.
package vmdisk

import (
	"errors"
	"io"

	"banger/internal/format/ext4"
)

// What the layout counts in. A chunk is a block of ext4: what changes is
// seldom more, and a whole one is written without reading the old.
const (
	SectorSize   = 512
	ChunkSectors = 8

	chunkSize     = ChunkSectors * SectorSize
	chunksPerList = chunkSize / exceptionSize
)

// NoteSector is where the agent's page is on a disk for an image of so many
// sectors. What is before it is the store, which can hold every chunk of the
// image, so that it never fills up: its header, its lists, each with the chunks
// that it lists, and an empty list behind the last one.
func NoteSector(image uint64) uint64 {
	chunks := (image + ChunkSectors - 1) / ChunkSectors
	lists := chunks/chunksPerList + 2
	return (1 + lists*(1+chunksPerList)) * ChunkSectors
}

// PlainSector is where the plain region begins: as far from a page's start as
// the image's end is.
func PlainSector(image uint64) uint64 {
	return NoteSector(image) + ChunkSectors + image%ChunkSectors
}

// Size is the size in bytes of a disk that adds plain bytes to an image.
func Size(image, plain int64) int64 {
	return int64(PlainSector(uint64(image)/SectorSize))*SectorSize + plain
}

// File is a disk's file.
type File interface {
	io.WriterAt
	Truncate(size int64) error
}

// Format makes f, which is empty, the disk of a VM of an image of size bytes,
// with plain bytes beside it. Where that can be done at once, the image's file
// system, as the VM sees it, is as large as both and has a journal in the plain
// region; else the guest is to grow it.
func Format(f File, image io.ReaderAt, size, plain int64) error {
	if err := f.Truncate(Size(size, plain)); err != nil {
		return err
	}
	d := newDisk(f, image, uint64(size)/SectorSize)
	if err := ext4.Grow(d, size+plain); err != nil && !errors.Is(err, ext4.ErrNotGrowable) {
		return err
	}
	return d.close()
}

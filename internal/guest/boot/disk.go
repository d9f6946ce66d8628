package boot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"banger/internal/agentapi"
	"banger/internal/format/vmdisk"
	"banger/internal/guest/dm"
)

// rootName is the root's to the device mapper.
const rootName = "banger-root"

// disk is a VM's disk beside the image that it goes with, see vmdisk.
type disk struct {
	file  *os.File
	image dm.Device
	self  dm.Device
	lived bool // the first boot is over
}

// lived is the agent's note on a disk whose first boot is over.
var lived = []byte("banger: lived\n")

func openDisk(root agentapi.Root) (*disk, error) {
	var d disk
	var err error
	if d.image, err = dm.Stat(root.Image); err != nil {
		return nil, err
	}
	if d.self, err = dm.Stat(root.Disk); err != nil {
		return nil, err
	}
	if d.self.Sectors < vmdisk.PlainSector(d.image.Sectors) {
		return nil, errors.New("the VM's disk is too small for its image")
	}
	if d.file, err = os.OpenFile(root.Disk, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	note := make([]byte, len(lived))
	if _, err := d.file.ReadAt(note, d.noteAt()); err != nil {
		d.file.Close()
		return nil, fmt.Errorf("read the VM's disk: %w", err)
	}
	d.lived = bytes.Equal(note, lived)
	return &d, nil
}

func (d *disk) noteAt() int64 {
	return int64(vmdisk.NoteSector(d.image.Sectors)) * dm.SectorSize
}

// endFirstBoot notes that it is over. Where a crash takes the note back, the
// next boot is the first one again.
func (d *disk) endFirstBoot() error {
	_, err := d.file.WriteAt(lived, d.noteAt())
	return err
}

// join makes the root's device: the image as this VM has changed it, and the
// rest of the disk behind it.
func (d *disk) join() (node string, err error) {
	if err := revive(d.file); err != nil {
		return "", fmt.Errorf("read the VM's disk: %w", err)
	}
	table := []dm.Target{dm.Snapshot(d.image, d.self, vmdisk.ChunkSectors)}
	plain := vmdisk.PlainSector(d.image.Sectors)
	if rest := d.self.Sectors - plain; rest > 0 {
		table = append(table, dm.Linear(d.image.Sectors, rest, d.self, plain))
	}
	node, err = dm.Create(rootName, false, table...)
	if errors.Is(err, dm.ErrUnsupported) {
		err = fmt.Errorf("%w: take a kernel with CONFIG_DM_SNAPSHOT; one that an earlier banger pulled or imported is to be pulled or imported again", err)
	}
	return node, err
}

// revive makes a store valid again. The kernel gives one up at the first write
// that fails, as it does where the host's disk is full. What the store lists is
// right all the same: it lists what has been written, as a disk that lost its
// power would have it.
func revive(f *os.File) error {
	header := make([]byte, 16)
	if _, err := f.ReadAt(header, 0); err != nil {
		return err
	}
	const validAt = 4
	if !bytes.HasPrefix(header, []byte("SnAp")) || binary.LittleEndian.Uint32(header[validAt:]) != 0 {
		return nil
	}
	binary.LittleEndian.PutUint32(header[validAt:], 1)
	if _, err := f.WriteAt(header, 0); err != nil {
		return err
	}
	return f.Sync()
}

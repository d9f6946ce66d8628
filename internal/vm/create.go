package vm

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"banger/internal/format/vmdisk"
	"banger/internal/journal"
	"banger/internal/ports"
	"banger/internal/ref"
	"banger/internal/secret"
	"banger/internal/statedir"
	"banger/internal/usernet/policy"
)

// The least that a guest boots with.
const (
	MinMemoryMiB = 64
	MaxCPUs      = 32
	MinDiskBytes = 16 << 20
	// MaxConnections is how many connections with the outside a guest may have.
	MaxConnections = 65536
)

// Create makes a VM from the image whose file system is in the file rootfs, with a disk of
// its own, keys and an identity. It costs the same time and disk whatever the image's size
// and v.DiskBytes are. If it fails, nothing is left.
func (s *Store) Create(ctx context.Context, v VM, rootfs string) (VM, error) {
	return s.create(ctx, v, blankDisk(rootfs, v.DiskBytes))
}

// CreateEphemeral is Create for a VM that is removed with its run or build: by its
// supervisor, by whoever made it or, once nobody holds the returned claim, by Sweep. It is
// claimed before others can see it.
func (s *Store) CreateEphemeral(ctx context.Context, v VM, rootfs string) (VM, *statedir.Lock, error) {
	return s.createEphemeral(ctx, v, blankDisk(rootfs, v.DiskBytes))
}

// filler puts a new VM's files into its staging directory.
type filler func(ctx context.Context, stage *statedir.Stage) error

func (s *Store) createEphemeral(ctx context.Context, v VM, fill filler) (_ VM, claim *statedir.Lock, err error) {
	v.Ephemeral = true
	v, err = s.create(ctx, v, func(ctx context.Context, stage *statedir.Stage) (err error) {
		if err := fill(ctx, stage); err != nil {
			return err
		}
		claim, err = statedir.TryLock(stage.Path(statedir.Claim))
		return err
	})
	if err != nil {
		claim.Release()
		return VM{}, nil, err
	}
	return v, claim, nil
}

// create makes a VM with the files that fill adds.
func (s *Store) create(ctx context.Context, v VM, fill filler) (VM, error) {
	if err := check(v); err != nil {
		return VM{}, err
	}
	if s.tree.Exists(v.Name) {
		return VM{}, fmt.Errorf("vm %q %w", v.Name, statedir.ErrExist)
	}
	stage, err := s.tree.Stage()
	if err != nil {
		return VM{}, err
	}
	defer stage.Discard()
	if err := fill(ctx, stage); err != nil {
		return VM{}, fmt.Errorf("make the disk of vm %q: %w", v.Name, err)
	}
	if err := makeKeys(stage, v.Name); err != nil {
		return VM{}, fmt.Errorf("make the keys of vm %q: %w", v.Name, err)
	}
	v.MachineID, v.MAC = randomHex(16), randomMAC().String()
	v.CreatedAt = time.Now().UTC().Truncate(time.Second)
	v.Mounts = sortMounts(v.Mounts)
	v.State = State{Phase: Created}
	completed, err := s.complete(ctx, &v)
	if err != nil {
		return VM{}, err
	}
	defer completed()
	if err := stage.WriteJSON(statedir.VMState, v); err != nil {
		return VM{}, err
	}
	if err := ctx.Err(); err != nil {
		return VM{}, err
	}
	if err := stage.Publish(v.Name); err != nil {
		return v, err
	}
	s.Note(journal.Entry{VM: v.Name, Event: journal.Created, Detail: v.origin()})
	return v, nil
}

// origin says what a VM was made from.
func (v VM) origin() string {
	if v.Snapshot != "" {
		return "snapshot " + v.Snapshot
	}
	return "image " + v.Image
}

func (s *Store) complete(ctx context.Context, v *VM) (done func(), err error) {
	if s.Complete == nil {
		return func() {}, nil
	}
	return s.Complete(ctx, v)
}

// blankDisk makes the disk of a VM that has written nothing yet.
func blankDisk(rootfs string, size int64) filler {
	return func(_ context.Context, stage *statedir.Stage) error {
		return makeDisk(stage.Path(statedir.Disk), rootfs, size)
	}
}

func check(v VM) error {
	if err := ref.CheckName("vm", v.Name); err != nil {
		return err
	}
	if _, err := policy.New(v.Policy); err != nil {
		return err
	}
	if err := secret.Check(v.Secrets); err != nil {
		return err
	}
	switch {
	case v.CPUs < 1 || v.CPUs > MaxCPUs:
		return fmt.Errorf("%d CPUs: a vm has 1 to %d", v.CPUs, MaxCPUs)
	case v.MemoryMiB < MinMemoryMiB:
		return fmt.Errorf("%d MiB of memory: a vm has %d at the least", v.MemoryMiB, MinMemoryMiB)
	case v.MaxConnections < 0 || v.MaxConnections > MaxConnections:
		return fmt.Errorf("%d connections: a vm has %d at the most", v.MaxConnections, MaxConnections)
	case v.DiskBytes < MinDiskBytes:
		return fmt.Errorf("a disk of %d bytes: a vm has %d at the least", v.DiskBytes, MinDiskBytes)
	case v.TTL < 0 || v.IdleTimeout < 0:
		return errors.New("a vm's time cannot be negative")
	}
	return errors.Join(ports.Check(v.Ports), checkVolumes(v.Volumes), checkPlaces(v.Networks), checkMounts(v.Mounts), v.Labels.Check())
}

func makeDisk(path, rootfs string, plain int64) error {
	image, err := os.Open(rootfs)
	if err != nil {
		return err
	}
	defer image.Close()
	info, err := image.Stat()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(vmdisk.Format(f, image, info.Size(), plain), f.Close())
}

func randomHex(n int) string {
	buf := make([]byte, n)
	rand.Read(buf) // never fails
	return hex.EncodeToString(buf)
}

// randomMAC returns a locally administered unicast address.
func randomMAC() net.HardwareAddr {
	mac := make(net.HardwareAddr, 6)
	rand.Read(mac)
	mac[0] = mac[0]&^1 | 2
	return mac
}

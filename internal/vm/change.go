package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"banger/internal/journal"
	"banger/internal/ports"
	"banger/internal/ref"
	"banger/internal/secret"
	"banger/internal/statedir"
)

// Change is a change of a VM's settings; nil leaves a setting as it is.
type Change struct {
	CPUs        *int          `json:"cpus,omitempty"`
	MemoryMiB   *int          `json:"memory_mib,omitempty"`
	DiskBytes   *int64        `json:"disk_bytes,omitempty"` // of a VM that is stopped, and more than before
	Ports       *[]ports.Spec `json:"ports,omitempty"`
	Mounts      *[]Mount      `json:"mounts,omitempty"`
	Labels      Labels        `json:"labels,omitempty"` // added; one without a value is taken away
	Volumes     *[]Volume     `json:"volumes,omitempty"`
	TTL         *Duration     `json:"ttl,omitempty"`
	IdleTimeout *Duration     `json:"idle_timeout,omitempty"`

	Secrets     []secret.Secret `json:"secrets,omitempty"`      // added, or in place of those of the same name
	Values      secret.Values   `json:"values,omitempty"`       // theirs, for a supervisor
	DropSecrets []string        `json:"drop_secrets,omitempty"` // by their names
}

// Waits names the settings of the change that a running guest gets only at its next start.
// Of secrets, only its supervisor knows that.
func (c Change) Waits() (settings []string) {
	for _, s := range []struct {
		name string
		set  bool
	}{
		{"cpus", c.CPUs != nil}, {"memory", c.MemoryMiB != nil}, {"ports", c.Ports != nil},
		{"mounts", c.Mounts != nil}, {"volumes", c.Volumes != nil},
	} {
		if s.set {
			settings = append(settings, s.name)
		}
	}
	return settings
}

// Apply returns v with the change made.
func (c Change) Apply(v VM) (VM, error) {
	set(&v.CPUs, c.CPUs)
	set(&v.MemoryMiB, c.MemoryMiB)
	set(&v.Ports, c.Ports)
	set(&v.Volumes, c.Volumes)
	if c.Mounts != nil {
		v.Mounts = sortMounts(*c.Mounts)
	}
	for _, name := range c.DropSecrets {
		if !slices.ContainsFunc(v.Secrets, func(s secret.Secret) bool { return s.Name == name }) {
			return v, fmt.Errorf("vm %q has no secret %q", v.Name, name)
		}
	}
	v.Secrets = secret.With(v.Secrets, c.Secrets, c.DropSecrets)
	set(&v.TTL, c.TTL)
	set(&v.IdleTimeout, c.IdleTimeout)
	if c.DiskBytes != nil && *c.DiskBytes < v.DiskBytes {
		return v, fmt.Errorf("a disk of %d bytes: it has %d, and can only grow", *c.DiskBytes, v.DiskBytes)
	}
	set(&v.DiskBytes, c.DiskBytes)
	if err := c.Labels.Check(); err != nil {
		return v, err
	}
	v.Labels = v.Labels.With(c.Labels)
	return v, check(v)
}

func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

// Set changes a VM's settings, through its supervisor if it runs. waits names those that
// its guest gets only at its next start.
func (s *Store) Set(ctx context.Context, name string, c Change) (waits []string, err error) {
	lock, err := s.Lock(ctx, name)
	var phase *PhaseError
	switch {
	case errors.As(err, &phase) && c.DiskBytes != nil:
		return nil, err
	case errors.As(err, &phase):
		return s.setRunning(ctx, name, c)
	case err != nil:
		return nil, err
	}
	defer lock.Release()
	v, err := s.Get(name)
	if err != nil {
		return nil, err
	}
	changed, err := c.Apply(v)
	if err != nil {
		return nil, err
	}
	// A disk that is larger than vm.json says does no harm.
	if err := s.growDisk(name, changed.DiskBytes-v.DiskBytes); err != nil {
		return nil, err
	}
	if err := s.Save(changed); err != nil {
		return nil, err
	}
	s.Note(journal.Entry{VM: name, Event: journal.Changed})
	return nil, nil
}

func (s *Store) setRunning(ctx context.Context, name string, c Change) (waits []string, err error) {
	request := Request{Op: OpSet, Change: &c}
	if line, err := json.Marshal(request); err != nil || len(line) >= maxLine {
		return nil, errors.Join(err, errors.New("that is more than a running vm is told at a time"))
	}
	conn, reply, err := s.request(ctx, name, request)
	if err != nil {
		return nil, err
	}
	s.Note(journal.Entry{VM: name, Event: journal.Changed})
	return reply.Waits, conn.Close()
}

// growDisk makes a disk larger, by a hole at its end: the guest grows into it.
func (s *Store) growDisk(name string, by int64) error {
	if by == 0 {
		return nil
	}
	path := s.Path(name, statedir.Disk)
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()+by)
	}
	if err != nil {
		return fmt.Errorf("grow the disk of vm %q: %w", name, err)
	}
	return nil
}

// Rename gives a VM that is stopped another name, its guest's too.
func (s *Store) Rename(ctx context.Context, from, to string) error {
	if err := ref.CheckName("vm", to); err != nil {
		return err
	}
	lock, err := s.Lock(ctx, from)
	if err != nil {
		return err
	}
	defer lock.Release()
	keys, err := s.Keys(from)
	if err != nil {
		return err
	}
	// OpenSSH finds the guest's key under either name until it has the new one.
	if err := s.know(from, keys, from, to); err != nil {
		return err
	}
	err = s.tree.Rename(from, to)
	if errors.Is(err, statedir.ErrAbsent) {
		err = s.notFound(from)
	}
	if err != nil {
		return errors.Join(err, s.know(from, keys, from))
	}
	s.Note(journal.Entry{VM: from, Event: journal.Renamed, Detail: to})
	return s.know(to, keys, to)
}

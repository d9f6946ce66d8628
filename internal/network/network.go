// Package network is the store of networks between VMs: which there are, what
// addresses each has, and where the sockets are by which the supervisors of its
// VMs find each other.
//
// It guarantees that no two networks share an address. Which VMs are on a network
// only the VMs say, each for itself, so that one that goes takes its address along.
// The package carries no traffic.
package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"banger/internal/ref"
	"banger/internal/statedir"
)

// Network is the content of network.json.
type Network struct {
	Name      string       `json:"name"`
	Subnet    netip.Prefix `json:"subnet"`
	Internal  bool         `json:"internal,omitempty"` // it is no way out
	Latest    netip.Addr   `json:"latest,omitzero"`    // the address that was given last
	CreatedAt time.Time    `json:"created_at"`
}

// NotFoundError says that there is no network of a name.
type NotFoundError struct {
	Name    string
	Nearest string // a network that may be meant, or ""
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("no network is called %q", e.Name) }

// Store is the networks of one state tree.
type Store struct {
	tree statedir.Tree
}

// NewStore returns the store of the networks in tree.
func NewStore(tree statedir.Tree) *Store { return &Store{tree} }

// Get returns the named network. The error is a *NotFoundError where there is none.
func (s *Store) Get(name string) (n Network, err error) {
	if err := ref.CheckName("network", name); err != nil {
		return n, err
	}
	err = s.tree.ReadJSON(name, statedir.NetworkFile, &n)
	n.Name = name
	if errors.Is(err, statedir.ErrAbsent) {
		names, _ := s.tree.Names()
		return n, &NotFoundError{Name: name, Nearest: ref.Nearest(name, names)}
	}
	if err == nil {
		err = checkSubnet(n.Subnet)
	}
	if err != nil {
		return Network{Name: name}, fmt.Errorf("network %q is damaged: %w", name, err)
	}
	return n, nil
}

// IsDamaged reports whether a network is one of List that has its name alone.
func (n Network) IsDamaged() bool { return !n.Subnet.IsValid() }

// List returns all networks, sorted by name; one that is damaged has its name alone.
func (s *Store) List() ([]Network, error) {
	names, err := s.tree.Names()
	if err != nil {
		return nil, err
	}
	var all []Network
	for _, name := range names {
		n, err := s.Get(name)
		if errors.As(err, new(*NotFoundError)) || errors.As(err, new(*ref.NameError)) {
			continue // removed meanwhile, or never made here
		}
		all = append(all, n)
	}
	return all, nil
}

// Lock waits for the right to make and remove networks, and to give VMs addresses
// in them. The caller calls release.
func (s *Store) Lock(ctx context.Context) (release func(), err error) {
	lock, err := s.tree.Lock(ctx, "")
	if err != nil {
		return nil, err
	}
	return lock.Remove, nil
}

// Create makes a network. Where it has no subnet, one is chosen that is neither
// another network's nor any of those in avoid.
func (s *Store) Create(ctx context.Context, n Network, avoid []netip.Prefix) (Network, error) {
	if err := ref.CheckName("network", n.Name); err != nil {
		return n, err
	}
	if n.Name == None {
		return n, fmt.Errorf("no network can be called %q: --network %s is to have none", None, None)
	}
	release, err := s.Lock(ctx)
	if err != nil {
		return n, err
	}
	defer release()
	others, err := s.List()
	if err != nil {
		return n, err
	}
	if n.Subnet, err = subnetFor(n.Subnet, others, avoid); err != nil {
		return n, err
	}
	stage, err := s.tree.Stage()
	if err != nil {
		return n, err
	}
	defer stage.Discard()
	n.CreatedAt = time.Now().UTC().Truncate(time.Second)
	if err := statedir.MakeDir(stage.Path(statedir.PeersDir)); err != nil {
		return n, err
	}
	if err := stage.WriteJSON(statedir.NetworkFile, n); err != nil {
		return n, err
	}
	return n, stage.Publish(n.Name)
}

// Take returns an address of the network that is not among those that are taken.
// The caller holds the lock until that is written down where it is looked for.
func (s *Store) Take(name string, taken []netip.Addr) (netip.Prefix, error) {
	n, err := s.Get(name)
	if err != nil {
		return netip.Prefix{}, err
	}
	if n.Latest, err = n.free(taken); err != nil {
		return netip.Prefix{}, err
	}
	err = statedir.WriteJSON(s.tree.Path(name, statedir.NetworkFile), n)
	return netip.PrefixFrom(n.Latest, n.Subnet.Bits()), err
}

// None is what stands for no network where networks are named.
const None = "none"

// Remove removes a network that unused finds no user of, which nobody can become
// meanwhile.
func (s *Store) Remove(ctx context.Context, name string, unused func() error) error {
	release, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	if _, err := s.Get(name); errors.As(err, new(*NotFoundError)) {
		return err
	}
	if err := unused(); err != nil {
		return err
	}
	return s.tree.Remove(name)
}

package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"banger/internal/engine"
	"banger/internal/vm"
)

// keyLabel is a label that a VM has which was made for an idempotency key.
const keyLabel = "banger.idempotency-key"

// bodyLabel has the digest of what was asked for with the key.
const bodyLabel = "banger.idempotency-digest"

type createVM struct {
	Key  string `header:"Idempotency-Key" doc:"asked again with the same key, the VM that was made is the answer"`
	Body newVM
}

func (s *server) createVM(ctx context.Context, in createVM, events engine.Events) (vm.VM, error) {
	release, ok := s.creating.lock(in.Key, ctx.Done())
	if !ok {
		return vm.VM{}, ctx.Err()
	}
	defer release()
	o, err := s.options(in.Body)
	if err != nil {
		return vm.VM{}, err
	}
	if in.Key != "" {
		made, err := s.madeFor(ctx, in, events)
		if err != nil || made.Name != "" {
			return made, err
		}
		o.Labels = o.Labels.With(vm.Labels{keyLabel: in.Key, bodyLabel: in.Body.digest()})
	}
	if !in.Body.Start {
		v, err := s.engine.CreateVM(ctx, o, nil, events)
		return v, invalid(err)
	}
	held, err := s.engine.HoldVM(ctx, engine.HoldOptions{VM: o, Events: events})
	if err == nil {
		err = held.Release(ctx) // it lives on
	}
	if err != nil {
		return vm.VM{}, invalid(err)
	}
	return s.engine.VM(held.VM.Name)
}

// madeFor returns the VM that was made for a key, or one without a name. One that was to
// start and did not come up, since the server ended meanwhile, is started.
func (s *server) madeFor(ctx context.Context, in createVM, events engine.Events) (vm.VM, error) {
	key := vm.Labels{keyLabel: in.Key}
	if err := key.Check(); err != nil {
		return vm.VM{}, &inputError{err}
	}
	all, err := s.listVMs(key)
	if err != nil || len(all) == 0 {
		return vm.VM{}, err
	}
	made := all[0]
	if of := made.Labels[bodyLabel]; of != "" && of != in.Body.digest() {
		return vm.VM{}, &otherBodyError{made.Name}
	}
	if !in.Body.Start || !made.State.ReadyAt.IsZero() {
		return made, nil
	}
	if err := s.engine.StartVM(ctx, made.Name, events); err != nil {
		return vm.VM{}, err
	}
	return s.engine.VM(made.Name)
}

// digest tells what is asked for from something else. It says nothing of secrets.
func (n newVM) digest() string {
	n.Secrets = slices.Clone(n.Secrets)
	for i := range n.Secrets {
		n.Secrets[i].Value = ""
	}
	sum := sha256.New()
	json.NewEncoder(sum).Encode(n)
	return hex.EncodeToString(sum.Sum(nil))
}

// otherBodyError says that a key came before with another request.
type otherBodyError struct{ name string }

func (e *otherBodyError) Error() string {
	return fmt.Sprintf("the idempotency key is that of another request, by which vm %q was made", e.name)
}

// keyed makes requests with the same key take turns.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{}
}

// lock waits for a key and returns what releases it. The empty key is free.
func (k *keyed) lock(key string, done <-chan struct{}) (release func(), ok bool) {
	if key == "" {
		return func() {}, true
	}
	for {
		k.mu.Lock()
		other, taken := k.held[key]
		if !taken {
			if k.held == nil {
				k.held = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			k.held[key] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, key)
				k.mu.Unlock()
				close(mine)
			}, true
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-done:
			return nil, false
		}
	}
}

package supervisor

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"banger/internal/agentapi"
	"banger/internal/statedir"
)

// identityTimeout is how long a restored guest may take to become another one:
// its own hooks have ten seconds of that.
const identityTimeout = 60 * time.Second

// saved is the guest that a new VM goes on with.
type saved struct {
	dir     string // of its memory and state
	hostKey string // that its agent knows it by
}

// takeSaved returns the guest that this boot goes on with, or nil. None other will:
// its disk belongs to the moment at which it was saved, and is written to from now
// on.
func (s *supervisor) takeSaved() (*saved, error) {
	tree := statedir.Tree{Kind: "saved guest", Dir: s.VMs.Path(s.Name, "")}
	dir, err := tree.Retire(statedir.RestoreDir)
	if errors.Is(err, statedir.ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(dir, statedir.HostKey))
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("restore the guest: %w", err)
	}
	return &saved{dir, string(key)}, nil
}

// makeOwn gives a restored guest this VM's identity, and then lets it reach its network.
func (s *supervisor) makeOwn(ctx context.Context, b *boot) error {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-b.done:
		case <-s.letGo:
		case <-ctx.Done():
		}
	}()
	conn, err := b.network.Dial(ctx, agentapi.RestorePort)
	if err != nil {
		return fmt.Errorf("reach the restored guest: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	change, err := s.becoming(b.saved.hostKey)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(conn).Encode(change); err != nil {
		return fmt.Errorf("tell the restored guest what it is: %w", err)
	}
	line, err := bufio.NewReader(io.LimitReader(conn, agentapi.MaxRestore)).ReadBytes('\n')
	var answer agentapi.Restored
	if err == nil {
		err = json.Unmarshal(line, &answer)
	}
	if err != nil {
		return fmt.Errorf("hear of the restored guest: %w", err)
	}
	if answer.Error != "" {
		return &guestError{what: "the restored guest could not become another: " + clip(answer.Error, maxReason), console: s.console.tail()}
	}
	for _, w := range answer.Warnings {
		b.agent.warned(clip(w, maxWarning))
	}
	b.network.Release()
	return nil
}

// becoming is what a restored guest is told.
func (s *supervisor) becoming(hostKey string) (agentapi.Restore, error) {
	keys, err := s.VMs.Keys(s.Name)
	if err != nil {
		return agentapi.Restore{}, err
	}
	settings := s.settings(keys)
	return agentapi.Restore{
		Token: agentapi.RestoreToken(hostKey), UnixNano: time.Now().UnixNano(), Seed: settings.Seed,
		Generation: rand.Text(), Hostname: settings.Hostname, MachineID: settings.MachineID,
		HostKey: settings.HostKey, AuthorizedKey: settings.AuthorizedKey, MAC: settings.MAC, Networks: settings.Networks,
		Secrets: settings.Secrets,
	}, nil
}

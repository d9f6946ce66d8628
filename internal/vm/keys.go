package vm

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"

	"banger/internal/statedir"
)

// makeKeys makes the pair of keys by which host and guest know each other from
// the first connection on: the client's, and the guest's own.
func makeKeys(stage *statedir.Stage, name string) error {
	if _, err := makeKey(stage.Path(statedir.ClientKey), "banger"); err != nil {
		return err
	}
	host, err := makeKey(stage.Path(statedir.HostKey), name)
	if err != nil {
		return err
	}
	return os.WriteFile(stage.Path(statedir.KnownHosts), knownHosts(host, name), 0o600)
}

// knownHosts is OpenSSH's file with a guest's key, for each of the VM's names.
func knownHosts(host ssh.PublicKey, names ...string) []byte {
	var lines []byte
	for _, name := range names {
		lines = append(lines, HostAlias(name)+" "...)
		lines = append(lines, ssh.MarshalAuthorizedKey(host)...)
	}
	return lines
}

// know writes the named VM's file of known hosts.
func (s *Store) know(name string, keys Keys, names ...string) error {
	return statedir.WriteFile(s.Path(name, statedir.KnownHosts), knownHosts(keys.Host.PublicKey(), names...))
}

// HostAlias is a VM's name in OpenSSH's files, where it cannot be mistaken for
// a host's.
func HostAlias(name string) string { return name + ".banger" }

func makeKey(path, comment string) (ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(public)
}

// Keys are the keys by which host and guest know each other.
type Keys struct {
	Client  ssh.Signer // logs in to the guest
	Host    ssh.Signer // the guest's own
	HostPEM []byte     // the same, as the guest gets it
}

// ClientLine is the client's public key in authorized_keys form.
func (k Keys) ClientLine() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.Client.PublicKey())))
}

// Keys reads the named VM's keys.
func (s *Store) Keys(name string) (Keys, error) {
	_, client, err := s.readKey(name, statedir.ClientKey)
	if err != nil {
		return Keys{}, err
	}
	pemBytes, host, err := s.readKey(name, statedir.HostKey)
	if err != nil {
		return Keys{}, err
	}
	return Keys{Client: client, Host: host, HostPEM: pemBytes}, nil
}

func (s *Store) readKey(name, file string) ([]byte, ssh.Signer, error) {
	data, err := os.ReadFile(s.Path(name, file))
	if err != nil {
		return nil, nil, fmt.Errorf("read the keys of vm %q: %w", name, err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read the keys of vm %q: %s: %w", name, file, err)
	}
	return data, signer, nil
}

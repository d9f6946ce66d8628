package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"banger/internal/imagemgr"
	"banger/internal/secret"
	"banger/internal/vm"
)

// SecretError says that the value of a VM's secret could not be found.
type SecretError struct {
	VM     string
	Secret secret.Secret
	Err    error
}

func (e *SecretError) Error() string {
	return fmt.Sprintf("secret %s of vm %q: %v", e.Secret.Name, e.VM, e.Err)
}

func (e *SecretError) Unwrap() error { return e.Err }

// UnkeptSecretError says that a secret's value would be lost, since its VM does not start.
type UnkeptSecretError struct{ Name string }

func (e *UnkeptSecretError) Error() string {
	return fmt.Sprintf("secret %s: a vm that does not start cannot keep its value: name a file by =@FILE, or the variable alone", e.Name)
}

// kept is what a VM's vm.json keeps of secrets: all but their values.
func kept(given []secret.Given) (all []secret.Secret) {
	for _, g := range given {
		all = append(all, g.Secret)
	}
	return all
}

// keepable returns an error for a secret whose value a VM that is not started would lose.
func keepable(given []secret.Given) error {
	for _, g := range given {
		if g.From == secret.FromUser {
			return &UnkeptSecretError{g.Name}
		}
	}
	return nil
}

// valuesOf finds the values of secrets that a VM is given.
func (e *Engine) valuesOf(ctx context.Context, name string, given []secret.Given) (secret.Values, error) {
	if err := secret.Check(kept(given)); err != nil {
		return nil, err
	}
	values := secret.Values{}
	for _, g := range given {
		if g.From == secret.FromUser {
			values[g.Name] = g.Value
			continue
		}
		value, err := e.find(ctx, name, g.Secret)
		if err != nil {
			return nil, err
		}
		values[g.Name] = value
	}
	return values, nil
}

// giveSecrets puts what the VM's store keeps of the given secrets into a change, and where
// the VM runs, tells its supervisor their values.
func (e *Engine) giveSecrets(ctx context.Context, name string, c *Change) error {
	if len(c.Give) == 0 {
		return nil
	}
	v, err := e.vms.Get(name)
	if err != nil {
		return err
	}
	c.Secrets = kept(c.Give)
	if v.State.Phase == vm.Running || v.State.Phase == vm.Paused {
		c.Values, err = e.valuesOf(ctx, name, c.Give)
		return err
	}
	if err := secret.Check(c.Secrets); err != nil {
		return err
	}
	return keepable(c.Give)
}

// valuesFor finds the values of the secrets of a VM that is about to start, unless the
// caller has them. A guest whose init does not run gets none.
func (e *Engine) valuesFor(ctx context.Context, o SuperviseOptions) (secret.Values, error) {
	v, err := e.vms.Get(o.Name)
	if err != nil || o.NoInit {
		return nil, err
	}
	values := secret.Values{}
	for _, s := range v.Secrets {
		value, has := o.secrets[s.Name]
		if !has {
			if value, err = e.find(ctx, v.Name, s); err != nil {
				return nil, err
			}
		}
		values[s.Name] = value
	}
	return values, nil
}

// find looks for a secret's value where it comes from. A value that the user typed may be
// in the environment variable of its name; if there is no such variable, the user is asked.
func (e *Engine) find(ctx context.Context, name string, s secret.Secret) (value secret.Value, err error) {
	fault := func(err error) (secret.Value, error) { return secret.Value{}, &SecretError{name, s, err} }
	if s.From == secret.FromFile {
		text, err := readSecret(s.File)
		if err == nil {
			value, err = secret.NewValue(text)
		}
		if err != nil {
			return fault(err)
		}
		return value, nil
	}
	text := os.Getenv(s.Name)
	if text == "" && e.AskSecret != nil {
		if text, err = e.AskSecret(ctx, name, s.Name); err != nil {
			return fault(err)
		}
	}
	if text == "" {
		return fault(errNoVariable)
	}
	if value, err = secret.NewValue(text); err != nil {
		return fault(err)
	}
	return value, nil
}

var errNoVariable = errors.New("there is no such variable in this environment")

// maxSecretFile is more than a file with a secret has, in bytes.
const maxSecretFile = 64 << 10

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile))
	return string(text), err
}

// withoutSecrets is an image's configuration without the variables that are a VM's
// secrets: the guest has its own of those.
func withoutSecrets(c *imagemgr.Config, v vm.VM) *imagemgr.Config {
	if c == nil || len(v.Secrets) == 0 {
		return c
	}
	with := *c
	with.Env = slices.DeleteFunc(slices.Clone(c.Env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(v.Secrets, func(s secret.Secret) bool { return s.Name == name })
	})
	return &with
}

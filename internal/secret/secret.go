// Package secret is what a guest may use and not have: a value of the host's for
// a few hosts of the network, and the placeholder that stands for it in the guest.
//
// A Value prints as nothing but what it is, so that no log, error or list has
// it by accident. The package knows no processes, no network and no files.
package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Secret is one of a VM's as the host keeps it: all but its value.
type Secret struct {
	Name  string `json:"name"` // of the guest's variable
	Hosts []Host `json:"hosts"`
	From  From   `json:"from,omitempty"`
	File  string `json:"file,omitempty"` // absolute, with FromFile
}

// From says where a secret's value is found at each start.
type From string

// The sources.
const (
	FromEnvironment From = "environment" // the variable of its name, of whoever starts the VM
	FromFile        From = "file"
	FromUser        From = "user" // was given, and has to be given again
)

// Value is a secret's value. It goes to JSON as it is: banger's processes tell it
// each other so. Everything else that prints one prints a word for it.
type Value struct{ text string }

// NewValue makes a value of a text, without the end of its line.
func NewValue(text string) (Value, error) {
	text = strings.TrimRight(text, "\r\n")
	switch {
	case text == "":
		return Value{}, errors.New("its value is empty")
	case len(text) > maxValue:
		return Value{}, fmt.Errorf("its value has %d bytes, and may have %d", len(text), maxValue)
	case strings.ContainsFunc(text, isControl):
		return Value{}, errors.New("its value has more than one line, or control characters: no header of HTTP can have it")
	case text != strings.TrimSpace(text):
		return Value{}, errors.New("its value begins or ends with a space")
	}
	return Value{text}, nil
}

// maxValue is more than servers take in a header, in bytes.
const maxValue = 8 << 10

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Reveal returns the value itself.
func (v Value) Reveal() string { return v.text }

// IsZero reports whether there is none.
func (v Value) IsZero() bool { return v.text == "" }

func (Value) String() string { return "(a secret)" }

// Format implements fmt.Formatter, for the verbs that do not ask for a String.
func (v Value) Format(f fmt.State, _ rune) { fmt.Fprint(f, v.String()) }

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.text) }

// UnmarshalJSON implements json.Unmarshaler.
func (v *Value) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New("a secret is no string")
	}
	var err error
	*v, err = NewValue(text)
	return err
}

// Values are those of a VM's secrets, by their names.
type Values map[string]Value

// Public is what people see of secrets: names and hosts.
func Public(all []Secret) (public []Secret) {
	for _, s := range all {
		public = append(public, Secret{Name: s.Name, Hosts: s.Hosts})
	}
	return public
}

func (s Secret) String() string { return s.Name + "@" + s.Hostnames() }

// Hostnames are the secret's hosts, as they are written.
func (s Secret) Hostnames() string {
	var hosts []string
	for _, h := range s.Hosts {
		hosts = append(hosts, string(h))
	}
	return strings.Join(hosts, ",")
}

// With returns a VM's secrets with some more, in place of those of the same name, and
// without those of some names.
func With(all, more []Secret, drop []string) []Secret {
	with := slices.DeleteFunc(slices.Clone(all), func(s Secret) bool { return slices.Contains(drop, s.Name) })
	for _, m := range more {
		if i := slices.IndexFunc(with, func(s Secret) bool { return s.Name == m.Name }); i >= 0 {
			with[i] = m
		} else {
			with = append(with, m)
		}
	}
	return with
}

// MaxSecrets is how many a VM may have.
const MaxSecrets = 32

// Check reports what is wrong with a VM's secrets.
func Check(all []Secret) error {
	if len(all) > MaxSecrets {
		return fmt.Errorf("%d secrets: a vm may have %d", len(all), MaxSecrets)
	}
	for i, s := range all {
		if err := s.check(); err != nil {
			return fmt.Errorf("secret %s: %w", s.Name, err)
		}
		if slices.ContainsFunc(all[:i], func(o Secret) bool { return o.Name == s.Name }) {
			return fmt.Errorf("secret %s is given twice: write its hosts as HOST,HOST", s.Name)
		}
	}
	return nil
}

func (s Secret) check() error {
	if !validName(s.Name) {
		return errors.New("its name is no variable's: letters, digits and _, no digit first")
	}
	if slices.Contains(reserved, s.Name) {
		return errors.New("banger or the system sets that variable")
	}
	if len(s.Hosts) == 0 || len(s.Hosts) > maxHosts {
		return fmt.Errorf("it has %d hosts, and may have 1 to %d", len(s.Hosts), maxHosts)
	}
	for _, h := range s.Hosts {
		if err := h.check(); err != nil {
			return err
		}
	}
	switch {
	case s.From == FromFile && !strings.HasPrefix(s.File, "/"):
		return errors.New("its file is not known")
	case s.From != FromFile && s.From != FromEnvironment && s.From != FromUser:
		return errors.New("where its value comes from is not known")
	}
	return nil
}

const (
	maxName  = 128
	maxHosts = 32
)

// reserved would break the guest's programs.
var reserved = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "PWD", "IFS", "LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV", "ENV"}

func validName(name string) bool {
	if name == "" || len(name) > maxName || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// For returns those of a VM's secrets that a host at a port gets.
func For(all []Secret, host string, port uint16) (these []Secret) {
	for _, s := range all {
		if slices.ContainsFunc(s.Hosts, func(h Host) bool { return h.Matches(host, port) }) {
			these = append(these, s)
		}
	}
	return these
}

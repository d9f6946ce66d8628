// Package config is the user's defaults: config.toml, overruled key by key by
// BANGER_* variables. Each key has a flag too, which overrules both.
//
// It reads. All that it ever writes are the [[catalog]] tables, and leaves the
// rest of the file as its user wrote it.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"banger/internal/catalog"
	"banger/internal/ports"
	"banger/internal/size"
	"banger/internal/smallfile"
	"banger/internal/usernet/policy"
)

// FileName is the configuration's name in its directory.
const FileName = "config.toml"

// maxFile is more than any configuration has, in bytes.
const maxFile = 1 << 20

// Config holds what commands use where no flag says otherwise.
type Config struct {
	Image  string    `toml:"image"`  // image of vm run
	Kernel string    `toml:"kernel"` // kernel of images that name none
	CPUs   int       `toml:"cpus"`
	Memory size.Size `toml:"memory"`
	Disk   size.Size `toml:"disk"`
	VMM    string    `toml:"vmm"` // which VMM runs VMs, see package pick

	MaxConnections int `toml:"max_connections"` // of a guest with the outside, at a time

	MaxImageSize    size.Size `toml:"max_image_size"`    // what an image may unpack to
	MaxImageEntries int64     `toml:"max_image_entries"` // of how many files

	InsecureRegistries []string `toml:"insecure_registries"` // HOST[:PORT]; plain http is fine for them

	Egress string   `toml:"egress"` // what guests may reach, see package policy
	Allow  []string `toml:"allow"`
	Deny   []string `toml:"deny"`

	Ports    []string `toml:"ports"`    // of the host, that lead to VMs, see package ports
	Networks []string `toml:"networks"` // that VMs are on

	Warm Warm `toml:"warm"`

	QEMU        string `toml:"qemu_bin"`        // "" is the one on PATH
	Firecracker string `toml:"firecracker_bin"` // the same

	Catalogs      []catalog.Source `toml:"catalog"`
	KernelCatalog string           `toml:"-"` // takes the place of Catalogs; see catalog.Locations
	ImageCatalog  string           `toml:"-"` // the same
}

// Warm says how much is kept to start VMs by that have booted already.
type Warm struct {
	Enabled bool      `toml:"enabled"`  // templates are made and used
	MaxDisk size.Size `toml:"max_disk"` // what all of them may take
}

// Default is the configuration of a user who has none.
func Default() Config {
	return Config{
		Image: "debian-bookworm", CPUs: 2, Memory: 1 << 30, Disk: 8 << 30,
		MaxConnections: 4096,
		MaxImageSize:   64 << 30, MaxImageEntries: 1_000_000,
		Warm: Warm{Enabled: true, MaxDisk: 4 << 30},
	}
}

// Values are the keys of config.toml and what is in force for each.
func (c Config) Values() (values map[string]any, err error) {
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(c); err != nil {
		return nil, fmt.Errorf("list the configuration: %w", err)
	}
	if _, err := toml.Decode(text.String(), &values); err != nil {
		return nil, fmt.Errorf("list the configuration: %w", err)
	}
	for key, amount := range map[string]size.Size{"memory": c.Memory, "disk": c.Disk, "max_image_size": c.MaxImageSize} {
		values[key] = amount.String()
	}
	return values, nil
}

// Load reads the configuration in dir, if there is one, and the environment.
func Load(dir string, getenv func(string) string) (Config, error) {
	c := Default()
	path := filepath.Join(dir, FileName)
	text, err := smallfile.Read(path, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Config{}, err
	}
	meta, err := toml.Decode(string(text), &c)
	switch {
	case err != nil:
		return Config{}, fmt.Errorf("read %s: %w", path, err)
	case len(meta.Undecoded()) > 0:
		return Config{}, fmt.Errorf("read %s: unknown key %q", path, meta.Undecoded()[0].String())
	}
	if err := catalog.CheckSources(c.Catalogs); err != nil {
		return Config{}, fmt.Errorf("read %s: %w", path, err)
	}
	if _, err := policy.New(c.Policy()); err != nil {
		return Config{}, fmt.Errorf("read %s: %w", path, err)
	}
	if err := c.fromEnvironment(getenv); err != nil {
		return c, err
	}
	_, err = c.Publish()
	return c, err
}

// Publish is the ports of the host that lead to a VM.
func (c Config) Publish() (all []ports.Spec, err error) {
	for _, text := range c.Ports {
		specs, err := ports.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("read the ports that are configured: %w", err)
		}
		all = append(all, specs...)
	}
	return all, nil
}

// Policy is what guests may reach.
func (c Config) Policy() policy.Settings {
	return policy.Settings{Egress: c.Egress, Allow: c.Allow, Deny: c.Deny}
}

func (c *Config) fromEnvironment(getenv func(string) string) error {
	set := map[string]func(string) error{
		"BANGER_IMAGE":           setString(&c.Image),
		"BANGER_KERNEL":          setString(&c.Kernel),
		"BANGER_KERNEL_CATALOG":  setString(&c.KernelCatalog),
		"BANGER_IMAGE_CATALOG":   setString(&c.ImageCatalog),
		"BANGER_VMM":             setString(&c.VMM),
		"BANGER_EGRESS":          setString(&c.Egress),
		"BANGER_ALLOW":           setWords(&c.Allow),
		"BANGER_DENY":            setWords(&c.Deny),
		"BANGER_PORTS":           setWords(&c.Ports),
		"BANGER_NETWORKS":        setWords(&c.Networks),
		"BANGER_QEMU_BIN":        setString(&c.QEMU),
		"BANGER_FIRECRACKER_BIN": setString(&c.Firecracker),
		"BANGER_MEMORY":          c.Memory.Set,
		"BANGER_DISK":            c.Disk.Set,
		"BANGER_MAX_IMAGE_SIZE":  c.MaxImageSize.Set,
		"BANGER_MAX_IMAGE_ENTRIES": func(text string) (err error) {
			c.MaxImageEntries, err = strconv.ParseInt(text, 10, 64)
			return err
		},
		"BANGER_INSECURE_REGISTRIES": func(text string) error {
			c.InsecureRegistries = strings.Split(text, ",")
			return nil
		},
		"BANGER_CPUS":            setInt(&c.CPUs),
		"BANGER_MAX_CONNECTIONS": setInt(&c.MaxConnections),
		"BANGER_WARM":            setBool(&c.Warm.Enabled),
		"BANGER_WARM_MAX_DISK":   c.Warm.MaxDisk.Set,
	}
	for name, assign := range set {
		if text := getenv(name); text != "" {
			if err := assign(text); err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
		}
	}
	return nil
}

func setWords(to *[]string) func(string) error {
	return func(text string) error {
		*to = strings.Fields(text)
		return nil
	}
}

func setString(to *string) func(string) error {
	return func(text string) error {
		*to = text
		return nil
	}
}

func setInt(to *int) func(string) error {
	return func(text string) (err error) {
		*to, err = strconv.Atoi(text)
		return err
	}
}

func setBool(to *bool) func(string) error {
	return func(text string) (err error) {
		*to, err = strconv.ParseBool(text)
		return err
	}
}

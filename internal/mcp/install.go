package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/engine"
	"banger/internal/ref"
	"banger/internal/secret"
	"banger/internal/smallfile"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// client is a program that uses MCP servers, and has them in a file.
type client struct {
	path func() (string, error)
	put  func(text []byte, name string, s *server) ([]byte, error) // nil takes it out
}

// server is what a client's configuration says of one.
type server struct {
	Type    string   `json:"type,omitempty" toml:"-"`
	Command string   `json:"command" toml:"command"`
	Args    []string `json:"args" toml:"args"`
}

var clients = map[string]client{
	"claude":   {inHome(".claude.json"), inJSON("mcpServers")},
	"codex":    {codexPath, putTOML},
	"cursor":   {inHome(".cursor", "mcp.json"), inJSON("mcpServers")},
	"gemini":   {inHome(".gemini", "settings.json"), inJSON("mcpServers")},
	"vscode":   {inConfig("Code", "User", "mcp.json"), inJSON("servers")},
	"windsurf": {inHome(".codeium", "windsurf", "mcp_config.json"), inJSON("mcpServers")},
	"zed":      {inConfig("zed", "settings.json"), inJSON("context_servers")},
}

func inHome(parts ...string) func() (string, error) {
	return func() (string, error) {
		home, err := os.UserHomeDir()
		return filepath.Join(append([]string{home}, parts...)...), err
	}
}

func inConfig(parts ...string) func() (string, error) {
	return func() (string, error) {
		dir, err := os.UserConfigDir()
		return filepath.Join(append([]string{dir}, parts...)...), err
	}
}

func codexPath() (string, error) {
	if dir := os.Getenv("CODEX_HOME"); dir != "" {
		return filepath.Join(dir, "config.toml"), nil
	}
	return inHome(".codex", "config.toml")()
}

// change is a change of a client's configuration.
type change struct {
	client string
	name   string // the server's, in the configuration
	server *server
	yes    bool
}

// maxConfiguration is more than a client's configuration has, in bytes: some keep what
// they did in it.
const maxConfiguration = 64 << 20

// backupSuffix is for the configuration as it was before banger's last change.
const backupSuffix = ".before-banger"

// apply shows what the file will be, and with yes writes it.
func (c change) apply(out io.Writer) error {
	of, known := clients[c.client]
	if !known {
		return unknownClient(c.client)
	}
	path, err := of.path()
	if err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link into a user's own repository stays one
	}
	if c.yes {
		unlock, err := lockClients()
		if err != nil {
			return err
		}
		defer unlock()
	}
	before, err := smallfile.Read(path, maxConfiguration)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	after, err := of.put(before, c.name, c.server)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if bytes.Equal(before, after) {
		fmt.Fprintf(out, "%s is so already\n", path)
		return nil
	}
	c.show(out, path)
	if !c.yes {
		fmt.Fprintln(out, "nothing is written yet: --yes does that")
		return nil
	}
	return write(path, before, after)
}

func unknownClient(name string) error {
	known := slices.Sorted(maps.Keys(clients))
	if meant := ref.Nearest(name, known); meant != "" {
		return fmt.Errorf("%q is no client: did you mean %q?", name, meant)
	}
	return fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
}

// lockClients waits until no other banger changes a client's configuration.
func lockClients() (unlock func(), err error) {
	dirs, err := statedir.Default()
	if err != nil {
		return nil, err
	}
	lock, err := statedir.Tree{Kind: "configuration", Dir: dirs.Config}.Lock(context.Background(), "mcp-clients")
	if err != nil {
		return nil, err
	}
	return lock.Remove, nil
}

// show says what will be different.
func (c change) show(out io.Writer, path string) {
	if c.server == nil {
		fmt.Fprintf(out, "%s loses the server %s\n", path, c.name)
		return
	}
	fmt.Fprintf(out, "%s gets the server %s:\n  %s %s\n", path, c.name, c.server.Command, strings.Join(c.server.Args, " "))
}

// write replaces a configuration, and keeps what it was beside it.
func write(path string, before, after []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if before != nil {
		info, err := os.Stat(path)
		if err == nil {
			err = statedir.WriteFile(path+backupSuffix, before)
		}
		if err == nil {
			err = os.Chmod(path+backupSuffix, info.Mode().Perm())
		}
		if err != nil {
			return fmt.Errorf("keep what %s is: %w", path, err)
		}
	}
	return statedir.WriteFile(path, after)
}

func clientNames() string { return strings.Join(slices.Sorted(maps.Keys(clients)), "|") }

func installCommand() *cobra.Command {
	var c change
	command := &cobra.Command{
		Use:     "install " + clientNames() + " [-- FLAGS...]",
		Short:   "Have a client use banger mcp with these flags",
		Example: "  banger mcp install claude --yes -- --image dev --egress public",
		Args:    cobra.MinimumNArgs(1),
	}
	command.Flags().StringVar(&c.name, "name", "banger", "the server's name in the client")
	command.Flags().BoolVarP(&c.yes, "yes", "y", false, "write it")
	command.RunE = func(command *cobra.Command, args []string) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		if dash := command.ArgsLenAtDash(); len(args) > 1 && dash != 1 {
			return fmt.Errorf("%q: the server's flags stand behind --", args[1])
		}
		flags, err := checkFlags(args[1:])
		if err != nil {
			return err
		}
		c.client, c.server = args[0], &server{Command: self, Args: append([]string{"mcp"}, flags...)}
		if c.client == "claude" || c.client == "vscode" {
			c.server.Type = "stdio"
		}
		return c.apply(command.OutOrStdout())
	}
	return command
}

// checkFlags finds what is wrong with a server's flags before a client does, and
// makes its directories such as do not depend on where the client is.
func checkFlags(flags []string) ([]string, error) {
	probe := Command(engine.New(engine.Options{}))
	if err := probe.ParseFlags(flags); err != nil {
		if invalid, is := errors.AsType[*pflag.InvalidValueError](err); is && invalid.GetFlag().Name == "secret" {
			err = fmt.Errorf("--secret: %w", invalid.Unwrap()) // without what was given
		}
		return nil, fmt.Errorf("the server's flags: %w", err)
	}
	if err := checkSecrets(*probe.Flags().Lookup("secret").Value.(*secret.List), flags); err != nil {
		return nil, err
	}
	if probe.Flags().NArg() > 0 {
		return nil, fmt.Errorf("the server's flags: it takes no %q", probe.Flags().Arg(0))
	}
	return absolute(flags)
}

// absolute has directories not depend on where the client is.
func absolute(flags []string) (all []string, err error) {
	all = slices.Clone(flags)
	for i, flag := range flags {
		name, value, joined := strings.Cut(flag, "=")
		if name != "--host-dir" && name != "--mount" {
			continue
		}
		at, prefix := i, name+"="
		if !joined {
			at, prefix = i+1, "" // there is one, as was found before
			value = flags[at]
		}
		if name == "--mount" {
			m, err := vm.ParseMount(value)
			if err != nil {
				return nil, err
			}
			value = m.String()
		} else if value, err = filepath.Abs(value); err != nil {
			return nil, err
		}
		all[at] = prefix + value
	}
	return all, nil
}

// checkSecrets keeps values out of a client's configuration, and what depends on
// where the client is.
func checkSecrets(given secret.List, flags []string) error {
	for _, g := range given {
		if g.From == secret.FromUser {
			return fmt.Errorf("secret %s: its value would be in the client's configuration: name a file by =@FILE, or the variable alone", g.Name)
		}
		if g.From == secret.FromFile && !strings.Contains(strings.Join(flags, " "), g.Name+"=@"+g.File+"@") {
			return fmt.Errorf("secret %s: write its file's whole path, %s", g.Name, g.File)
		}
	}
	return nil
}

func uninstallCommand() *cobra.Command {
	var c change
	command := &cobra.Command{
		Use:   "uninstall " + clientNames(),
		Short: "Take banger mcp out of a client's configuration again",
		Args:  cobra.ExactArgs(1),
	}
	command.Flags().StringVar(&c.name, "name", "banger", "the server's name in the client")
	command.Flags().BoolVarP(&c.yes, "yes", "y", false, "write it")
	command.RunE = func(command *cobra.Command, args []string) error {
		c.client = args[0]
		return c.apply(command.OutOrStdout())
	}
	return command
}

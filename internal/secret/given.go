package secret

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Given is a secret as a user gives it.
type Given struct {
	Secret
	Value Value // with FromUser
}

// Give makes a secret of its parts; no value is that of the variable of its name.
func Give(name, value string, hosts []string) (Given, error) {
	g := Given{Secret: Secret{Name: name, From: FromEnvironment}}
	var err error
	if value != "" {
		g.From = FromUser
		g.Value, err = NewValue(value)
	}
	for _, text := range hosts {
		host, hostErr := parseHost(text)
		g.Hosts, err = append(g.Hosts, host), errors.Join(err, hostErr)
	}
	if err = errors.Join(err, g.check()); err != nil {
		return Given{}, fmt.Errorf("secret %s: %w", name, err)
	}
	return g, nil
}

// Parse reads NAME[=VALUE|=@FILE]@HOST[,HOST]. No error has the value.
func Parse(text string) (Given, error) { return ParseIn("", text) }

// ParseIn is Parse where a relative FILE is below a directory.
func ParseIn(dir, text string) (Given, error) {
	// A value may have an @, a host may not.
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return Given{}, errors.New("write NAME@HOST, NAME=VALUE@HOST or NAME=@FILE@HOST, with several hosts as HOST,HOST")
	}
	name, value, has := strings.Cut(text[:at], "=")
	if !validName(name) {
		return Given{}, errors.New("what is before the first = or @ is no variable's name")
	}
	g := Given{Secret: Secret{Name: name}}
	err := g.parseSource(dir, value, has)
	if err == nil {
		err = g.parseHosts(text[at+1:])
	}
	if err == nil {
		err = g.check()
	}
	if err != nil {
		return Given{}, fmt.Errorf("secret %s: %w", name, err)
	}
	return g, nil
}

func (g *Given) parseSource(dir, value string, has bool) (err error) {
	file, isFile := strings.CutPrefix(value, "@")
	switch {
	case !has:
		g.From = FromEnvironment
	case isFile && file == "":
		err = errors.New("no file is named after =@")
	case isFile:
		g.From = FromFile
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		g.File, err = filepath.Abs(file)
	default:
		g.From = FromUser
		g.Value, err = NewValue(value)
	}
	return err
}

func (g *Given) parseHosts(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if strings.ContainsFunc(part, notOfHosts) {
			return errNoHosts
		}
		host, err := parseHost(part)
		if err != nil && g.From == FromUser {
			return errNoHosts // the text may be the end of a value
		}
		if err != nil {
			return err
		}
		g.Hosts = append(g.Hosts, host)
	}
	return nil
}

var errNoHosts = errors.New("what follows the last @ is no list of hosts")

func notOfHosts(r rune) bool {
	return r > 0x7e || r <= ' ' || strings.ContainsRune(`/=+$&?!"'#%()<>[]{}\|^~;`+"`", r)
}

// List takes secrets as a flag does, each time one more. It shows none.
type List []Given

// Set takes one as Parse does.
func (l *List) Set(text string) error {
	g, err := Parse(text)
	if err == nil {
		*l = append(*l, g)
	}
	return err
}

func (l *List) String() string { return "" }

// Type is what a flag's help calls it.
func (l *List) Type() string { return "secret" }

package imagebuild

import (
	"slices"
	"strings"

	"banger/internal/imagemgr"
)

// usualPath is where programs are, where no image says so.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// config is the base's configuration with more variables. A value may name variables
// that were before it, as ${PATH}.
func (o Options) config() *imagemgr.Config {
	if len(o.Env) == 0 {
		return o.Base.Config
	}
	var c imagemgr.Config
	if o.Base.Config != nil {
		c = *o.Base.Config
	}
	c.Env = slices.Clone(c.Env)
	for _, entry := range o.Env {
		key, value, _ := strings.Cut(entry, "=")
		at := slices.IndexFunc(c.Env, func(had string) bool { return strings.HasPrefix(had, key+"=") })
		entry = key + "=" + expand(value, c.Env)
		if at >= 0 {
			c.Env[at] = entry
		} else {
			c.Env = append(c.Env, entry)
		}
	}
	return &c
}

// expand replaces ${KEY} by what the variables have.
func expand(value string, env []string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(value, "${")
		key, after, closed := strings.Cut(rest, "}")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		if !closed {
			out.WriteString("${" + rest)
			return out.String()
		}
		out.WriteString(valueOf(key, env))
		value = after
	}
}

func valueOf(key string, env []string) string {
	for _, entry := range env {
		if value, is := strings.CutPrefix(entry, key+"="); is {
			return value
		}
	}
	if key == "PATH" {
		return usualPath
	}
	return ""
}

package generate

import (
	"fmt"
	"strings"
)

// systemd writes a unit, see systemd.service(5). The VM is a part of its main
// process: a stop signals that alone, and what is left after TimeoutStopSec is
// killed, the VMM with it.
func (j Job) systemd() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by banger generate systemd.")
	line("[Unit]")
	line("Description=VM %s", specifier(printable(j.Name)))
	if j.Host.User != "" {
		line("Wants=network-online.target")
		line("After=network-online.target")
	}
	line("\n[Service]")
	line("Type=notify")
	line("ExecStart=%s", words(append([]string{j.Host.Banger}, j.Command...)))
	for _, entry := range j.Host.Env {
		line("Environment=%s", specifier(quoted(entry)))
	}
	if j.Host.User != "" {
		line("User=%s", specifier(printable(j.Host.User)))
	}
	line("KillMode=mixed")
	line("SuccessExitStatus=143")
	line("Restart=%s", j.Restart)
	line("RestartSec=%d", restartTime)
	if j.Host.Builds {
		line("TimeoutStartSec=infinity")
	} else {
		line("TimeoutStartSec=%d", startTime)
	}
	line("TimeoutStopSec=%d", stopTime)
	line("\n[Install]")
	line("WantedBy=%s", j.target())
	return b.String()
}

func (j Job) target() string {
	if j.Host.User != "" {
		return "multi-user.target"
	}
	return "default.target"
}

// words writes a command line: each word quoted as it stands, without variables.
func words(argv []string) string {
	quotes := make([]string, len(argv))
	for i, word := range argv {
		quotes[i] = strings.ReplaceAll(specifier(quoted(word)), "$", "$$")
	}
	return strings.Join(quotes, " ")
}

// specifier escapes each %, which systemd would expand.
func specifier(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// quoted is one word of a unit file's, see "Quoting" in systemd.syntax(7). What
// needs no quotes has none.
func quoted(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%$"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range word {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable is text for a line of a unit's that has no quotes.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\\' {
			return '_'
		}
		return r
	}, text)
}

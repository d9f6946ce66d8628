package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"
)

const (
	formatTable = "table"
	formatJSON  = "json"
)

// addJSONFlag adds --json as another way to write --format json.
func addJSONFlag(flags *pflag.FlagSet, format *string) {
	flags.BoolFunc("json", "short for --format json", func(string) error {
		*format = formatJSON
		return nil
	})
}

func checkFormat(format string) error {
	if isTemplate(format) {
		_, err := parseTemplate(format)
		return err
	}
	if format != formatTable && format != formatJSON {
		return fmt.Errorf("--format %s is neither table nor json, nor a template such as {{.Name}}", format)
	}
	return nil
}

// list prints items as a JSON array, or as a table with a header and a row
// for each, of which -q leaves the names.
func list[T any](a *app, items []T, header string, row func(T) []string) error {
	if a.format == formatJSON {
		if items == nil {
			items = []T{}
		}
		return printJSON(a.Out, items)
	}
	if isTemplate(a.format) {
		return printByTemplate(a.Out, a.format, items)
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	namesOnly := a.quiet && strings.HasPrefix(header, "NAME ")
	if !namesOnly {
		fmt.Fprintln(w, strings.ReplaceAll(header, " ", "\t"))
	}
	for _, item := range items {
		cells := row(item)
		if namesOnly {
			cells = cells[:1]
		}
		for i := range cells {
			cells[i] = printable(cells[i])
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// field is a line of what show prints.
type field struct{ name, value string }

// show prints v as JSON, or fields as lines; those without a value are left
// out.
func show(a *app, v any, fields []field) error {
	if a.format == formatJSON {
		return printJSON(a.Out, v)
	}
	if isTemplate(a.format) {
		return printByTemplate(a.Out, a.format, []any{v})
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	for _, f := range fields {
		if f.value != "" {
			fmt.Fprintf(w, "%s:\t%s\n", f.name, printable(f.value))
		}
	}
	return w.Flush()
}

func printJSON(w io.Writer, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(printableJSON(data), '\n'))
	return err
}

// say prints a message for people; results go to a.Out instead.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintln(a.Err, oneLine(fmt.Sprintf(format, args...)))
	}
}

// age prints how long ago t was.
func age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return some(int(d.Seconds()), "second") + " ago"
	case d < 2*time.Hour:
		return some(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return some(int(d.Hours()), "hour") + " ago"
	}
	return some(int(d.Hours()/24), "day") + " ago"
}

// some is so many of what has a plural with an s.
func some(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// or returns text, or otherwise where it is empty.
func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

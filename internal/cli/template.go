package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"text/template"
	"text/template/parse"
	"unicode"
)

// templateFunctions are docker's.
var templateFunctions = template.FuncMap{
	"json": func(v any) (string, error) {
		data, err := json.Marshal(v)
		return string(printableJSON(data)), err
	},
	"join":  func(items []string, separator string) string { return strings.Join(items, separator) },
	"split": strings.Split,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"title": func(text string) string { return strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):] },
	"pad": func(text string, before, after int) string {
		if text == "" {
			return ""
		}
		return strings.Repeat(" ", max(before, 0)) + text + strings.Repeat(" ", max(after, 0))
	},
	"truncate": func(text string, length int) string {
		runes := []rune(text)
		return string(runes[:min(max(length, 0), len(runes))])
	},
}

// tablePrefix before a template has its lines be a table's, below a header, as docker
// has it.
const tablePrefix = formatTable + " "

func isTemplate(format string) bool { return strings.Contains(format, "{{") }

// parseTemplate reads a template, in which \t and \n are as in a string.
func parseTemplate(format string) (*template.Template, error) {
	format = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(strings.TrimPrefix(format, tablePrefix))
	t, err := template.New("--format").Funcs(templateFunctions).Parse(format)
	if err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	return t, nil
}

// printByTemplate prints a line for each item, or a table.
func printByTemplate[T any](w io.Writer, format string, items []T) error {
	if !strings.HasPrefix(format, tablePrefix) {
		return printLines(w, format, items)
	}
	t, err := parseTemplate(format)
	if err != nil {
		return err
	}
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, headerOf(t))
	if err := printLines(columns, format, items); err != nil {
		return err
	}
	return columns.Flush()
}

// printLines prints a line for each item.
func printLines[T any](w io.Writer, format string, items []T) error {
	t, err := parseTemplate(format)
	if err != nil {
		return err
	}
	for _, item := range items {
		var line strings.Builder
		if err := t.Execute(&line, item); err != nil {
			return fmt.Errorf("--format: %w", err)
		}
		if _, err := fmt.Fprintln(w, line.String()); err != nil {
			return err
		}
	}
	return nil
}

// headerOf is a template with the names of what it shows: of {{.CreatedAt}}, CREATED AT.
func headerOf(t *template.Template) string {
	var header strings.Builder
	for _, node := range t.Root.Nodes {
		switch n := node.(type) {
		case *parse.TextNode:
			header.Write(n.Text)
		case *parse.ActionNode:
			header.WriteString(heading(n.Pipe))
		}
	}
	return header.String()
}

// heading is the last name that a pipe has.
func heading(pipe *parse.PipeNode) (words string) {
	for _, command := range pipe.Cmds {
		for _, argument := range command.Args {
			if field, is := argument.(*parse.FieldNode); is {
				words = apart(field.Ident[len(field.Ident)-1])
			}
		}
	}
	return strings.ToUpper(words)
}

// apart puts a space before each word of a name such as CreatedAt.
func apart(name string) string {
	var words strings.Builder
	var last rune
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			words.WriteByte(' ')
		}
		words.WriteRune(r)
		last = r
	}
	return words.String()
}

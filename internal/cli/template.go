package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
)

// templateFunctions are those of docker's that people use.
var templateFunctions = template.FuncMap{
	"json": func(v any) (string, error) {
		data, err := json.Marshal(v)
		return string(printableJSON(data)), err
	},
	"join":  func(items []string, separator string) string { return strings.Join(items, separator) },
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
}

func isTemplate(format string) bool { return strings.Contains(format, "{{") }

func parseTemplate(format string) (*template.Template, error) {
	t, err := template.New("--format").Funcs(templateFunctions).Parse(format)
	if err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	return t, nil
}

// printByTemplate prints a line for each item.
func printByTemplate[T any](w io.Writer, format string, items []T) error {
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

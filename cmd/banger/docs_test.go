package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notListed stand for a command in the documents, and are not in any help.
var notListed = []string{
	"internal", "supervise", // banger's own
	"rmi",     // docker's, which is answered by another's name
	"COMMAND", // any
}

// The commands and flags that the documents show are there.
func TestDocumentedCommands(t *testing.T) {
	shown := 0
	for path, text := range documents(t) {
		for _, words := range commandLines(text) {
			shown++
			for _, wrong := range unknownWords(t, words) {
				t.Errorf("%s: banger %s: there is no %s", path, strings.Join(words, " "), wrong)
			}
		}
	}
	if shown < 150 {
		t.Errorf("the documents show %d command lines: are they still found?", shown)
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)`)

// Links within the repository lead to files that are there.
func TestDocumentLinks(t *testing.T) {
	for path, text := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), found[1])); err != nil {
				t.Errorf("%s: a link that leads nowhere: %v", path, err)
			}
		}
	}
}

// documents returns the texts for users and developers, by their paths.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(text)
		}
	}
	return texts
}

var (
	codeLine = regexp.MustCompile(`(?m)^ {4}.*$`)
	codeSpan = regexp.MustCompile("`[^`]+`")
	// call is one of banger's, at the beginning of a command, up to what ends that.
	call = regexp.MustCompile(`(?:^ *(?:\$ |RUN )?|[|&;,─>] +)banger ([^|;&#,─>]*)`)
)

// commandLines returns what follows "banger" in a document's code: without the guest's
// command, which comes after two dashes.
func commandLines(text string) (lines [][]string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	code := codeLine.FindAllString(text, -1)
	for _, span := range codeSpan.FindAllString(codeLine.ReplaceAllString(text, ""), -1) {
		code = append(code, strings.Trim(span, "`"))
	}
	for _, line := range code {
		for _, found := range call.FindAllStringSubmatch(line, -1) {
			words := strings.Fields(found[1])
			if end := slices.Index(words, "--"); end >= 0 {
				words = words[:end]
			}
			lines = append(lines, words)
		}
	}
	return lines
}

var (
	subcommand = regexp.MustCompile(`(?m)^  ([a-z-]+) `)
	flag       = regexp.MustCompile(`(?m)^ +(?:(-\w), )?(--[a-z0-9-]+)`)
)

// unknownWords returns the commands and flags of a command line that its help has not.
func unknownWords(t *testing.T, words []string) (unknown []string) {
	t.Helper()
	var verbs []string
	help := helpOf(t)
	for _, word := range words {
		_, below, group := strings.Cut(help, "Available Commands:\n")
		if !group || strings.HasPrefix(word, "-") {
			break
		}
		below, _, _ = strings.Cut(below, "\n\n")
		if slices.Contains(notListed, word) {
			return nil
		}
		if !contains(subcommand, below, word) {
			return []string{"command " + word}
		}
		verbs = append(verbs, word)
		help = helpOf(t, verbs...)
	}
	for _, word := range words[len(verbs):] {
		name, _, _ := strings.Cut(strings.TrimRight(word, ".,:"), "=")
		if strings.HasPrefix(name, "-") && name != "-" && !contains(flag, help, name) {
			unknown = append(unknown, "flag "+name)
		}
	}
	return unknown
}

// contains reports whether a group of a pattern matches a word somewhere in a text.
func contains(pattern *regexp.Regexp, text, word string) bool {
	return slices.ContainsFunc(pattern.FindAllStringSubmatch(text, -1), func(match []string) bool {
		return slices.Contains(match[1:], word)
	})
}

func helpOf(t *testing.T, verbs ...string) string {
	t.Helper()
	text, err := run(append(slices.Clone(verbs), "--help")...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

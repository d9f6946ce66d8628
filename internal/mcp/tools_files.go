package mcp

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Bounds on files.
const (
	maxText     = 128 << 10 // of a file, a list or matches that are shown
	maxFile     = 4 << 20   // of a file that is edited or downloaded
	maxLines    = 2000
	fileTimeout = time.Minute // a guest's file may be a pipe that nobody writes to
)

type readArgs struct {
	Path    string `json:"path" jsonschema:"the file; relative to the project, or else to root's home"`
	From    int    `json:"from,omitempty" jsonschema:"the first line to read, 1 where left out"`
	Lines   int    `json:"lines,omitempty" jsonschema:"how many lines to read, 2000 where left out and at the most"`
	Sandbox string `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

type writeArgs struct {
	Path    string `json:"path" jsonschema:"the file; directories above it are made"`
	Content string `json:"content" jsonschema:"all that it is to hold"`
	Sandbox string `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

type editArgs struct {
	Path    string `json:"path" jsonschema:"the file"`
	Old     string `json:"old" jsonschema:"the text to replace, which has to be there once"`
	New     string `json:"new" jsonschema:"what takes its place"`
	All     bool   `json:"all,omitempty" jsonschema:"replace it wherever it is"`
	Sandbox string `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

type listArgs struct {
	Path      string `json:"path,omitempty" jsonschema:"the directory; the project, or else root's home, where left out"`
	Recursive bool   `json:"recursive,omitempty" jsonschema:"and all below it"`
	Sandbox   string `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

type searchArgs struct {
	Pattern string `json:"pattern" jsonschema:"an extended regular expression, as grep has it"`
	Path    string `json:"path,omitempty" jsonschema:"a file or directory to search; all of the working directory where left out"`
	Include string `json:"include,omitempty" jsonschema:"search only files whose names match this glob"`
	Sandbox string `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

type uploadArgs struct {
	Path    string `json:"path" jsonschema:"the file; directories above it are made"`
	Base64  string `json:"base64" jsonschema:"all that it is to hold, in base64"`
	Sandbox string `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

type downloadArgs struct {
	Path    string `json:"path" jsonschema:"the file, of 4 MiB at the most"`
	Sandbox string `json:"sandbox,omitempty" jsonschema:"the sandbox's name; the current one where left out"`
}

func addFileTools(s *sdk.Server, d *desk) {
	addWith(s, "read_file", "Read a text file, or lines of it.", readsOnly, d.readFile)
	addWith(s, "write_file", "Write a text file.", changes, func(ctx context.Context, r *sdk.CallToolRequest, in writeArgs) (string, error) {
		return d.write(ctx, r, in.Sandbox, in.Path, []byte(in.Content))
	})
	addWith(s, "edit_file", "Replace a text in a file by another.", changes, d.editFile)
	addWith(s, "list_files", "List a directory.", readsOnly, d.listFiles)
	addWith(s, "search_files", "Find the lines of files that match.", readsOnly, d.search)
	addWith(s, "upload", "Write a file of any bytes.", changes, func(ctx context.Context, r *sdk.CallToolRequest, in uploadArgs) (string, error) {
		data, err := base64.StdEncoding.DecodeString(in.Base64)
		if err != nil {
			return "", fmt.Errorf("read the content: %w", err)
		}
		return d.write(ctx, r, in.Sandbox, in.Path, data)
	})
	addWith(s, "download", "Read a file of any bytes, as base64.", readsOnly, func(ctx context.Context, r *sdk.CallToolRequest, in downloadArgs) (string, error) {
		data, err := d.whole(ctx, r, in.Sandbox, in.Path)
		return base64.StdEncoding.EncodeToString(data), err
	})
}

// script runs a script for sh, with arguments, and returns the beginning of what
// it writes; full says that there is more.
func (d *desk) script(ctx context.Context, r *sdk.CallToolRequest, sandbox string, stdin io.Reader, limit int, script string, args ...string) (out bounded, err error) {
	b, err := d.box(ctx, sandbox, teller(ctx, r))
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	defer cancel()
	out.limit = limit
	var said clip
	status, err := b.run(ctx, program{
		argv: append([]string{"sh", "-c", script, "sh"}, args...), dir: d.dirIn(b, ""), stdin: stdin, stdout: &out, stderr: &said,
	})
	switch words := strings.TrimSpace(said.take()); {
	case out.full:
		return out, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return out, fmt.Errorf("it took longer than %s and was ended", fileTimeout)
	case err == nil && status != 0:
		return out, errors.New(cmp.Or(words, fmt.Sprintf("exit status %d", status)))
	}
	return out, err
}

const readScript = `[ -d "$1" ] && { echo "$1 is a directory" >&2; exit 1; }
[ -e "$1" ] || { echo "there is no $1" >&2; exit 1; }
exec <"$1"
tail -n "+$2" | head -n "$3"`

func (d *desk) readFile(ctx context.Context, r *sdk.CallToolRequest, in readArgs) (string, error) {
	lines := in.Lines
	if lines <= 0 || lines > maxLines {
		lines = maxLines
	}
	from := max(in.From, 1)
	out, err := d.script(ctx, r, in.Sandbox, nil, maxText, readScript, in.Path, fmt.Sprint(from), fmt.Sprint(lines))
	if err != nil {
		return "", err
	}
	shown := string(out.data)
	if n := strings.Count(shown, "\n"); out.full || n >= lines {
		shown += fmt.Sprintf("\n[there may be more after line %d]", from+n-1)
	}
	return shown, nil
}

const writeScript = `case "$1" in */*) mkdir -p -- "${1%/*}/" || exit 1;; esac
cat >"$1"`

func (d *desk) write(ctx context.Context, r *sdk.CallToolRequest, sandbox, path string, data []byte) (string, error) {
	if len(data) > maxFile {
		return "", fmt.Errorf("%d bytes are more than the %d that are written at once", len(data), maxFile)
	}
	_, err := d.script(ctx, r, sandbox, strings.NewReader(string(data)), maxText, writeScript, path)
	return fmt.Sprintf("%d bytes are in %s", len(data), path), err
}

// whole reads a file as it is.
func (d *desk) whole(ctx context.Context, r *sdk.CallToolRequest, sandbox, path string) ([]byte, error) {
	out, err := d.script(ctx, r, sandbox, nil, maxFile, `exec cat <"$1"`, path)
	if err == nil && out.full {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return out.data, err
}

func (d *desk) editFile(ctx context.Context, r *sdk.CallToolRequest, in editArgs) (string, error) {
	if in.Old == "" {
		return "", errors.New("the text to replace is empty")
	}
	data, err := d.whole(ctx, r, in.Sandbox, in.Path)
	if err != nil {
		return "", err
	}
	before := string(data)
	n := strings.Count(before, in.Old)
	switch {
	case !utf8.ValidString(before):
		return "", fmt.Errorf("%s is no text", in.Path)
	case n == 0:
		return "", fmt.Errorf("the text to replace is not in %s", in.Path)
	case n > 1 && !in.All:
		return "", fmt.Errorf("the text to replace is %d times in %s: give more of what is around it, or all", n, in.Path)
	}
	if _, err := d.write(ctx, r, in.Sandbox, in.Path, []byte(strings.ReplaceAll(before, in.Old, in.New))); err != nil {
		return "", err
	}
	return fmt.Sprintf("replaced %d times in %s", n, in.Path), nil
}

func (d *desk) listFiles(ctx context.Context, r *sdk.CallToolRequest, in listArgs) (string, error) {
	flags := "-lA"
	if in.Recursive {
		flags = "-lAR"
	}
	return d.shown(d.script(ctx, r, in.Sandbox, nil, maxText, `exec ls "$1" -- "$2"`, flags, cmp.Or(in.Path, ".")))
}

// searchScript takes grep's 1, which is for no match, for no failure.
const searchScript = `grep -rnE ${3:+--include="$3"} -e "$1" -- "$2" || [ $? -eq 1 ]`

func (d *desk) search(ctx context.Context, r *sdk.CallToolRequest, in searchArgs) (string, error) {
	found, err := d.shown(d.script(ctx, r, in.Sandbox, nil, maxText, searchScript, in.Pattern, cmp.Or(in.Path, "."), in.Include))
	return cmp.Or(found, "nothing matches"), err
}

// shown is a script's output as a text that says where it was cut.
func (d *desk) shown(out bounded, err error) (string, error) {
	text := string(out.data)
	if out.full {
		text += "\n[there is more]"
	}
	return text, err
}

// text is a program's input.
func text(s string) io.Reader {
	if s == "" {
		return nil
	}
	return strings.NewReader(s)
}

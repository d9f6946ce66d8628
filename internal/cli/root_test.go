package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// A command that is made alone is the one that is made with all others.
func TestAlone(t *testing.T) {
	for _, name := range []string{"run", "ssh", "exec", "logs", "start", "stop", "rm", "cp"} {
		for _, path := range []string{name, "vm " + name} {
			words := strings.Fields(path)
			a := new(app)
			a.engine, _ = open()
			if root := a.rootCommand(words); len(root.Commands()) != 1 {
				t.Errorf("%s is not made alone", path)
			}
			alone := output(append(words, "--help"))
			if among := output(append([]string{"help"}, words...)); alone != among {
				t.Errorf("%s says of itself\n%s\nand among all others\n%s", path, alone, among)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for line, want := range map[string]string{
		"exec dev -- true":            "exec dev -- true",
		"-q --format json vm exec -t": "vm exec -t",
		"--json --progress=none ps":   "ps",
		"--image x exec dev true":     "",
		"--help exec":                 "",
		"":                            "",
	} {
		if got := strings.Join(new(app).words(strings.Fields(line)), " "); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// output is what a command line prints.
func output(args []string) string {
	var out bytes.Buffer
	Main(args, Streams{In: os.Stdin, Out: &out, Err: &out})
	return out.String()
}

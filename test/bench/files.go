package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	filesVM = "bench-files"
	// copyGoal is how long a copy may take of what tar takes through ssh.
	copyGoal = 1.2
	// unchangedGoal is for a sync of 20,000 files of which none has changed.
	unchangedGoal = 500 * time.Millisecond
	// copyPairs are enough of what takes minutes.
	copyPairs = 3
)

// files compares vm cp into a guest with tar through OpenSSH into the same one, and
// takes the time of a sync that has nothing to do.
func (b bench) files(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "bench-files-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := b.do(ctx, "vm", "run", "--image", "debian", "--kernel", b.kernel, "--name", filesVM, "--wait-init", "--", "mkdir", "/srv/to"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.do(context.WithoutCancel(ctx), "vm", "rm", "--force", filesVM)) }()
	config, err := sshConfig(exec.CommandContext(ctx, b.banger, "vm", "ssh-config", filesVM))
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Dir(config))
	large, many, project := filepath.Join(dir, "large"), filepath.Join(dir, "many"), filepath.Join(dir, "project")
	if err := errors.Join(fillLarge(large, 500<<20), fillMany(many, 100_000), fillMany(project, 20_000)); err != nil {
		return err
	}
	if err := b.unchanged(ctx, project); err != nil {
		return err
	}
	for _, c := range []struct{ name, from string }{{"500 MiB that nothing makes smaller", large}, {"100,000 small files", many}} {
		if err := b.copies(ctx, c.name, c.from, config); err != nil {
			return err
		}
	}
	return nil
}

// unchanged takes the time of a sync of a repository in which nothing has changed.
func (b bench) unchanged(ctx context.Context, dir string) error {
	if out, err := exec.CommandContext(ctx, "git", "init", "-q", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	begin := time.Now()
	if err := b.do(ctx, "vm", "sync", "--push", filesVM, dir); err != nil {
		return err
	}
	first := time.Since(begin)
	var times sample
	for range b.pairs + 1 {
		took, err := timed(exec.CommandContext(ctx, b.banger, "vm", "sync", filesVM, dir))
		if err != nil {
			return err
		}
		times = append(times, took)
	}
	fmt.Printf("vm sync of 20,000 files, nothing changed: %v (goal %v); the first time it took %v\n",
		times[1:], unchangedGoal, first.Round(time.Millisecond))
	return nil
}

// copies compares copies of a directory.
func (b bench) copies(ctx context.Context, name, from, config string) error {
	remove := func() error { return b.do(ctx, "vm", "exec", filesVM, "--", "sh", "-c", "rm -rf /srv/to/*; sync") }
	pairs := min(b.pairs, copyPairs)
	ours, theirs, err := inTurn(pairs, func() (time.Duration, error) {
		took, err := timed(exec.CommandContext(ctx, b.banger, "-q", "vm", "cp", from, filesVM+":/srv/to/ours"))
		return took, errors.Join(err, remove())
	}, func() (time.Duration, error) {
		script := `tar -C "$1" -cf - . | ssh -F "$2" "$3" "mkdir /srv/to/theirs && tar -C /srv/to/theirs -xf -"`
		took, err := timed(exec.CommandContext(ctx, "sh", "-c", script, "sh", from, config, filesVM+".banger"))
		return took, errors.Join(err, remove())
	})
	if err != nil {
		return err
	}
	fmt.Printf("vm cp of %s into a guest:  %v\n", name, ours)
	fmt.Printf("tar | ssh tar of them:     %v\n", theirs)
	fmt.Printf("ratio %.2f (goal at most %.1f)\n", ratio(ours, theirs), copyGoal)
	return nil
}

// do runs a command of banger's.
func (b bench) do(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, b.banger, append([]string{"-q"}, args...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// fillLarge makes a directory with a file of so many bytes.
func fillLarge(dir string, size int64) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(f, rand.Reader, size)
	return err
}

// fillMany makes a directory with so many files, a hundred in each below it, as large
// as those of a program's source may be.
func fillMany(dir string, files int) error {
	text := make([]byte, 8<<10)
	for i := range text {
		text[i] = "int main(void) {\n\treturn 0;\n}\n"[i*i%29]
	}
	for i := range files {
		file := filepath.Join(dir, fmt.Sprintf("d%d/f%d.c", i/100, i))
		if i%100 == 0 {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
		}
		if err := os.WriteFile(file, append(fmt.Appendf(nil, "// %d\n", i), text[:i*37%len(text)]...), 0o644); err != nil {
			return err
		}
	}
	return nil
}

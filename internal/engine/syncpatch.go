package engine

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"banger/internal/agent/filesync"
	"banger/internal/format/tree"
	"banger/internal/process"
)

// SyncPatch writes what changed in the guest since the last sync, against the files
// that are here, to w as a patch for git apply. It needs git, and changes nothing. What
// changed on both sides is in it too.
func (e *Engine) SyncPatch(ctx context.Context, name string, o SyncOptions, w io.Writer) (Synced, error) {
	s, err := e.openSync(ctx, name, o)
	if err != nil {
		return Synced{}, err
	}
	defer s.lock.Release()
	if err := s.look(ctx); err != nil {
		return Synced{}, err
	}
	plan := filesync.Reconcile(s.base, s.here, s.there)
	for _, both := range plan.Conflicts {
		plan.Pull = append(plan.Pull, filesync.Change{Name: both, From: s.here[both].Content, To: s.there[both].Content})
	}
	var result Synced
	if result.Pull, result.Refused, err = s.harmless(ctx, plan.Pull); err != nil {
		return result, err
	}
	stage, err := e.Dirs.BuildTree().Stage()
	if err != nil {
		return result, err
	}
	defer stage.Discard()
	if err := s.spread(ctx, stage.Dir, result.Pull); err != nil {
		return result, err
	}
	return result, diff(ctx, stage.Dir, w)
}

// spread writes the files of changes into dir: as they are here into a, and as they will be
// into b.
func (s *syncing) spread(ctx context.Context, dir string, changes []filesync.Change) error {
	var here []string
	there := filesync.State{}
	for _, c := range changes {
		if c.From.Kind != filesync.Absent {
			here = append(here, c.Name)
		}
		if c.To.Kind != filesync.Absent {
			there[c.Name] = s.there[c.Name]
		}
	}
	for _, side := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, side), 0o700); err != nil {
			return err
		}
	}
	if err := s.spreadOwn(ctx, filepath.Join(dir, "a"), here); err != nil {
		return err
	}
	placed := filesync.State{}
	err := s.guest.Pull(ctx, there, func(r io.Reader) error {
		return tree.UnpackInto(r, filepath.Join(dir, "b"), false, tree.UnpackOptions{
			Guarded: true, Changed: func(string) {}, Placed: placed.Place,
			Expect: func(h *tar.Header) (tree.Stamp, error) { return tree.Stamp{}, asked(there, h) },
		})
	})
	if err != nil {
		return err
	}
	for name, e := range there { // what changes meanwhile is not removed
		if _, is := placed[name]; e.Kind == filesync.File && !is {
			os.Remove(filepath.Join(dir, "a", name))
		}
	}
	return nil
}

// spreadOwn puts files as they are here into a directory.
func (s *syncing) spreadOwn(ctx context.Context, dir string, names []string) error {
	own, pack := io.Pipe()
	go func() {
		pack.CloseWithError(tree.PackNames(pack, s.dir, names, nil, filesync.NoStamp))
	}()
	defer own.Close()
	defer context.AfterFunc(ctx, func() { own.CloseWithError(context.Cause(ctx)) })()
	return tree.UnpackInto(own, dir, false, tree.UnpackOptions{Guarded: true})
}

// diff writes how a and b in dir differ. Neither is a repository, and no configuration
// says what else is to run.
func diff(ctx context.Context, dir string, w io.Writer) error {
	out := faultNoting{Writer: w}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES=" + filepath.Dir(dir), "LC_ALL=C"}
	err := process.Run(ctx, process.Cmd{
		Args: []string{
			"git", "-C", dir, "-c", "core.quotePath=true", "diff", "--no-index", "--no-prefix", "--binary", "--no-color",
			"--no-ext-diff", "--no-textconv", "--no-renames", "--", "a", "b",
		},
		Env: env, Stdout: &out,
	})
	var failed *process.Error
	if errors.As(err, &failed) && failed.Status == "exit status 1" {
		err = nil // they differ
	}
	return cmp.Or(out.fault, err)
}

// faultNoting keeps why it could not be written to, where a program only says that.
type faultNoting struct {
	io.Writer
	fault error
}

func (f *faultNoting) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err != nil {
		f.fault = err
	}
	return n, err
}

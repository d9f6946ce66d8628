package project

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestMain keeps the configuration of who runs the tests out of them.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
		"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "GIT_CEILING_DIRECTORIES": os.TempDir(),
	} {
		os.Setenv(name, value)
	}
	os.Exit(m.Run())
}

// sh runs a script in dir.
func sh(t *testing.T, dir, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", "git() { command git -c protocol.file.allow=always -c init.defaultBranch=main \"$@\"; }\n"+script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// copyOf makes the copy of dir that a guest gets, with nothing of the rest.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := Files(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	for _, f := range files {
		from, as := filepath.Join(dir, f.Name), filepath.Join(to, f.Name)
		if f.From != "" {
			from = f.From
		}
		info, err := os.Lstat(from)
		switch {
		case f.Content != nil:
			err = os.WriteFile(as, f.Content, 0o644)
		case err != nil:
		case info.IsDir():
			err = os.MkdirAll(as, 0o755)
		default:
			err = os.MkdirAll(filepath.Dir(as), 0o755)
			if err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
				os.Remove(as)
				err = exec.Command("cp", "-a", from, as).Run()
			}
		}
		if err != nil {
			t.Fatalf("copy %+v: %v", f, err)
		}
	}
	return to
}

// content lists the files in dir, without those of repositories.
func content(t *testing.T, dir string) string {
	return sh(t, dir, `find . -name .git -prune -o ! -type d -print0 | tr '\0\n' '\n?' | LC_ALL=C sort | tr '\n' ' '`)
}

// Each script makes the directory p; its copy has these files, and git says
// this of it.
func TestFiles(t *testing.T) {
	const commit = "git add -A; git commit -qm 1; "
	for _, tt := range []struct{ name, script, want, git string }{
		{"no repository", "mkdir p; cd p; echo a >a; mkdir d; echo b >d/b", "./a ./d/b ", ""},
		{"ignored", "git init -q p; cd p; echo '*.o' >.gitignore; echo x >x.o; echo y >y.o; git add -f y.o; echo s >.git/info/exclude; echo s >s; " + commit, "./.gitignore ./y.o ", ""},
		{"empty", "git init -q p", "", ""},
		{"part", "git init -q r; cd r; mkdir p; echo a >p/a; echo o >p/o; echo o >.gitignore; " + commit + "mv ../r ../q; ln -s q/p ../p", "./a ", "none"},
		{"an ignored part", "git init -q r; cd r; mkdir p; echo a >p/a; echo p >.gitignore; " + commit + "ln -s r/p ../p", "./a ", "none"},
		{"bare", "git init -q r; cd r; echo a >a; " + commit + "git clone -q --bare . ../p; cd ../p; ls -A | wc -l", "", "bare"},
		{"submodule", "git init -q lib; cd lib; echo l >l; " + commit + "cd ..; git init -q p; cd p; git submodule -q add ../lib v/lib; " + commit + "echo n >v/lib/n",
			"./.gitmodules ./v/lib/l ./v/lib/n ", ""},
		{"a submodule alone", "git init -q lib; cd lib; echo l >l; " + commit + "cd ..; git init -q r; cd r; git submodule -q add ../lib v; " + commit + "ln -s r/v ../p",
			"./l ", ""},
		{"a submodule without files, alone", "git init -q lib; cd lib; echo l >l; " + commit + "cd ..; git init -q r; cd r; git submodule -q add ../lib v; " + commit + "git clone -q . ../s; ln -s s/v ../p", "", "none"},
		{"submodule without files", "git init -q lib; cd lib; echo l >l; " + commit + "cd ..; git init -q r; cd r; git submodule -q add ../lib v; " + commit + "git clone -q . ../p",
			"./.gitmodules ", ""},
		{"nested", "git init -q p; cd p; echo a >a; " + commit + "git init -q n; cd n; echo f >f; echo o >o; echo o >.gitignore; " + commit, "./a ./n/.gitignore ./n/f ", ""},
		{"worktree", "git init -q r; cd r; echo a >a; " + commit + "git worktree add -q ../p -b side; cd ../p; echo b >b; " + commit, "./a ./b ", ""},
		{"worktree of a bare one", "git init -q r; cd r; echo a >a; " + commit + "git clone -q --bare . ../b; cd ../b; git worktree add -q ../p -b side", "./a ", ""},
		{"worktree within", "git init -q p; cd p; echo a >a; " + commit + "git worktree add -q w -b side; echo b >w/b", "./a ./w/a ./w/b ", ""},
		{"worktree with a submodule", "git init -q lib; cd lib; echo l >l; " + commit + "cd ..; git init -q r; cd r; git submodule -q add ../lib v; " + commit +
			"git worktree add -q ../p -b side; cd ../p; git submodule -q update --init", "./.gitmodules ./v/l ", ""},
		{"sparse worktree", "git init -q r; cd r; mkdir i o; echo a >i/a; echo b >o/b; " + commit + "git worktree add -q ../p -b side; cd ../p; git sparse-checkout set i", "./i/a ", ""},
		{"linked repository", "git init -q r; cd r; echo a >a; " + commit + "cd ..; mkdir p; mv r/.git g; mv r/a p; ln -s ../g p/.git", "./a ", ""},
		{"separate repository", "git init -q --separate-git-dir=g p; cd p; echo a >a; " + commit, "./a ", ""},
		{"links into another repository", "git init -q r; cd r; echo a >a; " + commit + "git gc -q; mkdir -p ../p/.git; cd ../p; for n in config objects refs packed-refs; do ln -s ../../r/.git/$n .git; done; cp ../r/.git/HEAD .git; git reset -q --hard",
			"./a ", ""},
		{"borrowed objects", "git init -q r; cd r; echo a >a; " + commit + "git gc -q; git clone -q --shared . ../s; git clone -q --shared ../s ../p; cd ../p; echo b >b; " + commit, "./a ./b ", ""},
		{"odd names", `git init -q p; cd p; echo 1 >"$(printf 'new\nline')"; echo 2 >"$(printf 'caf\351')"; echo 3 >'quo"te'; echo 4 >'tab	'; echo 5 >A; echo 6 >a; ` + commit + "echo 7 >' -'",
			"./ - ./A ./a ./caf\xe9 ./new?line ./quo\"te ./tab\t ", ""},
		{"replaced", "git init -q p; cd p; echo 1 >f; mkdir d l; echo 2 >d/x; echo 3 >l/y; " + commit + "rm f; mkdir f; echo 4 >f/z; rm -r d; echo 5 >d; rm -r l; ln -s f l; echo 6 >f/y",
			"./d ./f/y ./f/z ./l ", ""},
		{"submodule of a submodule", "git init -q in; cd in; echo i >i; " + commit + "cd ..; git init -q lib; cd lib; echo l >l; git submodule -q add ../in in; " + commit +
			"cd ..; git init -q p; cd p; git submodule -q add ../lib v; git submodule -q update --init --recursive; " + commit + "echo n >v/in/n",
			"./.gitmodules ./v/.gitmodules ./v/in/i ./v/in/n ./v/l ", ""},
		{"submodule with its repository in it", "git init -q lib; cd lib; echo l >l; " + commit + "cd ..; git init -q p; cd p; git clone -q ../lib v; git add v 2>/dev/null; " + commit, "./v/l ", ""},
		{"part with a submodule", "git init -q lib; cd lib; echo l >l; " + commit + "cd ..; git init -q r; cd r; mkdir d; git submodule -q add ../lib d/v; echo a >d/a; " + commit + "ln -s r/d ../p",
			"./a ./v/l ", "none"},
		{"worktree of another one within", "git init -q r; cd r; echo a >a; " + commit + "cd ..; git init -q p; cd p; echo b >b; " + commit + "git -C ../r worktree add -q ../p/w -b side", "./b ./w/a ", ""},
		{"worktree by a relative name", "git init -q r; cd r; echo a >a; " + commit + "git worktree add -q ../p -b side; echo gitdir: ../r/.git/worktrees/p >../p/.git; echo ../../../../p/.git >.git/worktrees/p/gitdir", "./a ", ""},
		{"sparse index", "git init -q p; cd p; mkdir i o; echo a >i/a; echo b >o/b; echo c >c; " + commit + "git sparse-checkout set --cone --sparse-index i", "./c ./i/a ", ""},
		{"large files elsewhere", "git init -q p; cd p; echo '*.bin filter=lfs diff=lfs merge=lfs -text' >.gitattributes; echo version >x.bin; " + commit +
			"mkdir -p .git/lfs/objects/ab; echo large >x.bin; echo large >.git/lfs/objects/ab/abc; git config filter.lfs.clean 'echo version #'; git config filter.lfs.required true", "./.gitattributes ./x.bin ", ""},
		{"shallow", "git init -q r; cd r; echo a >a; " + commit + "echo b >a; " + commit + "git clone -q --depth 1 file://$PWD ../p; git -C ../p config remote.origin.promisor true", "./a ", ""},
		{"conflict", "git init -q p; cd p; echo 1 >c; " + commit + "git checkout -qb s; echo 2 >c; " + commit + "git checkout -q main; echo 3 >c; " + commit + "git merge -q s >/dev/null || true", "./c ", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			sh(t, dir, tt.script)
			actual, err := filepath.EvalSymlinks(filepath.Join(dir, "p"))
			if err != nil {
				t.Fatal(err)
			}
			state := "git status --porcelain; git log --all --oneline | sort; git rev-parse --abbrev-ref HEAD || true"
			if tt.git == "none" || tt.name == "no repository" {
				state = ":"
			}
			if tt.git == "bare" {
				state = "git log --oneline"
			}
			before := sh(t, actual, state)
			to := copyOf(t, actual)
			if err := os.RemoveAll(dir); err != nil { // the guest does not have the rest
				t.Fatal(err)
			}
			if got := content(t, to); got != tt.want && tt.git != "bare" {
				t.Errorf("the copy has %q, want %q", got, tt.want)
			}
			if got := sh(t, to, state+"; git fsck --no-dangling --connectivity-only 2>&1 | grep -v notice || true"); state != ":" && strings.TrimSpace(got) != strings.TrimSpace(before) {
				t.Errorf("git says in the copy\n%s\nand in the original\n%s", got, before)
			}
		})
	}
}

// A hook's git has the hook's repository in its environment.
func TestFilesFromAHook(t *testing.T) {
	dir := t.TempDir()
	sh(t, dir, "git init -q other; echo o >other/o; git -C other add o; git init -q p; echo a >p/a; echo s >p/.git/info/exclude; echo s >p/s")
	t.Setenv("GIT_DIR", filepath.Join(dir, "other/.git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(dir, "other/.git/index"))
	t.Setenv("GIT_WORK_TREE", filepath.Join(dir, "other"))
	if names := names(t, filepath.Join(dir, "p")); !slices.Equal(names, []string{"a"}) {
		t.Errorf("the copy has %q", names)
	}
}

// What the repository has git run while it looks for files is not run.
func TestFilesRunNothing(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "ran")
	sh(t, dir, "git init -q p; cd p; echo a >a; git add a; printf '#!/bin/sh\ntouch "+mark+"\n' >../hook; chmod +x ../hook; git config core.fsmonitor ../hook")
	names(t, filepath.Join(dir, "p"))
	if exists(mark) {
		t.Error("the repository's fsmonitor was run")
	}
}

// What a repository says it needs is no way to a guest for what else is on the host.
func TestFilesOfNoRepository(t *testing.T) {
	dir := t.TempDir()
	sh(t, dir, `mkdir -p keys/ab keys/pack; for f in id id.pub ab/id pack/id; do echo secret >keys/$f; done
		git init -q p; cd p; ln -s ../../keys .git/keys; ln -s ../../../keys .git/refs/keys; rm -r .git/info; ln -s ../../keys .git/info
		echo ../../../keys >.git/objects/info/alternates; ln -s ../../keys/id .git/description2`)
	to := copyOf(t, filepath.Join(dir, "p"))
	if out := sh(t, to, "grep -rs secret . || true"); out != "" {
		t.Errorf("the copy has\n%s", out)
	}
}

// Where git cannot tell what it ignores, nothing is copied.
func TestFilesRefuse(t *testing.T) {
	for name, tt := range map[string]struct{ script, path, want string }{
		"a repository that is gone": {"mkdir p; echo 'gitdir: /nowhere' >p/.git", "", "/nowhere"},
		"no git":                    {"git init -q r; mkdir r/p; ln -s r/p p", "/nonexistent", "git is not installed"},
		"an unknown extension":      {"git init -q p; git -C p config core.repositoryFormatVersion 1; git -C p config extensions.future x", "", "found: future"},
		"another user's":            {"git init -q p; chown -R 65534 p", "", "safe.directory"},
		"a damaged index":           {"git init -q r; mkdir r/p; ln -s r/p p; echo x >r/.git/index", "", "index"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another user's" && os.Getuid() != 0 {
				t.Skip("needs root")
			}
			dir := t.TempDir()
			sh(t, dir, tt.script)
			if tt.path != "" {
				t.Setenv("PATH", tt.path)
			}
			if _, err := Files(t.Context(), filepath.Join(dir, "p")); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// What is no plain file, or has no end, is no part of a repository.
func TestFilesHoldNobodyUp(t *testing.T) {
	for name, tt := range map[string]struct{ script, want string }{
		"a pipe":           {"git init -q p; rm -f p/.git/config.worktree; mkfifo p/.git/config.worktree", "not a regular file"},
		"without an end":   {"git init -q p; truncate -s 300M p/.git/config.worktree", "is larger than"},
		"a .git of no end": {"mkdir p; truncate -s 300M p/.git", "is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			sh(t, dir, tt.script)
			l := &list{top: filepath.Join(dir, "p"), git: &git{}}
			dot := filepath.Join(l.top, dotGit)
			info, err := os.Lstat(dot)
			if err != nil {
				t.Fatal(err)
			}
			r, err := findRepository(dot, info)
			if err == nil {
				err = l.setWorkTree(dotGit, r)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestFilesWithoutGit(t *testing.T) {
	dir := t.TempDir()
	sh(t, dir, "mkdir p; echo a >p/a")
	t.Setenv("PATH", "/nonexistent")
	if names := names(t, filepath.Join(dir, "p")); !slices.Equal(names, []string{"a"}) {
		t.Errorf("the copy has %q", names)
	}
}

// git's own socket and a FIFO stop nothing.
func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	sh(t, dir, "git init -q p; echo a >p/a")
	if err := syscall.Mkfifo(filepath.Join(dir, "p/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if names := names(t, filepath.Join(dir, "p")); !slices.Contains(names, "a") {
		t.Errorf("the copy has %q", names)
	}
}

// A directory of no repository may be on a file system of its own.
func TestFilesOfAMount(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a file system cannot be mounted: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	sh(t, dir, "mkdir d; echo a >d/a")
	for _, at := range []string{dir, filepath.Join(dir, "d")} {
		if got := names(t, at); !slices.Contains(got, "a") && !slices.Contains(got, "d/a") {
			t.Errorf("%s has %q", at, got)
		}
	}
}

// What git would ignore is told of names that need not be there, and nothing where git
// keeps no files.
func TestIgnored(t *testing.T) {
	dir := t.TempDir()
	sh(t, dir, "git init -q .; printf 'out/\\n*.o\\n' >.gitignore; mkdir out")
	ask := []string{"a.o", "a.c", "out/", "out/x", "none/b.o", "none"}
	tree, err := List(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := tree.Ignored(t.Context(), ask)
	if got := slices.Sorted(maps.Keys(ignored)); err != nil || !tree.Tracked || !slices.Equal(got, []string{"a.o", "none/b.o", "out/", "out/x"}) {
		t.Errorf("%q are ignored, %v", got, err)
	}
	if tree, err = List(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if ignored, err := tree.Ignored(t.Context(), ask); err != nil || tree.Tracked || len(ignored) != 0 {
		t.Errorf("%v are ignored, %v", ignored, err)
	}
}

// names lists a directory's files, without those of repositories.
func names(t *testing.T, dir string) []string {
	t.Helper()
	files, err := Files(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		if !bytes.Contains([]byte(f.Name), []byte(dotGit)) {
			out = append(out, f.Name)
		}
	}
	return out
}

package imagemgr

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"banger/internal/process"
	"banger/internal/ref"
)

func TestMmdebstrapArgs(t *testing.T) {
	packages := "--include=" + strings.Join(bootPackages, ",")
	for _, c := range []struct {
		spec, mirror string
		root         bool
		want         []string
	}{
		{"bookworm", "", false, []string{"mmdebstrap", "--mode=unshare", "--format=tar", "--variant=minbase", packages, "bookworm", "-"}},
		{"bookworm", "http://mirror/debian", true, []string{"mmdebstrap", "--mode=root", "--format=tar", "--variant=minbase", packages, "bookworm", "-", "http://mirror/debian"}},
		{"trixie+g++,curl", "", true, []string{"mmdebstrap", "--mode=root", "--format=tar", "--variant=minbase", packages + ",g++,curl", "trixie", "-"}},
	} {
		got, err := mmdebstrapArgs(c.spec, c.root, c.mirror)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.spec, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "--verbose", "Bookworm", "a b", "bookworm+", "bookworm+,", "bookworm+-x", "bookworm+a b", "+curl", "bookworm+a,../b"} {
		if got, err := mmdebstrapArgs(bad, false, ""); err == nil {
			t.Errorf("%q: got %q, want an error", bad, got)
		}
	}
}

// fakeMmdebstrap puts a script in the place of mmdebstrap, with a tar beside
// it as $TAR.
func fakeMmdebstrap(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rootfs.tar"), makeTar(t, smallRootfs...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mmdebstrap"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TAR", filepath.Join(dir, "rootfs.tar"))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestPullMmdebstrap(t *testing.T) {
	fakeMmdebstrap(t, `echo "I: running apt-get update..." >&2; cat "$TAR"`)
	var steps []string
	i, err := testStore(t).Pull(t.Context(), PullOptions{
		Source: ref.Source{Transport: ref.Mmdebstrap, Rest: "bookworm"}, Name: "a",
		Progress: func(step string, _, _ int64) { steps = append(steps, step) },
	})
	if err != nil || i.Distro != "debian" || i.Source != "mmdebstrap:bookworm" {
		t.Errorf("got %+v, %v", i, err)
	}
	if !slices.Contains(steps, "running apt-get update") || !slices.Contains(steps, "read") {
		t.Errorf("the steps were %q", steps)
	}
}

func TestPullMmdebstrapFails(t *testing.T) {
	for what, c := range map[string]struct{ script, want string }{
		"the first error counts": {`echo "E: Unable to locate package x" >&2; echo "E: mmdebstrap failed to run" >&2; exit 1`, "mmdebstrap: Unable to locate package x"},
		"in the middle":          {`head -c 1000 "$TAR"; echo "E: tar failed" >&2; exit 1`, "mmdebstrap: tar failed"},
		"after all was written":  {`cat "$TAR"; echo "E: cleanup failed" >&2; exit 1`, "mmdebstrap: cleanup failed"},
		"without a word":         {`exit 25`, "mmdebstrap: exit status 25"},
		"a full disk":            {`echo "tar: ./x: Cannot write: No space left on device" >&2; echo "E: tar --extract failed: 512" >&2; exit 1`, "mmdebstrap: no space left on device"},
		"no subordinate ids":     {`echo "E: failed to parse /etc/subuid and /etc/subgid" >&2; exit 1`, "usermod --add-subuids"},
		"nothing written":        {`exit 0`, "empty input"},
		"half of it, in peace":   {`head -c 1000 "$TAR"`, "truncated"},
	} {
		t.Run(what, func(t *testing.T) {
			fakeMmdebstrap(t, c.script)
			s := testStore(t)
			_, err := pull(t.Context(), s, "mmdebstrap:bookworm", "a", nil)
			if err == nil || !strings.HasPrefix(err.Error(), "pull mmdebstrap:bookworm: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			checkEmpty(t, s)
		})
	}
}

// What mmdebstrap made may be refused while it still writes.
func TestPullMmdebstrapRefused(t *testing.T) {
	fakeMmdebstrap(t, `yes no tar`)
	_, err := pull(t.Context(), testStore(t), "mmdebstrap:bookworm", "a", nil)
	if err == nil || !strings.HasSuffix(err.Error(), ": not a tar") {
		t.Errorf("got %v", err)
	}
}

func TestPullMmdebstrapInterrupted(t *testing.T) {
	fakeMmdebstrap(t, `echo "I: running" >&2; exec sleep 1000`)
	ctx, cancel := context.WithCancel(t.Context())
	s := testStore(t)
	_, err := s.Pull(ctx, PullOptions{
		Source: ref.Source{Transport: ref.Mmdebstrap, Rest: "bookworm"}, Name: "a",
		Progress: func(string, int64, int64) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	checkEmpty(t, s)
}

func TestPullMmdebstrapMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := pull(t.Context(), testStore(t), "mmdebstrap:bookworm", "a", nil)
	if e, ok := errors.AsType[*process.NotFoundError](err); !ok || e.Program != "mmdebstrap" {
		t.Errorf("got %v", err)
	}
}

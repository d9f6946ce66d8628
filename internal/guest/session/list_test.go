package session

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
)

func TestList(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "top")
	must := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	must(os.Mkdir(dir, 0o750), os.Mkdir(dir+"/below", 0o755), os.Symlink("below", dir+"/link"), unix.Mkfifo(dir+"/pipe", 0o600))
	must(os.WriteFile(dir+"/a", []byte("four"), 0o644), os.Chmod(dir+"/a", 0o711|os.ModeSetuid), os.WriteFile(dir+"/below/deep", nil, 0o644))
	must(os.WriteFile(dir+"/\xff", nil, 0o600))
	for _, c := range []struct {
		path   string
		follow bool
		want   agentapi.Listing
	}{
		{dir + "/a", false, agentapi.Listing{FileInfo: agentapi.FileInfo{Name: "a", Type: "file", Mode: "4711", Size: 4}}},
		{dir + "/link", false, agentapi.Listing{FileInfo: agentapi.FileInfo{Name: "link", Type: "symlink", Mode: "0777", Target: "below"}}},
		{dir + "/link", true, agentapi.Listing{FileInfo: agentapi.FileInfo{Name: "link", Type: "directory", Mode: "0755"}, Entries: []agentapi.FileInfo{
			{Name: "deep", Type: "file", Mode: "0644"},
		}}},
		{dir, false, agentapi.Listing{FileInfo: agentapi.FileInfo{Name: "top", Type: "directory", Mode: "0750"}, Entries: []agentapi.FileInfo{
			{Name: "a", Type: "file", Mode: "4711", Size: 4}, {Name: "below", Type: "directory", Mode: "0755"},
			{Name: "link", Type: "symlink", Mode: "0777", Target: "below"}, {Name: "pipe", Type: "pipe", Mode: "0600"}, {Name: "\ufffd", Type: "file", Mode: "0600"},
		}}},
	} {
		got, err := list(c.path, c.follow)
		must(err)
		c.want.Path = c.path
		sizeOfFiles(&got.FileInfo)
		for i := range got.Entries {
			sizeOfFiles(&got.Entries[i])
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(time.Time{}, uint32(0))); diff != "" {
			t.Errorf("%s: %s", c.path, diff)
		}
	}
	if _, err := list(dir+"/none", true); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}

// sizeOfFiles leaves the size of files alone: of others it is the file system's own.
func sizeOfFiles(f *agentapi.FileInfo) {
	if f.Type != "file" {
		f.Size = 0
	}
}

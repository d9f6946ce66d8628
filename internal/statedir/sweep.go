package statedir

import (
	"os"
	"path/filepath"
	"strings"
)

// Sweep deletes what processes that are gone left in the roots: half-made and
// half-deleted entries, drafts of files, locks. It reads each tree's directory
// once, and leaves alone whatever a living process holds.
func (d Dirs) Sweep() {
	for _, t := range []Tree{
		d.KernelTree(), d.ImageTree(), d.VMTree(), d.SnapshotTree(), d.WarmTree(), d.MakingTree(), d.VolumeTree(), d.NetworkTree(), d.BlobTree(), d.CatalogTree(), d.BuildTree(),
		{Dir: d.AptDir()}, {Dir: filepath.Dir(d.VersionsFile())}, {Dir: d.Config}, {Dir: d.AgreedDir()},
	} {
		t.Sweep()
	}
	for _, t := range []Tree{d.VolumeTree(), d.NetworkTree()} { // whose files are written anew in their places
		t.sweepDrafts()
	}
}

// sweepDrafts deletes what writers that are gone left of files in the tree's entries.
func (t Tree) sweepDrafts() {
	names, _ := t.Names()
	for _, name := range names {
		for _, draft := range t.Drafts(name) {
			sweepLock(draft)
		}
	}
}

// Drafts are the files of the named entry that are being written, or were by a process
// that is gone.
func (t Tree) Drafts(name string) (paths []string) {
	entries, _ := os.ReadDir(t.Path(name))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) {
			paths = append(paths, t.Path(name, e.Name()))
		}
	}
	return paths
}

// Sweep is Dirs.Sweep for one tree, or for any directory that WriteFile writes
// to.
func (t Tree) Sweep() {
	entries, err := os.ReadDir(t.Dir)
	if err != nil {
		return // none was made yet, or it is not ours to look into
	}
	for _, e := range entries {
		path := filepath.Join(t.Dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), trashPrefix):
			os.RemoveAll(path)
		case strings.HasPrefix(e.Name(), stagePrefix):
			sweepStage(strings.TrimSuffix(path, lockSuffix))
		case strings.HasPrefix(e.Name(), lockPrefix), strings.HasPrefix(e.Name(), newPrefix):
			sweepLock(path)
		}
	}
}

// sweepStage deletes a stage whose maker is gone, with its lock. A power cut can
// leave either without the other.
func sweepStage(dir string) {
	lock, err := TryLock(dir + lockSuffix)
	if err != nil {
		return // its maker lives
	}
	os.RemoveAll(dir)
	lock.Remove()
}

// sweepLock deletes a file that is its own lock. Who opened it meanwhile notices
// when the lock comes, and makes another one.
func sweepLock(path string) {
	if lock, err := TryLock(path); err == nil {
		lock.Remove()
	}
}

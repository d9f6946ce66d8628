package vm

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// census is all that a VM could leave on its host, by kind.
type census map[string][]string

// takeCensus counts what is the host's own, and what of the machine a VM would
// change.
func (h *host) takeCensus() census {
	h.t.Helper()
	c := census{"process": h.processes()}
	kept := filepath.Join(h.home, ".cache") // what it holds is for the next command
	h.must(filepath.WalkDir(h.home, func(path string, _ fs.DirEntry, err error) error {
		if path == kept {
			return fs.SkipDir
		}
		c["file"] = append(c["file"], path)
		return err
	}))
	nics, err := os.ReadDir("/sys/class/net")
	h.must(err)
	for _, nic := range nics {
		c["network device"] = append(c["network device"], nic.Name())
	}
	for _, kind := range []string{"net", "user", "mnt"} {
		c[kind+" namespace"] = h.namespaces(kind)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	h.must(err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, h.home) {
			c["mount"] = append(c["mount"], strings.TrimSpace(line))
		}
	}
	sockets, err := os.ReadFile("/proc/net/unix")
	h.must(err)
	for line := range strings.Lines(string(sockets)) {
		if _, path, ok := strings.Cut(line, h.home); ok {
			c["socket"] = append(c["socket"], strings.TrimSpace(path))
		}
	}
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "banger-") {
			c["control group"] = append(c["control group"], path)
		}
		return nil
	})
	return c
}

// namespaces lists those of a kind that processes are in which have the host's home
// from their environment: others on the machine come and go.
func (h *host) namespaces(kind string) []string {
	links, _ := filepath.Glob("/proc/[0-9]*/ns/" + kind)
	seen := map[string]bool{}
	for _, link := range links {
		environment, _ := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(link)), "environ"))
		if name, err := os.Readlink(link); err == nil && strings.Contains(string(environment), "HOME="+h.home) { // or it has ended
			seen[name] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func TestTenVMsLeaveNothing(t *testing.T) {
	h := newHost(t)
	h.ok("vm", "run", "--rm", "--image", "debian", "--", "true") // makes what is made once
	before := h.takeCensus()
	const atOnce = 2
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for range 10 / atOnce {
				if r := h.banger("vm", "run", "--rm", "--image", "debian", "--", "true"); r.code != 0 {
					t.Errorf("exit %d: %s", r.code, r.stderr)
				}
			}
		})
	}
	all.Wait()
	h.wantCensus(before)
}

// foreign is what other processes of the machine have too, and may have for a moment.
const foreign = "network device"

// wantCensus fails where something is left that was not there before, or a file is gone.
func (h *host) wantCensus(before census) {
	h.t.Helper()
	after := h.takeCensus()
	for begin := time.Now(); len(left(before, after, foreign)) > 0 && time.Since(begin) < time.Minute; after = h.takeCensus() {
		time.Sleep(time.Second)
	}
	for _, what := range left(before, after, slices.Collect(maps.Keys(after))...) {
		h.t.Errorf("left behind: %s", what)
	}
	for _, file := range before["file"] {
		if !slices.Contains(after["file"], file) {
			h.t.Errorf("a file is gone: %s", file)
		}
	}
}

// left is what there is of some kinds that was not there before.
func left(before, after census, kinds ...string) (all []string) {
	for _, kind := range kinds {
		for _, thing := range after[kind] {
			if !slices.Contains(before[kind], thing) {
				all = append(all, kind+" "+thing)
			}
		}
	}
	return all
}

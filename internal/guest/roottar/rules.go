package roottar

import (
	"path"
	"strings"
)

// What of a machine is not the image's. Names are relative to the root.

// emptyDirs are directories whose content is left out.
var emptyDirs = []string{
	"dev", "proc", "sys", // the kernel's
	"tmp", "var/tmp",
	"var/lib/apt/lists", // out of date by the time they are used
	"var/log/journal",   // by machine-id, each in a directory of its own
}

// leftOutFiles are patterns of files that are left out, as path.Match has them.
var leftOutFiles = []string{
	"etc/ssh/ssh_host_*_key", "etc/ssh/ssh_host_*_key.pub", // the agent has others made
	"var/cache/apt/*.bin", "var/cache/apt/archives/*.deb", "var/cache/apt/archives/lock",
	"var/cache/apt/archives/partial/*",
	"var/lib/systemd/random-seed", "var/lib/systemd/credential.secret", // one for each machine
	"root/.bash_history",
}

// logs is where files become empty: their owners may be unable to make them
// again.
const logs = "var/log/"

func emptied(dir string) bool {
	for _, d := range emptyDirs {
		if dir == d {
			return true
		}
	}
	return false
}

func leftOut(name string) bool {
	for _, pattern := range leftOutFiles {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

func truncated(name string) bool { return strings.HasPrefix(name, logs) }

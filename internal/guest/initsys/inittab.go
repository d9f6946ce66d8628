package initsys

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// busyboxHasWork reports whether busybox's init would run anything useful here,
// by its table or, without one, by its script.
func busyboxHasWork(root string) bool {
	isProgram := func(path string) bool { return isProgram(root, path) }
	table, err := os.ReadFile(filepath.Join(root, "etc/inittab"))
	if err != nil {
		return isProgram("/etc/init.d/rcS")
	}
	return tableHasWork(string(table), isProgram)
}

// tableHasWork looks at an inittab, whose lines are id:runlevels:action:process.
// The sysinit lines bring the system up, so where there are any, one of their
// programs must be there; a login prompt alone is no work.
func tableHasWork(table string, isProgram func(path string) bool) bool {
	programs := map[string][]string{}
	for line := range strings.Lines(table) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 4)
		if len(fields) < 4 || strings.HasPrefix(line, "#") {
			continue
		}
		if command := strings.Fields(strings.TrimLeft(fields[3], "-")); len(command) > 0 {
			programs[fields[2]] = append(programs[fields[2]], command[0])
		}
	}
	if sysinit := programs["sysinit"]; len(sysinit) > 0 {
		return slices.ContainsFunc(sysinit, isProgram)
	}
	return slices.ContainsFunc(slices.Concat(programs["wait"], programs["once"], programs["respawn"]), isProgram)
}

// isProgram reports whether path, looked for as a shell would, can be executed.
func isProgram(root, path string) bool {
	dirs := []string{"/"}
	if !strings.Contains(path, "/") {
		dirs = []string{"/sbin", "/usr/sbin", "/bin", "/usr/bin"}
	}
	return slices.ContainsFunc(dirs, func(dir string) bool {
		info, err := os.Stat(filepath.Join(root, dir, path))
		return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	})
}

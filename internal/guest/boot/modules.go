package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/agentapi"

	"golang.org/x/sys/unix"
)

// loadModules loads files of the initramfs's module directory in order.
func loadModules(files []string) error {
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return fmt.Errorf("load modules: %w", err)
	}
	for _, file := range files {
		if err := loadModule(file, moduleParams(string(cmdline), file)); err != nil {
			return fmt.Errorf("load module %s: %w", file, err)
		}
	}
	return nil
}

func loadModule(file, params string) error {
	f, err := os.Open(filepath.Join("/", agentapi.ModulesDir, file))
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), params, 0)
	// Loaded or built in already; or a driver for hardware that is not there,
	// such as a processor's checksum instructions.
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if errors.Is(err, unix.ENOENT) {
		return errors.New("a module that it needs is missing") // an unknown symbol
	}
	return err
}

// moduleParams takes the parameters of the module in file from the kernel's
// command line, where they stand as module.param=value: the kernel itself
// hands them to built-in modules only.
func moduleParams(cmdline, file string) string {
	name, _, _ := strings.Cut(file, ".")
	var params []string
	for _, word := range splitCmdline(cmdline) {
		module, param, found := strings.Cut(word, ".")
		if found && sameModule(module, name) {
			params = append(params, param)
		}
	}
	return strings.Join(params, " ")
}

// sameModule compares as the kernel does: - and _ are one character.
func sameModule(a, b string) bool {
	return strings.ReplaceAll(a, "-", "_") == strings.ReplaceAll(b, "-", "_")
}

// splitCmdline splits at blanks that are not inside double quotes.
func splitCmdline(cmdline string) []string {
	quoted := false
	return strings.FieldsFunc(cmdline, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t' || r == '\n')
	})
}

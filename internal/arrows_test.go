package internal

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowed is the architecture: the packages of banger that each package may
// import. A package that is not here may not be there.
var allowed = map[string][]string{
	"cmd/banger":       {"internal/api", "internal/cli", "internal/engine", "internal/mcp"},
	"cmd/banger-agent": {"internal/guest"},

	"internal/cli": {
		"internal/artifact", "internal/secret", "internal/smallfile",
		"internal/agent", "internal/agent/filesync", "internal/agent/share", "internal/agentapi", "internal/catalog", "internal/config", "internal/devfile", "internal/doctor", "internal/engine", "internal/generate", "internal/imagebuild",
		"internal/imagemgr", "internal/jail", "internal/journal", "internal/kernel", "internal/network", "internal/ports", "internal/process", "internal/ref", "internal/registry",
		"internal/size", "internal/snapshot", "internal/statedir", "internal/usernet/policy", "internal/vm", "internal/vmm/firecracker", "internal/volume",
	},
	"internal/api": {
		"internal/agent", "internal/agent/filesync", "internal/agentapi", "internal/bearer", "internal/catalog", "internal/config", "internal/doctor", "internal/engine",
		"internal/imagebuild", "internal/imagemgr", "internal/journal", "internal/kernel", "internal/network", "internal/ports",
		"internal/ref", "internal/secret", "internal/size", "internal/snapshot", "internal/statedir", "internal/usernet/policy", "internal/vm", "internal/volume",
	},
	"internal/bearer": {},
	"internal/mcp":    {"internal/bearer", "internal/pattern", "internal/secret", "internal/engine", "internal/ports", "internal/ref", "internal/smallfile", "internal/statedir", "internal/usernet/policy", "internal/vm"},
	"sdk": {
		"internal/secret",
		"internal/agent", "internal/config", "internal/engine", "internal/imagemgr", "internal/kernel", "internal/network", "internal/ports", "internal/process", "internal/size",
		"internal/snapshot", "internal/statedir", "internal/vm", "internal/volume",
	},
	"internal/engine": {
		"internal/secret",
		"internal/agent",
		"internal/agent/filesync",
		"internal/agentapi",
		"internal/artifact",
		"internal/catalog",
		"internal/config",
		"internal/devfile",
		"internal/doctor",
		"internal/feature",
		"internal/fetch",
		"internal/format/tree",
		"internal/generate",
		"internal/hostname",
		"internal/imagebuild",
		"internal/imagecat",
		"internal/imagemgr",
		"internal/initramfs",
		"internal/journal",
		"internal/kernel",
		"internal/kernelcat",
		"internal/logfile",
		"internal/smallfile",
		"internal/network",
		"internal/ports",
		"internal/pattern",
		"internal/process",
		"internal/project",
		"internal/ref",
		"internal/size",
		"internal/snapshot",
		"internal/sshconfig",
		"internal/statedir",
		"internal/supervisor",
		"internal/usernet",
		"internal/usernet/peers",
		"internal/usernet/policy",
		"internal/vm",
		"internal/vmm",
		"internal/vmm/firecracker", "internal/vmm/kvm",
		"internal/vmm/pick",
		"internal/vmm/qemu",
		"internal/volume",
		"internal/warm",
	},
	"internal/imagebuild": {
		"internal/agentapi", "internal/agent", "internal/imagemgr", "internal/process", "internal/ref",
	},
	"internal/supervisor": {
		"internal/secret", "internal/usernet/edge",
		"internal/agent/link", "internal/agentapi", "internal/initramfs", "internal/journal", "internal/kernel", "internal/logfile", "internal/ports", "internal/process", "internal/statedir",
		"internal/usernet", "internal/usernet/policy", "internal/vm", "internal/vmm", "internal/volume",
	},
	"internal/agent/filesync": {"internal/format/tree"},
	"internal/agent":          {"internal/agent/filesync", "internal/agent/link", "internal/agentapi", "internal/format/packed", "internal/format/tarfile", "internal/format/tree"},
	"internal/agent/link":     {"internal/agentapi"},
	"internal/agent/share": {
		"internal/jail",
	},
	"internal/vm":       {"internal/secret", "internal/agentapi", "internal/format/vmdisk", "internal/journal", "internal/ports", "internal/pattern", "internal/process", "internal/ref", "internal/statedir", "internal/usernet/policy", "internal/vmm"},
	"internal/snapshot": {"internal/ref", "internal/statedir", "internal/vm", "internal/vmm"},
	"internal/volume":   {"internal/format/ext4", "internal/ref", "internal/statedir", "internal/vm"},
	"internal/warm":     {"internal/snapshot", "internal/statedir", "internal/usernet/policy"},
	"internal/vmm":      {"internal/statedir"},
	"internal/vmm/kvm":  {},
	"internal/vmm/pick": {"internal/process", "internal/vmm", "internal/vmm/firecracker", "internal/vmm/qemu"},
	"internal/vmm/firecracker": {
		"internal/agentapi", "internal/jail", "internal/pattern", "internal/process", "internal/statedir", "internal/vmm", "internal/vmm/kvm",
	},
	"internal/doctor":         {"internal/jail", "internal/process", "internal/size", "internal/vmm", "internal/vmm/kvm"},
	"internal/jail":           {"internal/process"},
	"internal/vmm/qemu":       {"internal/agentapi", "internal/process", "internal/vmm", "internal/vmm/kvm"},
	"internal/vmm/vmmtest":    {"internal/format/cpio", "internal/format/modules", "internal/process", "internal/vmm"},
	"internal/usernet/edge":   {"internal/hostname", "internal/secret"},
	"internal/usernet":        {"internal/agentapi", "internal/format/datagram", "internal/hostname", "internal/smallfile", "internal/usernet/edge", "internal/usernet/peers", "internal/usernet/policy"},
	"internal/network":        {"internal/agentapi", "internal/ref", "internal/statedir"},
	"internal/usernet/peers":  {},
	"internal/usernet/policy": {"internal/hostname"},
	"internal/initramfs":      {"internal/agentapi", "internal/format/cpio", "internal/format/modules"},
	"internal/imagemgr": {
		"internal/format/bundle", "internal/catalog", "internal/digest", "internal/format/ext4", "internal/fetch", "internal/imagecat", "internal/pattern", "internal/process",
		"internal/ref", "internal/registry", "internal/format/rootfs", "internal/statedir", "internal/format/tarfile",
	},
	"internal/kernel": {
		"internal/format/bundle", "internal/catalog", "internal/format/ext4", "internal/fetch", "internal/kernelcat", "internal/format/modules",
		"internal/pattern", "internal/process", "internal/ref", "internal/size", "internal/statedir", "internal/format/xz",
	},
	"internal/kernel/kerneltest": {},
	"internal/kernelcat":         {"internal/catalog"},
	"internal/imagecat":          {"internal/catalog", "internal/ref"},
	"internal/registry":          {"internal/digest", "internal/fetch", "internal/smallfile"},
	"internal/feature":           {"internal/format/tree", "internal/registry"},
	"internal/digest":            {},
	"internal/artifact":          {"internal/digest", "internal/registry"},
	"internal/catalog":           {"internal/artifact", "internal/fetch", "internal/format/bundle", "internal/pattern", "internal/ref", "internal/statedir"},
	"internal/project":           {"internal/process", "internal/smallfile"},
	"internal/sshconfig":         {},
	"internal/generate":          {"internal/ports"},
	"internal/devfile":           {"internal/pattern", "internal/ports", "internal/secret", "internal/ref", "internal/size", "internal/smallfile", "internal/usernet/policy", "internal/vm"},
	"internal/config":            {"internal/catalog", "internal/pattern", "internal/ports", "internal/size", "internal/smallfile", "internal/statedir", "internal/usernet/policy"},
	"internal/format/modules":    {"internal/format/xz", "internal/pattern", "internal/smallfile"},

	// The guest's side, which knows of the host's only what both agreed on.
	"internal/guest": {
		"internal/guest/boot", "internal/guest/login", "internal/guest/power", "internal/guest/service", "internal/guest/session", "internal/guest/share", "internal/guest/sshd",
	},
	"internal/guest/boot": {
		"internal/guest/trust",
		"internal/agentapi", "internal/format/ext4", "internal/format/vmdisk", "internal/guest/console", "internal/guest/disks", "internal/guest/dm", "internal/guest/entropy", "internal/guest/identity", "internal/guest/initsys",
		"internal/guest/network", "internal/guest/power", "internal/guest/service", "internal/guest/uevents",
	},
	"internal/guest/service": {
		"internal/guest/trust",
		"internal/agent/link", "internal/agentapi", "internal/guest/console", "internal/guest/entropy", "internal/guest/identity",
		"internal/guest/initsys", "internal/guest/linkd", "internal/guest/login", "internal/guest/network", "internal/guest/power", "internal/guest/reach",
		"internal/guest/restored", "internal/guest/roottar", "internal/guest/session", "internal/guest/share", "internal/guest/sshd", "internal/guest/tcpend",
	},
	"internal/guest/roottar":    {"internal/guest/trust", "internal/agentapi", "internal/format/tarfile", "internal/guest/dm", "internal/guest/identity"},
	"internal/guest/session":    {"internal/agent/filesync", "internal/agentapi", "internal/format/packed", "internal/format/tree", "internal/guest/account", "internal/guest/login", "internal/guest/terminal"},
	"internal/guest/sshd":       {"internal/agentapi", "internal/guest/account", "internal/guest/session", "internal/guest/usersocket"},
	"internal/guest/disks":      {"internal/format/ext4", "internal/guest/dm", "internal/guest/uevents"},
	"internal/guest/usage":      {"internal/agentapi"},
	"internal/guest/uevents":    {},
	"internal/guest/linkd":      {"internal/agent/link", "internal/agentapi", "internal/guest/disks", "internal/guest/session", "internal/guest/sockets", "internal/guest/tcpend", "internal/guest/usage", "internal/guest/usersocket"},
	"internal/guest/share":      {"internal/agent/link", "internal/agentapi", "internal/guest/account", "internal/guest/console"},
	"internal/guest/sockets":    {"internal/agentapi"},
	"internal/guest/usersocket": {"internal/guest/account"},
	"internal/guest/power":      {"internal/agentapi", "internal/guest/console", "internal/guest/disks"},
	"internal/guest/console":    {"internal/agentapi"},
	"internal/guest/identity":   {"internal/agentapi"},
	"internal/guest/initsys":    {"internal/agentapi"},
	"internal/guest/network":    {},
	"internal/guest/reach":      {"internal/agentapi", "internal/format/datagram", "internal/guest/sockets"},
	"internal/guest/dm":         {},
	"internal/guest/account":    {},
	"internal/guest/login":      {},
	"internal/guest/terminal":   {},
	"internal/guest/entropy":    {},
	"internal/guest/trust":      {"internal/agentapi"},
	"internal/guest/restored":   {"internal/agentapi"},
	"internal/guest/tcpend":     {},

	// At the bottom: these import nothing of banger's.
	"internal/format/rootfs":            {"internal/format/tarfile", "internal/format/xz"},
	"internal/format/ext4":              {"internal/format/tarfile"},
	"internal/format/tarfile":           {},
	"internal/format/tree":              {"internal/format/tarfile"},
	"internal/format/packed":            {},
	"internal/format/datagram":          {},
	"internal/format/bundle":            {},
	"internal/format/cpio":              {},
	"internal/fetch":                    {},
	"internal/format/xz":                {},
	"internal/statedir":                 {"internal/smallfile"},
	"internal/smallfile":                {},
	"internal/ref":                      {},
	"internal/pattern":                  {},
	"internal/hostname":                 {},
	"internal/secret":                   {"internal/hostname"},
	"internal/size":                     {"internal/pattern"},
	"internal/process":                  {},
	"internal/ports":                    {},
	"internal/agentapi":                 {},
	"internal/logfile":                  {},
	"internal/journal":                  {"internal/statedir"},
	"internal/format/ext4/ext4test":     {"internal/format/ext4"},
	"internal/format/vmdisk":            {"internal/format/ext4"},
	"internal/format/vmdisk/vmdisktest": {},
}

// pure packages know neither processes nor HTTP, in any of their imports.
var pure = []string{"internal/ref", "internal/format/bundle", "internal/format/cpio", "internal/format/modules", "internal/format/xz", "internal/format/rootfs", "internal/format/tarfile", "internal/format/tree", "internal/format/packed", "internal/format/datagram", "internal/format/ext4", "internal/format/vmdisk", "internal/agentapi", "internal/size", "internal/usernet/policy", "internal/secret"}

// faces are what users see of banger. They alone know of the modules in facesOnly.
var (
	faces     = []string{"cmd/banger", "internal/api", "internal/cli", "internal/mcp", "sdk"}
	facesOnly = []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term", "github.com/schollz/progressbar/v3", "github.com/modelcontextprotocol/go-sdk/mcp"}
)

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	readSources(t)
	out, err := exec.Command("go", "list", "-deps=false", "-json=ImportPath,Imports,Deps", "banger/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// readSources has go test know what this test depends on: results are cached by
// the files that a test itself reads, and not by those that go list does.
func readSources(t *testing.T) {
	t.Helper()
	for _, top := range []string{"../cmd", "../sdk", "."} {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".go" {
				_, err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestArrows(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "banger/")
		if name == "internal" || strings.HasPrefix(name, "test/") {
			continue // tests only
		}
		seen[name] = true
		may, known := allowed[name]
		if !known {
			t.Errorf("%s is not in the architecture", name)
			continue
		}
		for _, i := range p.Imports {
			if own, isOwn := strings.CutPrefix(i, "banger/"); isOwn && !slices.Contains(may, own) {
				t.Errorf("%s may not import %s", name, own)
			}
		}
		if slices.Contains(p.Imports, "os/exec") && name != "internal/process" && !strings.HasPrefix(name, "internal/guest/") {
			t.Errorf("%s runs programs without internal/process", name)
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("%s is in the architecture and not in the tree", name)
		}
	}
}

func TestPurePackages(t *testing.T) {
	for _, p := range listPackages(t) {
		if !slices.Contains(pure, strings.TrimPrefix(p.ImportPath, "banger/")) {
			continue
		}
		for _, forbidden := range []string{"os/exec", "net/http"} {
			if slices.Contains(p.Deps, forbidden) {
				t.Errorf("%s depends on %s", p.ImportPath, forbidden)
			}
		}
	}
}

// What banger does is the same whoever asks: only faces know of flags and
// terminals.
func TestFaceless(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "banger/")
		if slices.Contains(faces, name) || strings.HasPrefix(name, "test/") { // tests are their users
			continue
		}
		for _, forbidden := range facesOnly {
			if slices.Contains(p.Deps, forbidden) {
				t.Errorf("%s depends on %s", p.ImportPath, forbidden)
			}
		}
	}
}

// Faces have the engine in common and nothing else.
func TestFacesAreApart(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "banger/")
		if name == "cmd/banger" || !slices.Contains(faces, name) {
			continue
		}
		for _, other := range faces {
			if other != name && slices.Contains(p.Deps, "banger/"+other) {
				t.Errorf("%s depends on %s", name, other)
			}
		}
	}
}

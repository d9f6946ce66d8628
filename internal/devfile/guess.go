package devfile

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// kind is a kind of project, known by one of its files.
type kind struct {
	name     string
	files    []string // any of them, which may be patterns
	packages []string // Debian's
	setup    []string // by the first of files that is there; the last is for the others
}

// kinds are looked for in this order; a project may be of several.
var kinds = []kind{
	{"Go", []string{"go.mod"}, []string{"golang", "git", "ca-certificates"}, []string{"go mod download"}},
	{
		"Node", []string{"pnpm-lock.yaml", "yarn.lock", "package-lock.json", "package.json"},
		[]string{"nodejs", "npm", "git", "ca-certificates"},
		[]string{"npx --yes pnpm install --frozen-lockfile", "npx --yes yarn install --frozen-lockfile", "npm ci", "npm install"},
	},
	{
		"Python", []string{"requirements.txt", "pyproject.toml", "setup.py"},
		[]string{"python3", "python3-venv", "python3-pip", "git", "ca-certificates"},
		[]string{"python3 -m venv .venv && .venv/bin/pip install -r requirements.txt", "python3 -m venv .venv && .venv/bin/pip install -e ."},
	},
	{"Rust", []string{"Cargo.toml"}, []string{"cargo", "rustc", "git", "ca-certificates"}, []string{"cargo fetch"}},
	{"Ruby", []string{"Gemfile"}, []string{"ruby", "ruby-dev", "bundler", "build-essential", "git", "ca-certificates"}, []string{"bundle install"}},
	{"Java", []string{"pom.xml"}, []string{"default-jdk-headless", "maven", "git", "ca-certificates"}, []string{"mvn -q dependency:go-offline"}},
	{"CMake", []string{"CMakeLists.txt"}, []string{"build-essential", "cmake", "git"}, nil},
	{"make", []string{"Makefile", "GNUmakefile"}, []string{"build-essential", "git"}, nil},
}

// Guess writes a banger.toml for the project in dir, by what it looks like.
func Guess(dir string) string {
	var names, packages, setup []string
	for _, k := range kinds {
		at := slices.IndexFunc(k.files, func(name string) bool { return isFile(filepath.Join(dir, name)) })
		if at < 0 {
			continue
		}
		names = append(names, k.name)
		packages = append(packages, k.packages...)
		if len(k.setup) > 0 {
			setup = append(setup, k.setup[min(at, len(k.setup)-1)])
		}
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)

	var b strings.Builder
	b.WriteString("# The VM of this project: banger up, banger shell, banger down.\n")
	if isFile(filepath.Join(dir, "Dockerfile")) && len(names) == 0 {
		b.WriteString("dockerfile = \"Dockerfile\"\n")
	}
	if len(names) > 0 {
		fmt.Fprintf(&b, "\n# For %s.\npackages = %s\nsetup = %s\n", strings.Join(names, ", "), list(packages), list(setup))
	}
	b.WriteString(`
# image = "debian-bookworm"
# cpus = 2
# memory = "2G"
# disk = "8G"
# ports = ["8080"]
# start = ["make serve >/tmp/serve.log 2>&1 &"]
# egress = "public"

# [env]
# STAGE = "development"
`)
	return b.String()
}

// list writes an array of TOML's; none of what it is given has to be escaped.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = `"` + text + `"`
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

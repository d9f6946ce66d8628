package mcp

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"banger/internal/config"
	"banger/internal/engine"
)

var aServer = &server{Command: "/bin/banger", Args: []string{"mcp", "--allow", "a&b"}}

func TestJSON(t *testing.T) {
	put := inJSON("mcpServers")
	for name, tt := range map[string]struct{ before, after string }{
		"none yet":  {"", `{"mcpServers":{"banger":S}}`},
		"others":    {`{"z": 1e400, "a": {"k": "<&>"}, "mcpServers": {"other": {"x": [1]}}, "b": null}`, `{"z":1e400,"a":{"k":"<&>"},"mcpServers":{"other":{"x":[1]},"banger":S},"b":null}`},
		"an older":  {`{"mcpServers": {"banger": {"command": "old"}, "other": {}}}`, `{"mcpServers":{"banger":S,"other":{}}}`},
		"no server": {`{"mcpServers": {}}`, `{"mcpServers":{"banger":S}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := put([]byte(tt.before), "banger", aServer)
			want := strings.ReplaceAll(tt.after, "S", `{"command":"/bin/banger","args":["mcp","--allow","a&b"]}`)
			want = strings.ReplaceAll(want, `mcp{"command":"/bin/banger","args":["mcp","--allow","a&b"]}ervers`, "mcpServers")
			if err != nil || squeeze(string(got)) != want {
				t.Errorf("got %s, %v; want %s", squeeze(string(got)), err, want)
			}
			if again, err := put(got, "banger", aServer); err != nil || string(again) != string(got) {
				t.Errorf("a second time: %s, %v", again, err)
			}
			out, err := put(got, "banger", nil)
			if err != nil || strings.Contains(string(out), "banger") {
				t.Errorf("taken out: %s, %v", out, err)
			}
		})
	}
	for _, bad := range []string{"[]", "{", "{} {}", `{"mcpServers": {}, "mcpServers": {}}`, `{"mcpServers": {"banger": {}, "banger": {}}}`, `{"mcpServers": []}`, "{\"mcpServers\": // open\n", `"x"`} {
		if got, err := put([]byte(bad), "banger", aServer); err == nil {
			t.Errorf("%s became %s", bad, got)
		}
	}
}

// What a user wrote into a file stays as it is, to the byte, and is what it was when
// the server has been taken out.
func TestComments(t *testing.T) {
	const entry = "\"banger\": {\n\t\t\t\"command\": \"/bin/banger\",\n\t\t\t\"args\": [\n\t\t\t\t\"mcp\",\n\t\t\t\t\"--allow\",\n\t\t\t\t\"a&b\"\n\t\t\t]\n\t\t}"
	put := inJSON("servers")
	for name, tt := range map[string]struct{ before, after, taken string }{
		"comments": {
			"// mine\n{\n\t/* a */ \"inputs\": [1,2],\n\t\"servers\": {\n\t\t\"other\": {} // other's\n\t\t// the end\n\t}\n} // bye\n",
			"// mine\n{\n\t/* a */ \"inputs\": [1,2],\n\t\"servers\": {\n\t\t\"other\": {}, // other's\n\t\t// the end\n\t\t" + entry + "\n\t}\n} // bye\n", "",
		},
		"a comma at the end": {
			"{\n\t\"servers\": {\n\t\t\"other\": {}, // other's\n\t},\n}\n",
			"{\n\t\"servers\": {\n\t\t\"other\": {}, // other's\n\t\t" + entry + "\n\t},\n}\n",
			"{\n\t\"servers\": {\n\t\t\"other\": {} // other's\n\t},\n}\n",
		},
		"no section": {
			"{\n\t\"z\": 1e400, \"a\":null // all\n}\n",
			"{\n\t\"z\": 1e400, \"a\":null, // all\n\t\"servers\": {\n\t\t" + entry + "\n\t}\n}\n",
			"{\n\t\"z\": 1e400, \"a\":null, // all\n\t\"servers\": {\n\t}\n}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := put([]byte(tt.before), "banger", aServer)
			if err != nil || string(got) != tt.after {
				t.Fatalf("got %s, %v; want %s", got, err, tt.after)
			}
			if again, err := put(got, "banger", aServer); err != nil || string(again) != string(got) {
				t.Errorf("a second time: %s, %v", again, err)
			}
			if tt.taken == "" {
				tt.taken = tt.before
			}
			if out, err := put(got, "banger", nil); err != nil || string(out) != tt.taken {
				t.Errorf("taken out: %s, %v; want %s", out, err, tt.taken)
			}
		})
	}
	// A comment that may be of others stays where its server goes.
	out, err := put([]byte("{\"servers\": {/* of both */ \"banger\": {}, \"other\": {}}}"), "banger", nil)
	if err != nil || string(out) != "{\"servers\": {/* of both */ \"other\": {}}}" {
		t.Errorf("got %s, %v", out, err)
	}
}

func squeeze(text string) string {
	return strings.NewReplacer(" ", "", "\n", "").Replace(text)
}

func TestTOML(t *testing.T) {
	const section = "[mcp_servers.banger]\ncommand = \"/bin/banger\"\nargs = [\"mcp\", \"--allow\", \"a&b\"]\n"
	for name, tt := range map[string]struct{ before, after string }{
		"none yet": {"", section},
		"others":   {"# mine\nmodel = \"o\"\n\n[mcp_servers.other]\ncommand = \"x\" # y\n", "# mine\nmodel = \"o\"\n\n[mcp_servers.other]\ncommand = \"x\" # y\n\n" + section},
		"an older": {"[mcp_servers.banger]\ncommand = \"old\"\n[mcp_servers.banger.env]\nA = \"1\"\n[z]\nk = 1\n", "[z]\nk = 1\n\n" + section},
		"quoted":   {"[mcp_servers.\"banger\"]\ncommand = \"old\"\n", section},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := putTOML([]byte(tt.before), "banger", aServer)
			if err != nil || string(got) != tt.after {
				t.Errorf("got %q, %v; want %q", got, err, tt.after)
			}
			if again, err := putTOML(got, "banger", aServer); err != nil || string(again) != string(got) {
				t.Errorf("a second time: %q, %v", again, err)
			}
			out, err := putTOML(got, "banger", nil)
			if err != nil || strings.Contains(string(out), "banger") {
				t.Errorf("taken out: %q, %v", out, err)
			}
		})
	}
	for _, bad := range []string{"mcp_servers = {banger = {command = \"x\"}}\n", "[mcp_servers]\nbanger = {command = \"x\"}\n", "a = '''\n[mcp_servers.banger]\n'''\n[mcp_servers.banger]\ncommand = \"x\"\n", "a ="} {
		if got, err := putTOML([]byte(bad), "banger", aServer); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestInstall(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("CODEX_HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	file := filepath.Join(home, ".cursor/mcp.json")
	c := change{client: "cursor", name: "banger", server: aServer}
	var out strings.Builder
	if err := c.apply(&out); err != nil || !strings.Contains(out.String(), file) || !strings.Contains(out.String(), "--yes") {
		t.Fatalf("said %q, %v", out.String(), err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Fatal("it was written without a yes")
	}
	for name := range clients {
		c.client, c.yes = name, true
		if err := c.apply(&out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := (change{client: "cursor", name: "banger", yes: true}).apply(&out); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(file + backupSuffix)
	info, statErr := os.Stat(file)
	if err != nil || statErr != nil || string(kept) != string(before) || info.Mode().Perm() != 0o640 {
		t.Errorf("kept %q, %v, %v", kept, err, info)
	}
	if err := (change{client: "emacs"}).apply(&out); err == nil {
		t.Error("an unknown client was configured")
	}
}

func TestServerFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got, err := checkFlags([]string{"--host-dir", ".", "--image", "dev", "--mount=..:/data:ro", "--mount", "/srv/:/x"})
	want := []string{"--host-dir", dir, "--image", "dev", "--mount=" + filepath.Dir(dir) + ":/data:ro", "--mount", "/srv:/x"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, bad := range [][]string{{"--imagine"}, {"--cpus", "x"}, {"claude"}} {
		if got, err := checkFlags(bad); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

// What the user has configured for all VMs holds for an agent's too.
func TestConfiguredPolicy(t *testing.T) {
	c := Command(engine.New(engine.Options{Config: config.Config{Egress: "none", Allow: []string{"a.example"}, Deny: []string{"b.example"}}}))
	for flag, want := range map[string]string{"egress": "none", "allow": "[a.example]", "deny": "[b.example]"} {
		if got := c.Flags().Lookup(flag).Value.String(); got != want {
			t.Errorf("--%s is %s, want %s", flag, got, want)
		}
	}
}

// A client's configuration is no place for a secret, or for what depends on where
// the client is.
func TestSecretsOfServers(t *testing.T) {
	for given, want := range map[string]string{
		"TOKEN=hunter2@a.test":   "would be in the client's configuration",
		"TOKEN=hunter2":          "write NAME@HOST",
		"TOKEN=@relative@a.test": "whole path",
		"TOKEN=@/run/x@a.test":   "",
		"TOKEN@a.test":           "",
	} {
		flags, err := checkFlags([]string{"--secret", given})
		if want == "" {
			if err != nil || !slices.Contains(flags, given) {
				t.Errorf("%s: %q, %v", given, flags, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", given, err, want)
		}
	}
}

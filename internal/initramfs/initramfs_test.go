package initramfs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"banger/internal/agentapi"
)

// read takes a cpio archive apart, by the format's description and not by the
// code under test; it returns what follows the archive.
func read(t *testing.T, data []byte) (entries map[string]string, order []string, rest []byte) {
	t.Helper()
	entries = map[string]string{}
	at := 0
	field := func(i int) int {
		v, err := strconv.ParseUint(string(data[at+6+8*i:at+14+8*i]), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		return int(v)
	}
	for {
		if at%4 != 0 || string(data[at:at+6]) != "070701" {
			t.Fatalf("no header at %d: %q", at, data[at:min(len(data), at+6)])
		}
		mode, size, nameSize := field(1), field(6), field(11)
		name := string(data[at+110 : at+110+nameSize-1])
		body := (at + 110 + nameSize + 3) &^ 3
		next := (body + size + 3) &^ 3
		content := string(data[body : body+size])
		at = next
		if name == "TRAILER!!!" {
			return entries, order, data[at:]
		}
		entries[name] = fmt.Sprintf("%o %s", mode, content)
		order = append(order, name)
	}
}

// built writes an initramfs with a stand-in for the agent.
func built(t *testing.T, initrd string, program string, modules []module, settings agentapi.Settings) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := copyInitrd(&out, initrd); err != nil {
		t.Fatal(err)
	}
	if err := writeAgent(&out, strings.NewReader(program), int64(len(program)), modules); err != nil {
		t.Fatal(err)
	}
	if err := writeSettings(&out, settings); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestArchives(t *testing.T) {
	data := built(t, "", "the agent", nil, agentapi.Settings{Hostname: "box"})
	entries, order, rest := read(t, data)
	if entries["init"] != "100755 the agent" || entries["dev/console"] != "20600 " || entries["proc"] != "40755 " {
		t.Errorf("got %q", entries)
	}
	if slices.Index(order, "banger") > slices.Index(order, agentapi.ModulesDir) {
		t.Errorf("a directory comes after what is in it: %q", order)
	}
	entries, _, rest = read(t, rest)
	mode, content, _ := strings.Cut(entries[agentapi.SettingsPath], " ")
	var settings agentapi.Settings
	if err := json.Unmarshal([]byte(content), &settings); err != nil || settings.Hostname != "box" || mode != "100600" {
		t.Errorf("settings %q, %v", entries, err)
	}
	if len(rest) != 0 {
		t.Errorf("%d bytes follow", len(rest))
	}
}

// A kernel's own initrd may have any length; the archives after it may not
// begin anywhere.
func TestInitrdFirst(t *testing.T) {
	for size := range 9 {
		initrd := filepath.Join(t.TempDir(), "initrd")
		if err := os.WriteFile(initrd, bytes.Repeat([]byte("x"), size), 0o600); err != nil {
			t.Fatal(err)
		}
		data := built(t, initrd, "agent", nil, agentapi.Settings{})
		if !bytes.HasPrefix(data, bytes.Repeat([]byte("x"), size)) {
			t.Errorf("the initrd of %d bytes is not first", size)
		}
		if entries, _, _ := read(t, data[(size+3)&^3:]); entries["init"] == "" {
			t.Errorf("no agent after an initrd of %d bytes", size)
		}
	}
}

func TestModulesInLoadingOrder(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"modules.boot":      "kernel/virtio.ko\nkernel/virtio-blk.ko\nkernel/overlay.ko\n",
		"kernel/overlay.ko": "O", "kernel/virtio-blk.ko": "B", "kernel/virtio.ko": "V", "kernel/other.ko": "X",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := bootModules(dir, agentapi.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, m := range found {
		files = append(files, m.name)
	}
	if want := []string{"virtio.ko", "virtio_blk.ko", "overlay.ko"}; !slices.Equal(files, want) {
		t.Errorf("got %q, want %q", files, want)
	}
	entries, _, _ := read(t, built(t, "", "agent", found, agentapi.Settings{}))
	if entries[agentapi.ModulesDir+"/virtio_blk.ko"] != "100644 B" || entries[agentapi.ModulesDir+"/virtio.ko"] != "100644 V" || entries[agentapi.ModulesDir+"/other.ko"] != "" {
		t.Errorf("got %q", entries)
	}
	if found, err := bootModules("", agentapi.Settings{}); err != nil || found != nil {
		t.Errorf("a kernel without modules: %v, %v", found, err)
	}
	if _, err := bootModules(t.TempDir(), agentapi.Settings{}); err == nil {
		t.Error("a directory without an index passed")
	}
}

// What swap takes is loaded apart from what the guest boots with, and only what the
// kernel has as modules.
func TestSwapModules(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"modules.dep":    "kernel/zram.ko: kernel/zsmalloc.ko kernel/virtio.ko\nkernel/zsmalloc.ko:\nkernel/virtio.ko:\n",
		"kernel/zram.ko": "Z", "kernel/zsmalloc.ko": "S",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	boot := []module{{name: "virtio.ko"}}
	all, err := swapModules(boot, dir)
	if err != nil || !slices.Equal(names(all), []string{"virtio.ko", "zsmalloc.ko", "zram.ko"}) {
		t.Errorf("got %q, %v", names(all), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "modules.dep"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{dir, ""} {
		if all, err := swapModules(boot, dir); err != nil || len(all) != 1 {
			t.Errorf("a kernel without zram: got %q, %v", names(all), err)
		}
	}
}

func TestBuildNeedsTheAgent(t *testing.T) {
	var out bytes.Buffer
	err := Build(&out, Options{})
	if _, _, agentErr := agent(); agentErr != nil {
		if err == nil || out.Len() > 0 {
			t.Errorf("built without an agent: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if entries, _, _ := read(t, out.Bytes()); !strings.HasPrefix(entries["init"], "100755 \x7fELF") {
		t.Error("the agent is no program")
	}
	if err := Build(&out, Options{Initrd: "/no/such/initrd"}); err == nil {
		t.Error("built on an initrd that is not there")
	}
}

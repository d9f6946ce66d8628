package firecracker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// model is a type of Firecracker's API description
// (src/firecracker/swagger/firecracker.yaml, the same from v1.8 to v1.14): its
// properties with their types, "!" where one is required. What is in
// parentheses is all that a string may be.
type model map[string]string

var models = map[string]model{
	"FullVmConfiguration": {
		"boot-source": "BootSource", "machine-config": "MachineConfiguration", "drives": "[]Drive",
		"network-interfaces": "[]NetworkInterface", "entropy": "EntropyDevice",
	},
	"BootSource":           {"kernel_image_path": "string!", "initrd_path": "string", "boot_args": "string"},
	"MachineConfiguration": {"vcpu_count": "integer!", "mem_size_mib": "integer!", "smt": "boolean", "track_dirty_pages": "boolean"},
	"Drive": {
		"drive_id": "string!", "is_root_device": "boolean!", "is_read_only": "boolean", "path_on_host": "string",
		"partuuid": "string", "cache_type": "(Unsafe Writeback)", "io_engine": "(Sync Async)",
	},
	"NetworkInterface": {"iface_id": "string!", "host_dev_name": "string!", "guest_mac": "string"},
	"EntropyDevice":    {"rate_limiter": "RateLimiter"},
	"PartialDrive":     {"drive_id": "string!", "path_on_host": "string"},
	"Vm":               {"state": "(Paused Resumed)!"},
	"SnapshotCreateParams": {
		"mem_file_path": "string!", "snapshot_path": "string!", "snapshot_type": "(Full Diff)",
	},
	"SnapshotLoadParams": {
		"snapshot_path": "string!", "mem_backend": "MemoryBackend", "resume_vm": "boolean",
	},
	"MemoryBackend": {"backend_type": "(File Uffd)!", "backend_path": "string!"},
}

// conform lists what keeps a value from being of a type.
func conform(kind, at string, value any) (faults []string) {
	if element, ok := strings.CutPrefix(kind, "[]"); ok {
		list, ok := value.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %T, no list", at, value)}
		}
		for i, v := range list {
			faults = append(faults, conform(element, fmt.Sprintf("%s[%d]", at, i), v)...)
		}
		return faults
	}
	if m, ok := models[kind]; ok {
		return m.conform(at, value)
	}
	if !isA(kind, value) {
		return []string{fmt.Sprintf("%s is %v, want %s", at, value, kind)}
	}
	return nil
}

func (m model) conform(at string, value any) (faults []string) {
	object, ok := value.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s is %T, no object", at, value)}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		kind, known := m[name]
		if !known {
			faults = append(faults, at+" has the unknown "+name)
			continue
		}
		kind, _ = strings.CutSuffix(kind, "!")
		faults = append(faults, conform(kind, at+"."+name, object[name])...)
	}
	for name, kind := range m {
		if _, required := strings.CutSuffix(kind, "!"); required && object[name] == nil {
			faults = append(faults, at+" lacks "+name)
		}
	}
	return faults
}

func isA(kind string, value any) bool {
	switch v := value.(type) {
	case string:
		if list, ok := strings.CutPrefix(strings.TrimSuffix(kind, ")"), "("); ok {
			return slices.Contains(strings.Fields(list), v)
		}
		return kind == "string"
	case bool:
		return kind == "boolean"
	case float64:
		return kind == "integer" && v == float64(int64(v))
	}
	return false
}

func check(t *testing.T, kind string, data []byte) []string {
	t.Helper()
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return conform(kind, kind, value)
}

func TestConfigIsOfTheModel(t *testing.T) {
	data, err := Config(sample)
	if err != nil {
		t.Fatal(err)
	}
	if faults := check(t, "FullVmConfiguration", data); len(faults) > 0 {
		t.Error(faults)
	}
	for _, body := range []struct {
		kind  string
		value any
	}{
		{"Vm", vmState{paused}}, {"Vm", vmState{resumed}}, {"PartialDrive", partialDrive{"disk2", diskName(2)}},
		{"SnapshotCreateParams", saveTo()}, {"SnapshotLoadParams", loadFrom("/s/box")},
	} {
		data, err := json.Marshal(body.value)
		if err != nil {
			t.Fatal(err)
		}
		if faults := check(t, body.kind, data); len(faults) > 0 {
			t.Error(faults)
		}
	}
}

// The check itself finds what is wrong.
func TestModelRefuses(t *testing.T) {
	for kind, data := range map[string]string{
		"Vm":                   `{"state":"Stopped"}`,
		"BootSource":           `{"boot_args":"x"}`,
		"MachineConfiguration": `{"vcpu_count":"2","mem_size_mib":128}`,
		"FullVmConfiguration":  `{"drives":[{"drive_id":"a","is_root_device":false,"cache_type":"None"}]}`,
		"NetworkInterface":     `{"iface_id":"a","host_dev_name":"b","bridge":"c"}`,
		"EntropyDevice":        `[]`,
	} {
		if faults := check(t, kind, []byte(data)); len(faults) != 1 {
			t.Errorf("%s %s: %q", kind, data, faults)
		}
	}
}

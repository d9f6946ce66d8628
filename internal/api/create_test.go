package api

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"banger/internal/format/ext4/ext4test"
	"banger/internal/kernel/kerneltest"
	"banger/internal/secret"
	"banger/internal/vm"
)

// A key stands for one request: asked again, the VM that was made is the answer, also
// by another server, and another request with it is refused.
func TestIdempotencyKey(t *testing.T) {
	s, server := newServer(t)
	s.engine.Supervisor = []string{"/bin/sh", "-c", "exit 1"}
	kernel := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(kernel, kerneltest.Vmlinux("6.12.1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, of := range [][2]string{
		{"kernels", fmt.Sprintf(`{"name": "k", "from": %q}`, kernel)},
		{"images", fmt.Sprintf(`{"name": "i", "rootfs": %q}`, ext4test.Empty(t))},
	} {
		if status, _, text := ask(t, server, "POST", "/v1/imports/"+of[0], of[1]); status != 201 {
			t.Fatalf("%s: %d %s", of[0], status, text)
		}
	}
	const body = `{"image": "i", "kernel": "k", "labels": {"banger.idempotency-key": "mine"}}`
	create := func(body, key string, want int) (made vm.VM) {
		t.Helper()
		status, _, text := ask(t, server, "POST", "/v1/vms", body, "Idempotency-Key", key)
		if err := json.Unmarshal([]byte(text), &made); err != nil || status != want {
			t.Errorf("%s with key %s: %d, want %d: %s", body, key, status, want, text)
		}
		return made
	}
	one := create(body, "one", 201)
	if again := create(body, "one", 201); again.Name != one.Name {
		t.Errorf("%s was made, and then %s", one.Name, again.Name)
	}
	if two := create(body, "two", 201); two.Name == one.Name {
		t.Error("two keys made one VM")
	}
	create(strings.Replace(body, `"i"`, `"i", "cpus": 3`, 1), "one", 422)
	create(body, strings.Repeat("x", 300), 400)

	// One that its server did not live to start is started, and stays where that fails.
	starts := newVM{Image: "i", Kernel: "k", Start: true}
	o, err := s.options(starts)
	if err != nil {
		t.Fatal(err)
	}
	o.Labels = vm.Labels{keyLabel: "three", bodyLabel: starts.digest()}
	left, err := s.engine.CreateVM(t.Context(), o, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	create(`{"image": "i", "kernel": "k", "start": true}`, "three", 500)
	if _, err := s.engine.VM(left.Name); err != nil {
		t.Error(err)
	}
}

// What is kept of a request does not tell its secrets.
func TestDigestWithoutSecrets(t *testing.T) {
	of := func(value secretValue, host string) string {
		n := newVM{Secrets: []newSecret{{Name: "T", Value: value, Hosts: secretHosts{host}}}}
		defer func() {
			if n.Secrets[0].Value != value {
				t.Error("the request lost its secret")
			}
		}()
		return n.digest()
	}
	if of("a", "x.test") != of("b", "x.test") || of("a", "x.test") == of("a", "y.test") {
		t.Error("the digest is of the value, or not of the rest")
	}
}

// The description says of a secret's value what is taken for one.
func TestSecretPattern(t *testing.T) {
	described := regexp.MustCompile(secretPattern)
	for _, value := range []string{"a", "a b", "a\n", "a\r\n", "a\nb", "\x7f", "a\x00", " a", "a ", "\u00a0a", "a\u2003", "\u0085a", "a\u0085b", "é", "aé", "p\u0301"} {
		if _, err := secret.NewValue(value); (err == nil) != described.MatchString(value) {
			t.Errorf("%q: %v", value, err)
		}
	}
}

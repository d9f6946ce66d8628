package catalog

import (
	"strings"
	"testing"
)

func TestCheckIdentity(t *testing.T) {
	if err := CheckIdentity("thing", "debian-6.1", "debian", "x86_64"); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ name, distro, arch, want string }{
		{"../a", "debian", "x86_64", "thing name"},
		{"a", "", "x86_64", "is no distribution"},
		{"a", "debian", "arm64", `the architecture "arm64" is not known`},
	} {
		if err := CheckIdentity("thing", tt.name, tt.distro, tt.arch); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
}

func TestCheckPromise(t *testing.T) {
	artifact := "oci://h.example/a@sha256:" + strings.Repeat("0b", 32)
	promise := func(url string) Promise {
		return Promise{URL: url, SHA256: strings.Repeat("0a", 32), Size: 123}
	}
	for _, url := range []string{"https://h.example/x?a=1&b=2", "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:1/x", artifact} {
		if err := promise(url).Check(false); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := promise("http://h.example/x").Check(true); err != nil {
		t.Errorf("insecure: %v", err)
	}
	for what, tt := range map[string]struct {
		edit func(*Promise)
		want string
	}{
		"short digest":   {func(p *Promise) { p.SHA256 = "0a" }, "is no SHA-256"},
		"capital digest": {func(p *Promise) { p.SHA256 = strings.Repeat("0A", 32) }, "is no SHA-256"},
		"long digest":    {func(p *Promise) { p.SHA256 += "\n" }, "is no SHA-256"},
		"size":           {func(p *Promise) { p.Size = 0 }, "is no size"},
		"http":           {func(p *Promise) { p.URL = "http://h.example/x" }, "only https is fetched"},
		"file":           {func(p *Promise) { p.URL = "file://h/etc/passwd" }, "is no https URL"},
		"path":           {func(p *Promise) { p.URL = "x.tar.zst" }, "is no https URL"},
		"no digest":      {func(p *Promise) { p.URL = "oci://h.example/a:v1" }, "is no reference by digest"},
		"no registry's":  {func(p *Promise) { p.CosignKey = "x" }, "is in none"},
		"no key":         {func(p *Promise) { p.URL, p.CosignKey = artifact, "x" }, "it is no public key"},
	} {
		p := promise("https://h.example/x")
		tt.edit(&p)
		if err := p.Check(false); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want ... %s", what, err, tt.want)
		}
	}
}

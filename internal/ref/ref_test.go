package ref

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	good := []string{"a", "0", "debian-6.1", "a_b", strings.Repeat("x", 63)}
	for _, name := range good {
		if err := CheckName("vm", name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	bad := []string{"", ".", "-a", "a-", "a..b", "A", "a/b", "a b", "ä", "a\n", "a\x00b", "../x", strings.Repeat("x", 64)}
	for _, name := range bad {
		var fault *NameError
		if err := CheckName("vm", name); !errors.As(err, &fault) || fault.Kind != "vm" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestParseSource(t *testing.T) {
	tests := map[string]Source{
		"generic-6.12":                         {Catalog, "generic-6.12"},
		"docker.io/library/alpine:3.20":        {Registry, "docker.io/library/alpine:3.20"},
		"docker://alpine":                      {Registry, "alpine"},
		"alpine:3.20":                          {Registry, "alpine:3.20"},
		"alpine@sha256:00":                     {Registry, "alpine@sha256:00"},
		"oci:dir:tag":                          {OCI, "dir:tag"},
		"oci:///a/dir":                         {OCI, "///a/dir"},
		"oci://ghcr.io/org/mine:v1":            {Artifact, "ghcr.io/org/mine:v1"},
		"oci-archive:f.tar":                    {OCIArchive, "f.tar"},
		"docker-archive:f":                     {DockerArchive, "f"},
		"dir:/a/b":                             {Dir, "/a/b"},
		"tar:rootfs.tar":                       {Tar, "rootfs.tar"},
		"tar:-":                                {Tar, "-"},
		"-":                                    {Tar, "-"},
		"mmdebstrap:bookworm+curl,git":         {Mmdebstrap, "bookworm+curl,git"},
		"apt:linux-image-cloud-amd64":          {Apt, "linux-image-cloud-amd64"},
		"localhost:5000/x":                     {Registry, "localhost:5000/x"},
		"docker://localhost:5000/x@sha256:abc": {Registry, "localhost:5000/x@sha256:abc"},
	}
	for text, want := range tests {
		got, err := ParseSource(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "tar:", "oci:", "oci://", "apt:", "docker://", "UPPER", "a b"} {
		if got, err := ParseSource(text); err == nil {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

// A reference that was parsed is parsed the same again when printed.
func FuzzParseSource(f *testing.F) {
	for _, seed := range []string{"a", "-", "tar:-", "docker://x/y:z", "oci:d:t", "apt:p", "mmdebstrap:s+p", "x@sha256:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSource(text)
		if err != nil {
			return
		}
		if s.Transport == Catalog && CheckName("catalog", s.Rest) != nil {
			t.Errorf("%q became the catalog name %q", text, s.Rest)
		}
		if s.Transport == Registry {
			return // printed without a transport, as users write it
		}
		again, err := ParseSource(s.String())
		if err != nil || again != s {
			t.Errorf("%q: %+v became %+v, %v", text, s, again, err)
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"debian-bookworm", "debian-trixie", "alpine", "dev"}
	tests := map[string]string{
		"debian-bokworm": "debian-bookworm",
		"alpin":          "alpine",
		"dve":            "dev",
		"":               "",
		"nothing-alike":  "",
	}
	for name, want := range tests {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if got := Nearest("x", nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

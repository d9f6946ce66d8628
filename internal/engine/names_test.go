package engine

import (
	"errors"
	"testing"

	"banger/internal/ref"
)

func TestMadeUpName(t *testing.T) {
	for _, from := range []string{"/home/u/My Project!", "debian-bookworm", "/tmp/ä", "", "a-very-long-name-of-a-project-that-cuts-at-a-dash"} {
		name := madeUpName(from)
		if err := ref.CheckName("vm", name); err != nil {
			t.Errorf("%q: %v", from, err)
		}
		if err := ref.CheckName("vm", "build-"+name); err != nil {
			t.Errorf("%q: %v", from, err)
		}
	}
}

func TestImageName(t *testing.T) {
	for reference, want := range map[string]string{
		"tar:/x/Root FS.tar.gz":     "root-fs",
		"oci:layout":                "layout",
		"ghcr.io/org/dev:v2":        "dev-v2",
		"docker-archive:box.tar.xz": "box",
	} {
		source, err := ref.ParseSource(reference)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := imageName(source); err != nil || got != want {
			t.Errorf("%s: got %q, %v", reference, got, err)
		}
	}
	if _, err := imageName(ref.Source{Transport: ref.Tar, Rest: "-"}); !errors.As(err, new(*NoNameError)) {
		t.Errorf("got %v", err)
	}
}

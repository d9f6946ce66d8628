package imagemgr

import (
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestMediaTypes(t *testing.T) {
	for kind, want := range map[types.MediaType]bool{
		"application/vnd.docker.image.rootfs.diff.tar.zstd":            true,
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip":    true,
		"Application/VND.OCI.image.layer.v1.tar+gzip; charset=utf-8":   true,
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": true,
		"application/vnd.cncf.helm.chart.content.v1.tar+gzip":          false,
		"application/vnd.oci.image.layer.v1.tar+gzip+encrypted":        false,
		"application/vnd.docker.container.image.rootfs.diff+x-gtar":    true,
		"application/vnd.oci.image.layer.nydus.blob.v1":                false,
		"application/vnd.oci.image.layer.v1.erofs":                     false,
	} {
		if got := mayBeLayer(kind); got != want {
			t.Errorf("layer of type %q: %t", kind, got)
		}
	}
	for _, kind := range []types.MediaType{"", "text/html", "application/octet-stream", "application/vnd.oci.image.config.v1+json; a=b"} {
		if !mayBeConfig(kind) {
			t.Errorf("configuration of type %q is refused", kind)
		}
	}
}

func TestOldConfigurations(t *testing.T) {
	for text, want := range map[string]Config{
		`{"architecture": "x86_64", "os": "linux", "config": {"Entrypoint": "/run me", "Cmd": ""}}`:           {Entrypoint: []string{"/run me"}},
		`{"os": "linux", "config": {"Entrypoint": null, "Cmd": ["a", "b"], "User": "u", "WorkingDir": null}}`: {Cmd: []string{"a", "b"}, User: "u"},
		`{"config": null}`: {},
		`{"os": "Linux", "created": "", "history": [{"created": 0, "created_by": ["x"]}], "os.features": "",
			"config": {"Cmd": ["a"], "Volumes": ["/data"], "ExposedPorts": {"80/tcp": ""}, "Healthcheck": {"Interval": "30s"}, "OnBuild": "x"}}`: {Cmd: []string{"a"}},
		`{}`: {},
	} {
		if runtime.GOARCH == "arm64" {
			text = strings.ReplaceAll(text, "x86_64", "aarch64")
		}
		config, err := readConfig([]byte(text), 0)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(&want, config.honoured(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	if _, err := readConfig([]byte(`{"config": {"Cmd": 5}}`), 0); err == nil {
		t.Error("a number is taken for a command")
	}
}

func TestPlatformsOfAnIndex(t *testing.T) {
	on := func(arch, variant string) v1.Descriptor {
		return v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch, Variant: variant}}
	}
	attestation := on("amd64", "")
	attestation.Annotations = map[string]string{referenceType: "attestation-manifest"}
	want := platform().Architecture
	lazy := on(want, "")
	lazy.Platform.OSFeatures = []string{"nydus.remoteimage.v1"}
	said, unsaid, others := sortManifests([]v1.Descriptor{lazy, attestation, {}, on(want, "v1"), on(want, ""), on(want, "v99"), on("s390x", ""), {Platform: &v1.Platform{OS: "unknown"}}})
	if len(said) < 2 || said[0].Platform.Variant != "" || len(said[0].Platform.OSFeatures) > 0 || len(unsaid) != 1 || len(others) != 1 {
		t.Errorf("said %v, unsaid %v, others %v", said, unsaid, others)
	}
}

func TestOneImageUnderTwoTags(t *testing.T) {
	d := v1.Descriptor{Digest: hashOf(nil), Annotations: map[string]string{refName: "a"}}
	e := v1.Descriptor{Digest: hashOf(nil), Annotations: map[string]string{refName: "b", "io.containerd.image.name": "docker.io/library/app:b"}}
	for tag, want := range map[string]int{"": 1, "docker.io/library/app:b": 1, "@1": 1, "@2": 0, "c": 0} {
		if got, err := pick([]v1.Descriptor{d, e}, tag); len(got) != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %v, %v", tag, got, err)
		}
	}
}

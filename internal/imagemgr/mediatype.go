package imagemgr

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// manifestKind is what a manifest is.
type manifestKind int

const (
	imageManifest manifestKind = iota
	indexManifest
)

// kindOf reports what a manifest is by what it holds: types are said wrongly, and
// with parameters, by registries and in layouts, and OCI manifests may say none.
// Its digest vouches for the content.
func kindOf(raw []byte) (manifestKind, error) {
	var m struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		Config        json.RawMessage `json:"config"`
		Manifests     json.RawMessage `json:"manifests"`
		FSLayers      json.RawMessage `json:"fsLayers"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return 0, fmt.Errorf("read the manifest: %w", err)
	}
	plain := plainType(types.MediaType(m.MediaType))
	switch {
	case strings.HasPrefix(plain, "application/vnd.docker.distribution.manifest.v1+"), m.SchemaVersion == 1 || m.FSLayers != nil:
		return 0, errors.New("its manifest is of Docker's schema 1, which is too old: push it again with a current tool")
	case plain != "" && !strings.HasPrefix(plain, "application/vnd.oci.image.") && !strings.HasPrefix(plain, "application/vnd.docker.distribution.manifest"):
		return 0, &artifactError{fmt.Sprintf("its manifest is of type %q, which is no image", m.MediaType)}
	case m.Manifests != nil && m.Config != nil:
		return 0, errors.New("its manifest is an index and an image at the same time")
	case m.Manifests != nil:
		return indexManifest, nil
	case m.Config != nil:
		return imageManifest, nil
	}
	return 0, &artifactError{fmt.Sprintf("its manifest is of type %q, which is no image", m.MediaType)}
}

// plainType is a media type in lower case and without parameters.
func plainType(kind types.MediaType) string {
	plain, _, err := mime.ParseMediaType(string(kind))
	if err != nil {
		plain, _, _ = strings.Cut(string(kind), ";")
		plain = strings.ToLower(strings.TrimSpace(plain))
	}
	return plain
}

// mayBeConfig reports whether an image's configuration may be of a type: what
// moby takes, which wrote some of them by mistake. Anything else is an
// artifact's.
func mayBeConfig(kind types.MediaType) bool {
	switch plain := plainType(kind); plain {
	case "", "application/octet-stream", "application/json", "text/html", "text/plain":
		return true
	case "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json",
		"application/vnd.docker.container.image.rootfs.config+json":
		return true
	}
	return false
}

// mayBeLayer reports whether a layer may be of a type: a tar, compressed in
// whatever way, of OCI's or Docker's. What it is, its first bytes say.
func mayBeLayer(kind types.MediaType) bool {
	plain := plainType(kind)
	if strings.Contains(plain, "encrypted") {
		return false
	}
	for _, known := range []string{"application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.", "application/vnd.docker.container.image.rootfs.diff"} {
		if strings.HasPrefix(plain, known) {
			return strings.Contains(plain, "tar") // and not nydus' blobs, or a file system
		}
	}
	for _, known := range []string{"application/x-tar", "application/x-gtar", "application/tar", "application/gzip", "application/x-gzip", "application/zstd"} {
		if strings.HasPrefix(plain, known) {
			return true
		}
	}
	return plain == "" || plain == "application/octet-stream"
}

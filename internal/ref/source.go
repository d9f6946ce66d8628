package ref

import (
	"fmt"
	"strings"
)

// Transport says how a source is reached. The names are skopeo's and podman's
// where those have one.
type Transport string

// The transports.
const (
	Catalog       Transport = ""               // a name in a catalog
	Registry      Transport = "docker"         // an OCI registry
	OCI           Transport = "oci"            // an OCI layout directory
	OCIArchive    Transport = "oci-archive"    // an OCI layout in a tar
	DockerArchive Transport = "docker-archive" // what docker save writes
	Dir           Transport = "dir"            // a manifest and its blobs in a directory, as skopeo copies them
	Tar           Transport = "tar"            // a root filesystem's tar
	Mmdebstrap    Transport = "mmdebstrap"     // a Debian suite, by mmdebstrap
	Apt           Transport = "apt"            // a kernel package, by apt
	Artifact      Transport = "oci://"         // a bundle of banger's in an OCI registry
)

var transports = []Transport{OCI, OCIArchive, DockerArchive, Dir, Tar, Mmdebstrap, Apt}

// Source is a parsed reference to where a kernel or an image comes from.
type Source struct {
	Transport Transport
	Rest      string // what follows the transport: a name, path, suite, ...
}

func (s Source) String() string {
	switch s.Transport {
	case Catalog, Registry:
		return s.Rest
	case Artifact:
		return string(s.Transport) + s.Rest
	}
	return string(s.Transport) + ":" + s.Rest
}

// ParseSource reads a reference as users write it. A plain "-" is a tar on
// standard input; what holds a slash and names no transport is a registry's. A
// path after "oci:" is a layout's, however many slashes it begins with.
func ParseSource(text string) (Source, error) {
	if text == "-" {
		return Source{Tar, "-"}, nil
	}
	if rest, ok := strings.CutPrefix(text, "docker://"); ok {
		return nonEmpty(Source{Registry, rest}, text)
	}
	if rest, ok := strings.CutPrefix(text, string(Artifact)); ok && !strings.HasPrefix(rest, "/") {
		return nonEmpty(Source{Artifact, rest}, text)
	}
	for _, t := range transports {
		if rest, ok := strings.CutPrefix(text, string(t)+":"); ok {
			return nonEmpty(Source{t, rest}, text)
		}
	}
	if strings.ContainsAny(text, "/:@") {
		return Source{Registry, text}, nil
	}
	if err := CheckName("catalog", text); err != nil {
		return Source{}, err
	}
	return Source{Catalog, text}, nil
}

func nonEmpty(s Source, text string) (Source, error) {
	if s.Rest == "" {
		return Source{}, fmt.Errorf("reference %q names nothing after its transport", text)
	}
	return s, nil
}

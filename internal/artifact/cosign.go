package artifact

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/registry"
)

// What cosign writes. The signature of the artifact sha256:HEX is another one,
// under the tag sha256-HEX.sig; its layers are payloads, each with its signature
// in an annotation. See cosign's specs/SIGNATURE_SPEC.md.
const (
	payloadType    = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureNote  = "dev.cosignproject.cosign/signature"
	signatureKind  = "cosign container image signature"
	maxPayload     = 64 << 10
	mostSignatures = 32 // that are looked at
)

// SignatureError says that an artifact is not signed by the key that is asked
// for.
type SignatureError struct {
	Digest string
	Err    error // what was wrong with the last signature, nil where there is none
}

func (e *SignatureError) Error() string {
	if e.Err == nil {
		return e.Digest + " has no signature by cosign"
	}
	return fmt.Sprintf("%s is not signed by the key: %v", e.Digest, e.Err)
}

func (e *SignatureError) Unwrap() error { return e.Err }

// ParseKey reads a public key as cosign writes it, in PEM.
func ParseKey(text []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("it is no public key in PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	switch key.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey, *rsa.PublicKey:
		return key, nil
	}
	return nil, fmt.Errorf("keys of type %T sign nothing here", key)
}

// checkSigned looks for a signature by the key of the manifest with a digest.
func checkSigned(ctx context.Context, repo *registry.Repository, sum string, key crypto.PublicKey) error {
	raw, _, err := repo.Manifest(ctx, strings.Replace(sum, ":", "-", 1)+".sig", string(types.OCIManifestSchema1))
	if errors.As(err, new(*registry.MissingError)) {
		return &SignatureError{Digest: sum}
	}
	if err != nil {
		return fmt.Errorf("read the signatures of %s: %w", sum, err)
	}
	var m v1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("read the signatures of %s: %w", sum, err)
	}
	refused := &SignatureError{Digest: sum}
	for n, l := range m.Layers {
		if n == mostSignatures {
			break
		}
		if l.MediaType != payloadType {
			continue
		}
		payload, err := repo.Blob(ctx, l.Digest.String(), maxPayload)
		if err != nil {
			return fmt.Errorf("read the signatures of %s: %w", sum, err)
		}
		if refused.Err = checkPayload(payload, l.Annotations[signatureNote], sum, key); refused.Err == nil {
			return nil
		}
	}
	return refused
}

// checkPayload reports whether payload is signed by the key and is of the
// manifest with a digest.
func checkPayload(payload []byte, signature, sum string, key crypto.PublicKey) error {
	sig, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return errors.New("the signature is not in base64")
	}
	if !verifies(key, payload, sig) {
		return errors.New("the signature is another key's")
	}
	var p struct {
		Critical struct {
			Type  string
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			}
		}
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return fmt.Errorf("what is signed: %w", err)
	}
	if p.Critical.Type != signatureKind || p.Critical.Image.Digest != sum {
		return fmt.Errorf("what is signed is %q of %q", p.Critical.Type, p.Critical.Image.Digest)
	}
	return nil
}

func verifies(key crypto.PublicKey, data, sig []byte) bool {
	hash := sha256.Sum256(data)
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, hash[:], sig)
	case ed25519.PublicKey:
		return ed25519.Verify(key, data, sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], sig) == nil
	}
	return false
}

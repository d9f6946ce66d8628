package artifact

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
)

func payloadOf(sum, kind string) string {
	return fmt.Sprintf(`{"critical":{"identity":{"docker-reference":"x"},"image":{"docker-manifest-digest":%q},"type":%q},"optional":null}`, sum, kind)
}

// sign signs as cosign sign --key does.
func sign(t *testing.T, key crypto.Signer, payload string) string {
	t.Helper()
	data, how := []byte(payload), crypto.Hash(0)
	if _, plain := key.(ed25519.PrivateKey); !plain {
		sum := sha256.Sum256(data)
		data, how = sum[:], crypto.SHA256
	}
	sig, err := key.Sign(rand.Reader, data, how)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// attach puts signed payloads where cosign has the signatures of what is pinned.
func attach(t *testing.T, pinned string, signed ...[2]string) {
	t.Helper()
	repo, sum, _ := strings.Cut(strings.TrimPrefix(pinned, Scheme), "@")
	image := empty.Image
	for _, s := range signed {
		var err error
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: static.NewLayer([]byte(s[0]), payloadType), Annotations: map[string]string{signatureNote: s[1]},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ref, err := name.ParseReference(repo + ":" + strings.Replace(sum, ":", "-", 1) + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSigned(t *testing.T) {
	host, key, other := serve(t, nil), newKey(t), newKey(t)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	modulus, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		key    crypto.Signer
		signed func(good, sum string) [][2]string // payloads and signatures
		want   string
	}{
		"by the key": {key, func(good, _ string) [][2]string { return [][2]string{{good, sign(t, key, good)}} }, ""},
		"by ed25519": {edwards, func(good, _ string) [][2]string { return [][2]string{{good, sign(t, edwards, good)}} }, ""},
		"by rsa":     {modulus, func(good, _ string) [][2]string { return [][2]string{{good, sign(t, modulus, good)}} }, ""},
		"by two": {key, func(good, _ string) [][2]string {
			return [][2]string{{good, sign(t, other, good)}, {good, sign(t, key, good)}}
		}, ""},
		"by another": {key, func(good, _ string) [][2]string { return [][2]string{{good, sign(t, other, good)}} }, "the signature is another key's"},
		"by nobody":  {key, nil, "has no signature by cosign"},
		"nothing":    {key, func(string, string) [][2]string { return nil }, "has no signature by cosign"},
		"of another": {key, func(string, string) [][2]string {
			p := payloadOf("sha256:"+strings.Repeat("0a", 32), signatureKind)
			return [][2]string{{p, sign(t, key, p)}}
		}, "what is signed is"},
		"of another kind": {key, func(_, sum string) [][2]string {
			p := payloadOf(sum, "another")
			return [][2]string{{p, sign(t, key, p)}}
		}, "what is signed is"},
		"of no json": {key, func(string, string) [][2]string { return [][2]string{{"x", sign(t, key, "x")}} }, "what is signed: "},
		"no base64":  {key, func(good, _ string) [][2]string { return [][2]string{{good, "-"}} }, "not in base64"},
	} {
		pinned := push(t, Scheme+host+"/"+strings.ReplaceAll(what, " ", "-")+":v1", Kernel, what)
		_, sum, _ := strings.Cut(pinned, "@")
		if c.signed != nil {
			attach(t, pinned, c.signed(payloadOf(sum, signatureKind), sum)...)
		}
		_, err := Find(t.Context(), Options{Reference: pinned, Key: c.key.Public()})
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if c.want != "" && (!errors.As(err, new(*SignatureError)) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want ... %s", what, err, c.want)
		}
	}
}

func TestParseKey(t *testing.T) {
	der, err := x509.MarshalPKIXPublicKey(newKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	good := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if _, err := ParseKey(good); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "x", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY"}))} {
		if _, err := ParseKey([]byte(text)); err == nil {
			t.Errorf("%q is taken for a key", text)
		}
	}
}

func FuzzPayload(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(payloadOf("sha256:0a", signatureKind)), "AAAA")
	f.Fuzz(func(t *testing.T, payload []byte, signature string) {
		if checkPayload(payload, signature, "sha256:0a", key.Public()) == nil {
			t.Error("what nobody has signed is believed")
		}
	})
}

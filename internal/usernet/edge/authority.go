package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1" // as OpenSSL does, for a file's name
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"banger/internal/secret"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 30 * 24 * time.Hour
	clockSkew     = 24 * time.Hour // guests that were restored have been asleep
)

// Authority is a VM's own: it vouches for the hosts that secrets are for, and by
// its own certificate for no others.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey

	mu     sync.Mutex
	leaf   *ecdsa.PrivateKey
	leaves map[string]*tls.Certificate
}

// maxLeaves bounds the names below a wildcard that a guest has made certificates of.
const maxLeaves = 256

// NewAuthority makes one for the hosts of secrets.
func NewAuthority(vm string, secrets []secret.Secret) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "banger: secrets of vm " + vm},
		NotBefore:    time.Now().Add(-clockSkew), NotAfter: time.Now().Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:            x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		PermittedDNSDomains: domains(secrets), PermittedDNSDomainsCritical: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return newAuthority(cert, key)
}

func newAuthority(cert *x509.Certificate, key *ecdsa.PrivateKey) (*Authority, error) {
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return &Authority{cert: cert, key: key, leaf: leaf, leaves: map[string]*tls.Certificate{}}, err
}

// domains are what an authority vouches for, sorted.
func domains(secrets []secret.Secret) (all []string) {
	for _, s := range secrets {
		for _, h := range s.Hosts {
			all = append(all, h.Domain())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// IsFor reports whether an authority is for just the hosts of secrets.
func (a *Authority) IsFor(secrets []secret.Secret) bool {
	return slices.Equal(a.cert.PermittedDNSDomains, domains(secrets)) && time.Now().Add(leafLife).Before(a.cert.NotAfter)
}

// vouchesFor reports whether an authority is for the hosts of a secret too.
func (a *Authority) vouchesFor(s secret.Secret) bool {
	for _, h := range s.Hosts {
		if !slices.Contains(a.cert.PermittedDNSDomains, h.Domain()) {
			return false
		}
	}
	return true
}

// Certificate is the authority's own, in PEM.
func (a *Authority) Certificate() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// MarshalText implements encoding.TextMarshaler: the certificate and the key, in
// PEM.
func (a *Authority) MarshalText() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	return append([]byte(a.Certificate()), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Authority) UnmarshalText(text []byte) error {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return fmt.Errorf("read the authority: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return errors.New("read the authority: it is another's")
	}
	read, err := newAuthority(pair.Leaf, key)
	if err != nil {
		return err
	}
	a.cert, a.key, a.leaf, a.leaves = read.cert, read.key, read.leaf, read.leaves
	return nil
}

// certificate is a host's, for the guest.
func (a *Authority) certificate(host string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[host]; c != nil && time.Now().Add(leafLife/2).Before(c.Leaf.NotAfter) {
		return c, nil
	}
	if len(a.leaves) >= maxLeaves {
		clear(a.leaves)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, DNSNames: []string{host},
		NotBefore: time.Now().Add(-clockSkew), NotAfter: time.Now().Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.leaf.Public(), a.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leaf, Leaf: cert}
	a.leaves[host] = c
	return c, nil
}

func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
}

// SubjectHash is what OpenSSL calls an authority's file in a directory of them, in
// the canonical encoding of X509_NAME_hash_ex(3): small letters as UTF-8, without
// the outermost sequence.
func (a *Authority) SubjectHash() string {
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value string `asn1:"utf8"`
	}
	type names []attribute
	canonical, err := asn1.MarshalWithParams(names{{asn1.ObjectIdentifier{2, 5, 4, 3}, strings.ToLower(a.cert.Subject.CommonName)}}, "set")
	if err != nil {
		panic(err) // of a string
	}
	sum := sha1.Sum(canonical)
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(sum[:]))
}

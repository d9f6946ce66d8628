package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/fetch"
	"banger/internal/smallfile"
)

// maxCertificate is more than a file of certificates or with a key has, in bytes.
const maxCertificate = 1 << 20

// certificateDirs is where docker and podman look for what an administrator or a
// user has put there for a registry: the first that has a directory for it counts.
func certificateDirs() []string {
	var dirs []string
	if own, err := os.UserConfigDir(); err == nil {
		dirs = []string{filepath.Join(own, "containers/certs.d"), filepath.Join(own, "docker/certs.d")}
	}
	return append(dirs, "/etc/containers/certs.d", "/etc/docker/certs.d")
}

// equip has a transport trust who vouches for a registry by files *.crt beside the
// system's, and show the registry what *.cert with *.key say. Where they cannot be
// used, the error says why.
func equip(carrier *fetch.Transport, host string) error {
	for _, dir := range certificateDirs() {
		dir = filepath.Join(dir, host)
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		for _, e := range entries {
			if err := addCertificate(config, filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("%s: %w", filepath.Join(dir, e.Name()), err)
			}
		}
		carrier.TLSClientConfig = config
		return nil
	}
	return nil
}

func addCertificate(config *tls.Config, file string) error {
	stem, isPair := strings.CutSuffix(file, ".cert")
	if !isPair && !strings.HasSuffix(file, ".crt") {
		return nil
	}
	data, err := smallfile.Read(file, maxCertificate)
	if err != nil {
		return err
	}
	if isPair {
		key, err := smallfile.Read(stem+".key", maxCertificate)
		if err != nil {
			return err
		}
		pair, err := tls.X509KeyPair(data, key)
		config.Certificates = append(config.Certificates, pair)
		return err
	}
	if config.RootCAs == nil {
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
	}
	if !config.RootCAs.AppendCertsFromPEM(data) {
		return errors.New("no certificate is in it")
	}
	return nil
}

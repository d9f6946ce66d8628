package cli

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"aead.dev/minisign"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"banger/internal/kernel/kerneltest"
)

// serve DIR serves a directory over HTTP, and sets URL, and ANYHOST to its address by
// a name that is not the loopback's.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(server.Close)
	ts.Setenv("URL", server.URL)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	ts.Setenv("ANYHOST", "0.0.0.0:"+port)
}

// serveRegistry runs an OCI registry, and sets REGISTRY to its host.
func serveRegistry(ts *testscript.TestScript, _ bool, _ []string) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	ts.Defer(server.Close)
	ts.Setenv("REGISTRY", strings.TrimPrefix(server.URL, "http://"))
}

// clients are who came to the scripts' silent servers.
var clients sync.Map // of chan struct{}, by script

// silent listens and never answers, and sets SILENT to its address. await-client
// waits until somebody has asked for something.
func silent(ts *testscript.TestScript, _ bool, _ []string) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	ts.Check(err)
	came := make(chan struct{}, 1)
	clients.Store(ts.Name(), came)
	ts.Defer(func() { listener.Close() })
	ts.Setenv("SILENT", listener.Addr().String())
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close() // once the listener is
			go func() {
				conn.Read(make([]byte, 1))
				select {
				case came <- struct{}{}:
				default:
				}
			}()
		}
	}()
}

func awaitClient(ts *testscript.TestScript, _ bool, _ []string) {
	came, _ := clients.Load(ts.Name())
	select {
	case <-came.(chan struct{}):
	case <-time.After(90 * time.Second):
		ts.Fatalf("nobody came")
	}
}

// sign FILE signs it by a new key, and sets KEY to the public one.
func sign(ts *testscript.TestScript, _ bool, args []string) {
	public, private, err := minisign.GenerateKey(nil)
	ts.Check(err)
	text, err := public.MarshalText()
	ts.Check(err)
	ts.Setenv("KEY", string(text))
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path+".minisig", minisign.Sign(private, []byte(ts.ReadFile(args[0]))), 0o600))
}

// vmlinux FILE RELEASE makes what passes for a kernel.
func makeVmlinux(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, kerneltest.Vmlinux(args[1]), 0o600))
}

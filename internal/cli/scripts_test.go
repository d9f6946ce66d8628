package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"aead.dev/minisign"
	"github.com/rogpeppe/go-internal/testscript"

	"banger/internal/kernel/kerneltest"
)

// serve DIR serves a directory over HTTP, and sets URL.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(server.Close)
	ts.Setenv("URL", server.URL)
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

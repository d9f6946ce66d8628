// Package api is banger over HTTP and JSON: the engine's operations, for programs
// in any language.
//
// Each operation is an entry of one table, of which the handlers, their checks of
// what comes in and the OpenAPI description are all made, so that they cannot
// differ. The server has no state of its own: kill it at any time, and VMs live on.
// Whoever may connect may do all that the user may.
package api

import (
	"net/http"

	"banger/internal/engine"
)

// server serves one engine.
type server struct {
	engine *engine.Engine
	hint   func(error) string // what to do about an error, or ""

	creating keyed // of each idempotency key, one at a time
	held     held
}

// prefix is the version of the API: what is in it stays as it is.
const prefix = "/v1"

// handler answers all requests.
func (s *server) handler() (http.Handler, error) {
	operations := s.operations()
	mux := http.NewServeMux()
	for _, o := range operations {
		mux.HandleFunc(o.Method+" "+prefix+o.Path, o.serve)
	}
	document, err := describe(operations, s.engine.Version)
	if err != nil {
		return nil, err
	}
	mux.HandleFunc("GET "+prefix+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(document)
	})
	return problems(http.NewCrossOriginProtection().Handler(mux)), nil
}

// operations is the table.
func (s *server) operations() []operation {
	var all []operation
	for _, some := range [][]operation{
		s.systemOperations(), s.vmOperations(), s.lifeOperations(), s.execOperations(), s.fileOperations(), s.forwardOperations(), s.streamOperations(),
		s.statsOperations(), s.snapshotOperations(), s.imageOperations(), s.kernelOperations(), s.volumeOperations(), s.networkOperations(),
	} {
		all = append(all, some...)
	}
	for i := range all {
		all[i].server = s
	}
	return all
}

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"

	"banger/internal/engine"
)

// operation is one method on one path. Its input is a struct: fields with a tag path
// or query are of the URL, one with a tag header of the headers, and Body is the body.
type operation struct {
	Method, Path string
	ID, Summary  string
	Status       int          // of what goes well
	In, Out      reflect.Type // Out is nil where there is no body
	Stream       string       // the content type of what is written by run itself, or ""
	Binary       bool         // Body is any bytes, an upload

	server *server
	body   *jsonschema.Resolved // what Body has to be, nil where there is none
	run    func(w http.ResponseWriter, r *http.Request, in any) (out any, err error)
	tell   func(ctx context.Context, in any, events engine.Events) (out any, err error) // nil where it tells nothing meanwhile
}

// upload is a body of any bytes.
type upload struct {
	io.Reader
	size int64 // -1 where the client does not say
}

// op makes an operation of a function.
func op[In, Out any](method, path, id, summary string, do func(ctx context.Context, in In) (Out, error)) operation {
	o := operation{
		Method: method, Path: path, ID: id, Summary: summary, Status: http.StatusOK,
		In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
		run: func(_ http.ResponseWriter, r *http.Request, in any) (any, error) { return do(r.Context(), in.(In)) },
	}
	if o.Out == reflect.TypeFor[none]() {
		o.Out, o.Status = nil, http.StatusNoContent
	} else if method == http.MethodPost {
		o.Status = http.StatusCreated
	}
	return o.resolved()
}

// none is no content.
type none struct{}

// stream makes an operation that writes its answer itself.
func stream[In any](method, path, id, summary, contentType string, do func(w http.ResponseWriter, r *http.Request, in In) error) operation {
	o := operation{
		Method: method, Path: path, ID: id, Summary: summary, Status: http.StatusOK, Stream: contentType, In: reflect.TypeFor[In](),
		run: func(w http.ResponseWriter, r *http.Request, in any) (any, error) { return nil, do(w, r, in.(In)) },
	}
	return o.resolved()
}

func (o operation) resolved() operation {
	field, has := o.In.FieldByName("Body")
	if !has {
		return o
	}
	if o.Binary = field.Type == reflect.TypeFor[upload](); o.Binary {
		return o
	}
	schema, err := schemaOf(field.Type)
	if err == nil {
		o.body, err = schema.Resolve(nil)
	}
	if err != nil {
		panic(fmt.Sprintf("operation %s: %v", o.ID, err)) // of the program's own types
	}
	return o
}

// serve is an http.HandlerFunc.
func (o operation) serve(plain http.ResponseWriter, r *http.Request) {
	w := &response{ResponseWriter: plain}
	if o.Stream != "" && r.Method == http.MethodHead { // whose end might never come
		w.Header().Set("Allow", o.Method)
		http.Error(w, "HEAD", http.StatusMethodNotAllowed)
		return
	}
	in, err := o.read(w, r)
	if err != nil {
		o.server.fail(w, r, err)
		return
	}
	if o.tell != nil && wantsEvents(r) {
		o.serveTold(w, r, in)
		return
	}
	out, err := o.run(w, r, in)
	switch {
	case err != nil && w.begun:
		panic(http.ErrAbortHandler) // the client hears that it is not whole
	case err != nil:
		o.server.fail(w, r, err)
	case o.Stream != "":
	case o.Out == nil:
		w.WriteHeader(o.Status)
	default:
		writeJSON(w, "application/json", o.Status, out)
	}
}

// response is one that knows whether some of it has been sent.
type response struct {
	http.ResponseWriter
	begun bool
}

// Unwrap is for http.ResponseController.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *response) WriteHeader(status int) {
	r.begun = true
	r.ResponseWriter.WriteHeader(status)
}

func (r *response) Write(p []byte) (int, error) {
	r.begun = true
	return r.ResponseWriter.Write(p)
}

func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}

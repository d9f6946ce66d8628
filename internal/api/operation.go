package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"banger/internal/engine"
)

// maxBody is more than any request's body has, in bytes.
const maxBody = 4 << 20

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

// inputError is what is wrong with a request.
type inputError struct{ error }

func (e *inputError) Unwrap() error { return e.error }

func inputErrorf(format string, args ...any) error { return &inputError{fmt.Errorf(format, args...)} }

func (o operation) read(w http.ResponseWriter, r *http.Request) (any, error) {
	in := reflect.New(o.In).Elem()
	query := r.URL.Query()
	known := map[string]bool{}
	for i := range o.In.NumField() {
		field := o.In.Field(i)
		var text string
		var given bool
		switch {
		case field.Tag.Get("path") != "":
			text, given = r.PathValue(field.Tag.Get("path")), true
		case field.Tag.Get("header") != "":
			text = r.Header.Get(field.Tag.Get("header"))
			given = text != ""
		case field.Tag.Get("query") != "":
			name := field.Tag.Get("query")
			known[name] = true
			if field.Type.Kind() == reflect.Slice {
				in.Field(i).Set(reflect.ValueOf(query[name]))
				continue
			}
			text, given = query.Get(name), query.Has(name)
			if len(query[name]) > 1 {
				return nil, inputErrorf("%s is given more than once", name)
			}
			if _, formed := namedSchemas[valueType(field.Type)]; formed && given && text == "" {
				return nil, inputErrorf("%s is empty", name)
			}
		case field.Name == "Body":
			if err := o.readBody(w, r, in.Field(i)); err != nil {
				return nil, err
			}
			continue
		}
		if given {
			if err := set(in.Field(i), text); err != nil {
				return nil, inputErrorf("%s: %w", field.Name, err)
			}
		}
	}
	for name := range query {
		if !known[name] {
			return nil, inputErrorf("there is no parameter %q", name)
		}
	}
	return in.Interface(), nil
}

// valueType is what a parameter holds that may be left out.
func valueType(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// set gives a field the value that a text is.
func set(field reflect.Value, text string) error {
	switch field.Kind() {
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
		return set(field.Elem(), text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		field.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no number", text)
		}
		field.SetInt(n)
	case reflect.Uint16:
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is no number from 1 to 65535", text)
		}
		field.SetUint(n)
	default:
		field.SetString(text)
	}
	return nil
}

func (o operation) readBody(w http.ResponseWriter, r *http.Request, to reflect.Value) error {
	if o.Binary {
		to.Set(reflect.ValueOf(upload{r.Body, r.ContentLength}))
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &contentTypeError{r.Header.Get("Content-Type")}
	}
	text, err := readWhole(w, r)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return &inputError{err}
	}
	if err := o.body.Validate(value); err != nil {
		return &inputError{err}
	}
	// A 57.0 is an integer, and Go's decoder wants it to be written 57.
	if text, err = json.Marshal(value); err != nil {
		return &inputError{err}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to.Addr().Interface()); err != nil {
		return &inputError{err}
	}
	return nil
}

// bodyTime is how long a client may take to send a body that is read whole.
const bodyTime = 30 * time.Second

func readWhole(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(bodyTime))
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errSlow
	}
	control.SetReadDeadline(time.Time{}) // which would end what the request is for
	return text, err
}

var (
	errSlow     = errors.New("the body takes too long to come")
	errNoLength = errors.New("the request does not say how long its body is")
)

// contentTypeError is a body that is not what is read.
type contentTypeError struct{ got string }

func (e *contentTypeError) Error() string {
	return fmt.Sprintf("the body is %q, and has to be application/json", e.got)
}

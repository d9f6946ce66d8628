package api

import (
	"bytes"
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
)

// maxBody is more than any request's body has, in bytes.
const maxBody = 4 << 20

// inputError is what is wrong with a request.
type inputError struct{ error }

func (e *inputError) Unwrap() error { return e.error }

func inputErrorf(format string, args ...any) error { return &inputError{fmt.Errorf(format, args...)} }

// read fills in an operation's input from a request.
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

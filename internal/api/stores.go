package api

import (
	"context"
	"net/http"

	"banger/internal/engine"
)

// pushed is what a registry has now.
type pushed struct {
	Reference string `json:"reference" jsonschema:"by its digest"`
}

func (s *server) pushOperation(path, id, summary string, push func(context.Context, engine.PushOptions) (string, error)) operation {
	return told(http.MethodPost, path, id, summary, func(ctx context.Context, in struct {
		Name string `path:"name"`
		Body struct {
			Reference artifactReference `json:"reference" jsonschema:"oci://REGISTRY/REPOSITORY[:TAG]"`
			Insecure  bool              `json:"insecure,omitempty" jsonschema:"plain http is fine"`
		}
	}, events engine.Events) (pushed, error) {
		at, err := push(ctx, engine.PushOptions{Name: in.Name, Reference: string(in.Body.Reference), Insecure: in.Body.Insecure, Events: events})
		return pushed{at}, refused(err)
	})
}

type forced struct {
	Name  string `path:"name"`
	Force bool   `query:"force" doc:"one that is used too"`
}

// notGot is an error of a pull: what a reference names is not to be had.
func notGot(err error) error {
	if err == nil || status(err) != http.StatusInternalServerError {
		return err
	}
	return &notGotError{err}
}

type notGotError struct{ error }

func (e *notGotError) Unwrap() error { return e.error }

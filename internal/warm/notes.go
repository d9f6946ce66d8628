package warm

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"banger/internal/statedir"
)

// retryAfter is how long no template is made by itself of a shape where that
// failed.
const retryAfter = time.Hour

// maxFailures is how many of them are kept in mind.
const maxFailures = 100

// notes is what is known beside the templates.
type notes struct {
	Off    []string             `json:"off,omitempty"`    // images that have none
	Failed map[string]time.Time `json:"failed,omitempty"` // when a template could not be made, by its name
}

func (s *Store) notes() (n notes, err error) {
	err = statedir.ReadJSON(s.tree.Path(statedir.WarmNotes), &n)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return n, err
}

// change changes the notes, one process at a time.
func (s *Store) change(edit func(*notes)) error {
	lock, err := s.tree.Lock(context.Background(), "notes")
	if err != nil {
		return err
	}
	defer lock.Remove()
	n, err := s.notes()
	if err != nil {
		return err
	}
	edit(&n)
	return statedir.WriteJSON(s.tree.Path(statedir.WarmNotes), n)
}

// Off returns the images that no templates are made of.
func (s *Store) Off() ([]string, error) {
	n, err := s.notes()
	return n.Off, err
}

// SetOff says whether templates are made of an image.
func (s *Store) SetOff(image string, off bool) error {
	all, err := s.Off()
	if err != nil || slices.Contains(all, image) == off {
		return err
	}
	return s.change(func(n *notes) {
		n.Off = slices.DeleteFunc(n.Off, func(name string) bool { return name == image })
		if off {
			n.Off = append(n.Off, image)
		}
	})
}

// SetFailed notes that a template could not be made, and is not to be tried again
// soon.
func (s *Store) SetFailed(name string) error {
	return s.change(func(n *notes) {
		for other, at := range n.Failed {
			if time.Since(at) > retryAfter || len(n.Failed) >= maxFailures {
				delete(n.Failed, other)
			}
		}
		if n.Failed == nil {
			n.Failed = map[string]time.Time{}
		}
		n.Failed[name] = time.Now().UTC()
	})
}

// Failed reports whether a template could not be made of late.
func (s *Store) Failed(name string) bool {
	n, _ := s.notes()
	at, failed := n.Failed[name]
	return failed && time.Since(at).Abs() < retryAfter
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/devfile"
	"banger/internal/statedir"
)

// Consent asks the user whether a project's file may have what it asks for beyond the
// sandbox, and returns nil if so. A nil Consent means that nobody can be asked.
type Consent func(ctx context.Context, file string, asks []string) error

// AsksError says that a project's file asks for more than the sandbox, and that
// nobody has agreed to it.
type AsksError struct {
	File string
	Asks []string
}

func (e *AsksError) Error() string {
	return fmt.Sprintf("%s asks for more than the sandbox: %s", e.File, strings.Join(e.Asks, "; "))
}

// agreed returns nil if the user agrees to what a project's file asks for, or has agreed
// before. An agreement holds for that project alone; where its file asks for more, the
// user is asked again.
func (e *Engine) agreed(ctx context.Context, s devfile.Spec, consent Consent) error {
	asks := s.Asks(e.Config.Policy())
	if len(asks) == 0 {
		return nil
	}
	dir := e.Dirs.AgreedDir()
	path := filepath.Join(dir, s.AgreementKey(asks))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if consent == nil {
		return &AsksError{s.Path, asks}
	}
	if err := consent(ctx, s.Path, asks); err != nil {
		return err
	}
	if err := statedir.MakeDir(dir); err != nil {
		return err
	}
	return statedir.WriteFile(path, []byte(s.Dir+"\n"+strings.Join(asks, "\n")+"\n"))
}

package engine

import (
	"cmp"
	"context"
	"fmt"
	"os"
)

// CopyInOptions say what of the host is copied to where in a guest.
type CopyInOptions struct {
	From string // a file or a directory of the host's; of a repository, what belongs to it
	To   string // what becomes of it in the guest, below the user's home where relative; "" is From's own name there
	User string // whose it is then; "" is root
}

// CopyIntoVM copies a file or a directory into a running VM.
func (e *Engine) CopyIntoVM(ctx context.Context, name string, o CopyInOptions) error {
	info, err := os.Stat(o.From)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	dir := info.IsDir()
	var copied copiedDir
	if dir {
		if copied, err = projectAt(ctx, o.From); err != nil {
			return err
		}
	}
	client := e.agent(name, cmp.Or(o.User, guestRoot))
	if dir {
		return client.CopyFiles(ctx, copied.dir, copied.files, cmp.Or(o.To, copied.target))
	}
	return client.CopyFile(ctx, o.From, cmp.Or(o.To, info.Name()))
}

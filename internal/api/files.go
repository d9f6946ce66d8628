package api

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"

	"banger/internal/agent/filesync"
	"banger/internal/agentapi"
	"banger/internal/engine"
)

// guestFile is which file of a guest is meant.
type guestFile struct {
	Name   string    `path:"name"`
	Path   guestPath `query:"path" doc:"below the user's home where relative; that itself where it is not given"`
	User   string    `query:"user" doc:"as whom; root where it is not given"`
	Follow bool      `query:"follow" doc:"what a link at the path leads to"`
}

func (f guestFile) options() engine.FileOptions {
	path := string(f.Path)
	if path == "" {
		path = "."
	}
	return engine.FileOptions{Path: path, User: f.User, Follow: f.Follow}
}

// fileOperations are those on files of guests.
func (s *server) fileOperations() []operation {
	return []operation{
		op(http.MethodGet, "/vms/{name}/files", "listFiles", "What there is at a path in a running VM, and in it where that is a directory",
			func(ctx context.Context, in guestFile) (agentapi.Listing, error) {
				return s.engine.ListFiles(ctx, in.Name, in.options())
			}),
		stream(http.MethodGet, "/vms/{name}/files/content", "readFile", "A file of a running VM", "application/octet-stream", s.readFile),
		op(http.MethodPut, "/vms/{name}/files/content", "writeFile", "Make a file in a running VM, or replace one: it has its name once it is whole", s.writeFile),
		stream(http.MethodGet, "/vms/{name}/files/tar", "readTree", "A file or directory of a running VM, as a tar", "application/x-tar", s.readTree),
		op(http.MethodPut, "/vms/{name}/files/tar", "writeTree", "Unpack a tar into a directory of a running VM", s.writeTree),
		told(http.MethodPost, "/copy", "copy", "Copy files between this machine and running VMs, by the rules of docker cp", s.copy),
		told(http.MethodPost, "/vms/{name}/sync", "sync", "Find what changed in a directory of this machine and one of a running VM, and make them alike", s.sync),
		op(http.MethodPost, "/vms/{name}/sync/patch", "syncPatch", "What changed in the VM's directory, as a patch for git apply", s.syncPatch),
	}
}

func (s *server) readFile(w http.ResponseWriter, r *http.Request, in guestFile) error {
	return s.engine.ReadFile(r.Context(), in.Name, in.options(), func(size int64) io.Writer {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		return begin(w, "application/octet-stream")
	})
}

type writtenFile struct {
	Name    string    `path:"name"`
	Path    guestPath `query:"path" doc:"below the user's home where relative"`
	User    string    `query:"user" doc:"whose it is; root's where it is not given"`
	Mode    fileMode  `query:"mode" doc:"in octal; 0644 where it is not given"`
	Parents bool      `query:"parents" doc:"make the directories above it"`
	Body    upload
}

func (s *server) writeFile(ctx context.Context, in writtenFile) (none, error) {
	if in.Body.size < 0 {
		return none{}, errNoLength
	}
	mode := uint64(0o644)
	if in.Mode != "" {
		var err error
		if mode, err = strconv.ParseUint(string(in.Mode), 8, 9); err != nil {
			return none{}, inputErrorf("mode %q is none in octal, such as 0644", in.Mode)
		}
	}
	return none{}, s.engine.WriteFile(ctx, in.Name, engine.WriteFileOptions{
		FileOptions: engine.FileOptions{Path: string(in.Path), User: in.User}, Size: in.Body.size, Mode: fs.FileMode(mode), Parents: in.Parents,
	}, in.Body)
}

func (s *server) readTree(w http.ResponseWriter, r *http.Request, in guestFile) error {
	o := in.options()
	if _, err := s.engine.ListFiles(r.Context(), in.Name, o); err != nil {
		return err // while that can be told
	}
	return s.engine.Copy(r.Context(), engine.CopyOptions{
		From: []engine.Place{{VM: in.Name, Path: o.Path}}, User: o.User, Follow: o.Follow, Stdout: begin(w, "application/x-tar"),
	})
}

func (s *server) writeTree(ctx context.Context, in struct {
	Name    string    `path:"name"`
	Path    guestPath `query:"path" doc:"below the user's home where relative; that itself where it is not given"`
	User    string    `query:"user" doc:"whose the files are; root's where it is not given"`
	Archive bool      `query:"archive" doc:"owners, setuid bits and devices are the tar's"`
	Parents bool      `query:"parents" doc:"make the directory, and those above it"`
	Body    upload
}) (none, error) {
	to := guestFile{Path: in.Path}.options()
	return none{}, s.engine.Copy(ctx, engine.CopyOptions{
		To: engine.Place{VM: in.Name, Path: to.Path}, User: in.User, Archive: in.Archive, Stdin: in.Body, Make: in.Parents,
	})
}

// place is a file of this machine's, or of a guest's.
type place struct {
	VM   name      `json:"vm,omitempty" jsonschema:"whose guest's; this machine's where it is not given"`
	Path guestPath `json:"path" jsonschema:"in a guest below the user's home where relative"`
}

func (p place) engine() engine.Place { return engine.Place{VM: string(p.VM), Path: string(p.Path)} }

func (s *server) copy(ctx context.Context, in struct {
	Body struct {
		From    []place `json:"from" jsonschema:"what is copied, as it is: nothing is ignored"`
		To      place   `json:"to"`
		Follow  bool    `json:"follow,omitempty" jsonschema:"what a link that is a source leads to is copied, and not the link"`
		Archive bool    `json:"archive,omitempty" jsonschema:"owners, setuid bits and devices stay as they are, where the server's user is root"`
		User    string  `json:"user,omitempty" jsonschema:"as whom in guests; root where it is not given"`
	}
}, events engine.Events) (none, error) {
	b := in.Body
	o := engine.CopyOptions{To: b.To.engine(), Follow: b.Follow, Archive: b.Archive, User: b.User, Events: events}
	for _, from := range b.From {
		o.From = append(o.From, from.engine())
	}
	return none{}, refused(s.engine.Copy(ctx, o))
}

// synced is what to sync.
type synced struct {
	Dir    hostPath  `json:"dir" jsonschema:"the directory of this machine"`
	To     guestPath `json:"to,omitempty" jsonschema:"the guest's, below the user's home where relative; dir's own name there where it is not given"`
	User   string    `json:"user,omitempty" jsonschema:"as whom in the guest; root where it is not given"`
	Push   bool      `json:"push,omitempty" jsonschema:"what changed here goes there"`
	Pull   bool      `json:"pull,omitempty" jsonschema:"what changed there comes here"`
	Delete bool      `json:"delete,omitempty" jsonschema:"also that files were removed"`
	DryRun bool      `json:"dry_run,omitempty" jsonschema:"find out what is to be done, and do nothing"`
}

func (b synced) options(events engine.Events) engine.SyncOptions {
	return engine.SyncOptions{Dir: string(b.Dir), To: string(b.To), User: b.User, Push: b.Push, Pull: b.Pull, Delete: b.Delete, DryRun: b.DryRun, Events: events}
}

type syncInput struct {
	Name string `path:"name"`
	Body synced
}

// syncDone is what a sync found, or did.
type syncDone struct {
	Push      []syncChange `json:"push" jsonschema:"of what changed here"`
	Pull      []syncChange `json:"pull" jsonschema:"of what changed there"`
	Conflicts []string     `json:"conflicts" jsonschema:"changed on both sides, and left as they are"`
	Refused   []string     `json:"refused" jsonschema:"what a guest must not put here"`
}

type syncChange struct {
	Name string `json:"name"`
	Do   string `json:"do" jsonschema:"add, change or remove"`
}

func doneOf(s engine.Synced) syncDone {
	return syncDone{changesOf(s.Push), changesOf(s.Pull), append([]string{}, s.Conflicts...), append([]string{}, s.Refused...)}
}

func changesOf(changes []filesync.Change) []syncChange {
	all := make([]syncChange, 0, len(changes))
	for _, c := range changes {
		do := "change"
		switch {
		case c.From.Kind == filesync.Absent:
			do = "add"
		case c.To.Kind == filesync.Absent:
			do = "remove"
		}
		all = append(all, syncChange{c.Name, do})
	}
	return all
}

func (s *server) sync(ctx context.Context, in syncInput, events engine.Events) (syncDone, error) {
	done, err := s.engine.Sync(ctx, in.Name, in.Body.options(events))
	return doneOf(done), refused(err)
}

// patched is a patch and what it is of.
type patched struct {
	Patch []byte   `json:"patch"`
	Of    syncDone `json:"of"`
}

func (s *server) syncPatch(ctx context.Context, in syncInput) (patched, error) {
	patch := boundedPatch{}
	of, err := s.engine.SyncPatch(ctx, in.Name, in.Body.options(nil), &patch)
	return patched{patch, doneOf(of)}, refused(err)
}

// boundedPatch is a patch that fits into an answer: a guest decides how large it is.
type boundedPatch []byte

// maxPatch is how large it may be, in bytes.
const maxPatch = 64 << 20

func (b *boundedPatch) Write(p []byte) (int, error) {
	if len(*b)+len(p) > maxPatch {
		return 0, fmt.Errorf("the patch is larger than %d MiB: banger vm sync --patch writes it to a file", maxPatch>>20)
	}
	*b = append(*b, p...)
	return len(p), nil
}

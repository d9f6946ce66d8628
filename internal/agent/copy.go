package agent

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"banger/internal/agentapi"
	"banger/internal/format/tarfile"
)

// File is a file or directory to copy.
type File struct {
	Name    string // in the guest: slash-separated, relative
	From    string // on the host; "" is Name below the directory that is copied
	Content []byte // in place of what a file holds, unless nil
}

// CopyDir copies the named files and directories of dir, slash-separated paths
// below it and parents before children, to the directory target in the guest.
func (c *Client) CopyDir(ctx context.Context, dir string, names []string, target string) error {
	files := make([]File, len(names))
	for i, name := range names {
		files[i].Name = name
	}
	return c.CopyFiles(ctx, dir, files, target)
}

// CopyFiles copies files, of dir where they do not say otherwise and parents
// before children, to the directory target in the guest.
func (c *Client) CopyFiles(ctx context.Context, dir string, files []File, target string) error {
	return c.copy(ctx, dir, target, func(root *os.Root, w io.Writer) error { return pack(root, files, w) })
}

// CopyFile copies a file, or what a symbolic link leads to, to the path target in
// the guest.
func (c *Client) CopyFile(ctx context.Context, file, target string) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	target = path.Clean(target)
	return c.copy(ctx, filepath.Dir(file), path.Dir(target), func(root *os.Root, w io.Writer) error {
		tw := tarfile.NewWriter(w)
		if err := packOne(root, filepath.Base(file), path.Base(target), tw); err != nil {
			return err
		}
		return tw.Close()
	})
}

// copy unpacks in the guest's directory target what write writes as a tar.
func (c *Client) copy(ctx context.Context, dir, target string, write func(*os.Root, io.Writer) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("copy %s: %w", dir, err)
	}
	defer root.Close()
	reader, writer := io.Pipe()
	defer reader.Close()
	packed := make(chan error, 1)
	go func() {
		err := write(root, writer)
		writer.CloseWithError(err)
		packed <- err
	}()
	err = c.untar(ctx, reader, target)
	reader.CloseWithError(io.ErrClosedPipe)
	if packErr := <-packed; packErr != nil && !errors.Is(packErr, io.ErrClosedPipe) {
		err = packErr
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", dir, err)
	}
	return nil
}

func (c *Client) untar(ctx context.Context, stream io.Reader, target string) error {
	request := agentapi.UntarStream{User: c.user, Untar: agentapi.Untar{Dir: agentapi.Raw(target)}}
	return c.serve(ctx, agentapi.StreamUntar, request, Streams{Stdin: stream, Stdout: io.Discard})
}

// ReadRoot writes the guest's root filesystem as a tar to w: what the image and
// the VM's disk hold, without what makes a machine of them.
func (c *Client) ReadRoot(ctx context.Context, w io.Writer) error {
	return c.serve(ctx, agentapi.StreamTar, nil, Streams{Stdout: w})
}

// serve asks the agent itself to do something; what the agent complains of is the error.
func (c *Client) serve(ctx context.Context, kind string, request any, streams Streams) error {
	_, err := c.serveNoted(ctx, kind, request, streams)
	return err
}

// serveNoted is serve for what may say something though it succeeds.
func (c *Client) serveNoted(ctx context.Context, kind string, request any, streams Streams) (string, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return "", err
	}
	var words said
	streams.Stderr = &words
	status, err := await(ctx, conn, func() (int, error) {
		call, err := begin(conn, kind, request)
		if err != nil {
			return 0, err
		}
		return call.transfer(streams)
	})
	if err == nil && status != 0 {
		err = &GuestError{lastLine(words.String())}
	}
	return words.String(), err
}

// GuestError is what a guest failed at, in its own words.
type GuestError struct{ Words string }

func (e *GuestError) Error() string { return "in the guest: " + e.Words }

// Is tells what a guest's kernel calls the error, as far as its words end with that.
func (e *GuestError) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return strings.HasSuffix(strings.TrimSpace(e.Words), syscall.ENOENT.Error())
	}
	return false
}

// lastLine is where the agent says what it failed at, behind what it left out.
func lastLine(words string) string {
	if at := strings.LastIndex(words, "banger: "); at >= 0 {
		return words[at+len("banger: "):]
	}
	return words
}

// pack writes files as a tar; those below root where they do not say otherwise.
func pack(root *os.Root, files []File, w io.Writer) error {
	tw := tarfile.NewWriter(w)
	for _, f := range files {
		err := packFile(root, f, tw)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue // removed since they were listed
		}
		if err != nil {
			return err
		}
	}
	return tw.Close()
}

func packFile(root *os.Root, f File, tw *tarfile.Writer) error {
	name := path.Clean(f.Name)
	switch {
	case f.Content != nil:
		return packBytes(name, f.Content, tw)
	case f.From == "":
		return packOne(root, f.Name, name, tw)
	}
	dir, err := os.OpenRoot(filepath.Dir(f.From))
	if err != nil {
		return err
	}
	defer dir.Close()
	return packOne(dir, filepath.Base(f.From), name, tw)
}

func packBytes(name string, content []byte, tw *tarfile.Writer) error {
	header := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o644, ModTime: time.Now()}
	return tw.Add(&header, bytes.NewReader(content))
}

// packOne writes the file name under another one.
func packOne(root *os.Root, name, as string, tw *tarfile.Writer) error {
	local := filepath.FromSlash(name)
	info, err := root.Lstat(local)
	if err != nil {
		return err
	}
	var target string
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = root.Readlink(local); err != nil {
			return err
		}
	}
	if info.Mode()&(fs.ModeSocket|fs.ModeDevice|fs.ModeNamedPipe) != 0 {
		return nil // nothing that can be copied
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	header.Name, header.Uname, header.Gname, header.Uid, header.Gid = as, "", "", 0, 0
	header.AccessTime, header.ChangeTime, header.Format = time.Time{}, time.Time{}, tar.FormatPAX // for times to the nanosecond
	if info.IsDir() {
		header.Name += "/"
	}
	if !info.Mode().IsRegular() {
		return tw.Add(header, nil)
	}
	return packContent(root, local, header, tw)
}

// packContent copies a file of the size that its header says, though it may
// grow or shrink meanwhile.
func packContent(root *os.Root, name string, header *tar.Header, tw *tarfile.Writer) error {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may have become a pipe without another end
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s became something else while it was read", name)
	}
	content, err := tarfile.Open(f, header.Size)
	if err != nil {
		return err
	}
	err = tw.Add(header, content)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s shrank from %d bytes while it was read", name, header.Size)
	}
	return err
}

package imagebuild

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"banger/internal/imagemgr"
)

// Copy is a file or a directory of the host's that a build copies.
type Copy struct {
	Source string // a directory's content is copied
	Target string // absolute; with a slash at its end a directory, for a file too
}

// ParseCopy reads SRC:DST.
func ParseCopy(text string) (Copy, error) {
	source, target, ok := strings.Cut(text, ":")
	if !ok || source == "" || !path.IsAbs(target) {
		return Copy{}, fmt.Errorf("%q is not SOURCE:TARGET with an absolute target", text)
	}
	return Copy{source, target}, nil
}

// target is where the copy goes in the guest.
func (c Copy) target() string {
	if strings.HasSuffix(c.Target, "/") {
		if info, err := os.Stat(c.Source); err == nil && !info.IsDir() {
			return c.Target + filepath.Base(c.Source)
		}
	}
	return path.Clean(c.Target)
}

// names lists what is below a directory; nil is for a file.
func (c Copy) names() ([]string, error) {
	info, err := os.Stat(c.Source)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, nil
	}
	names := []string{}
	root := os.DirFS(c.Source)
	err = fs.WalkDir(root, ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && name != "." {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// Inputs is a digest of all that decides what a build makes, as far as the
// host knows: the same inputs at another time can give newer packages.
func (o Options) Inputs() (string, error) {
	sum := sha256.New()
	text := json.NewEncoder(sum)
	text.Encode([]any{1, o.Base.Digest, wanted(o), o.KernelRef})
	if o.Script != "" {
		text.Encode("script")
		if err := hashFile(sum, o.Script); err != nil {
			return "", err
		}
	}
	for _, c := range o.Copies {
		text.Encode([]any{"copy", c.target()})
		if err := c.hash(sum); err != nil {
			return "", err
		}
	}
	if len(o.Env) > 0 {
		text.Encode([]any{"env", o.Env})
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// hash adds what is copied: names, types, permissions and content.
func (c Copy) hash(w io.Writer) error {
	names, err := c.names()
	if err != nil {
		return err
	}
	for _, name := range append([]string{"."}, names...) {
		file := filepath.Join(c.Source, name)
		info, err := os.Lstat(file)
		if err == nil && name == "." {
			info, err = os.Stat(file)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%q %s\n", name, info.Mode())
		switch {
		case info.Mode().IsRegular():
			err = hashFile(w, file)
		case info.Mode()&fs.ModeSymlink != 0:
			var target string
			target, err = os.Readlink(file)
			fmt.Fprintf(w, "%q\n", target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hashFile adds a file's digest, which is of a fixed length.
func hashFile(w io.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%x\n", sum.Sum(nil))
	return err
}

// packagesDigest is a digest of the sorted packages, or "" for none.
func packagesDigest(packages []imagemgr.Package) string {
	if len(packages) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, p := range packages {
		fmt.Fprintf(sum, "%s %s\n", p.Name, p.Version)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

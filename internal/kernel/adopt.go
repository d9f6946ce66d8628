package kernel

import (
	"context"
	"fmt"
	"strings"
	"time"

	"banger/internal/ref"
	"banger/internal/statedir"
)

// Adopt makes a kernel of a stage of the store's tree that holds vmlinux,
// optionally initrd.img and modules/, and publishes it under m's name. The error
// is statedir.ErrExist where that is taken. A version in m has to be the
// kernel's; the manifest gets it in full. The stage stays the caller's to
// discard.
func (s *Store) Adopt(ctx context.Context, stage *statedir.Stage, m Manifest) (Kernel, error) {
	if err := s.prepare(ctx, stage, &m, nil); err != nil {
		return Kernel{}, err
	}
	if err := stage.Publish(m.Name); err != nil {
		return Kernel{}, err
	}
	return Kernel{Manifest: m, Dir: s.tree.Path(m.Name)}, nil
}

// prepare makes a stage ready to be published: it checks the kernel, indexes
// the modules, packs them as a file system, hashes every file but those that
// are known, and writes m with all that it learnt.
func (s *Store) prepare(ctx context.Context, stage *statedir.Stage, m *Manifest, known []File) error {
	release, err := checkVmlinux(ctx, stage.Path(statedir.Vmlinux))
	if err != nil {
		return err
	}
	if !isVersionOf(m.KernelVersion, release) {
		return fmt.Errorf("the kernel says that it is version %s, not %s", release, m.KernelVersion)
	}
	m.KernelVersion = release
	if err := packModules(ctx, stage, release); err != nil {
		return err
	}
	m.PulledAt, m.BangerVersion = time.Now().UTC().Truncate(time.Second), s.version
	if m.Files, err = hashTree(ctx, stage.Dir, known); err != nil {
		return err
	}
	if err := stage.WriteJSON(statedir.Manifest, m); err != nil {
		return err
	}
	return ctx.Err()
}

// isVersionOf reports whether version is what begins release, as 6.1 and 6.1.0
// begin 6.1.0-13-amd64.
func isVersionOf(version, release string) bool {
	rest, ok := strings.CutPrefix(release, version)
	return ok && (version == "" || rest == "" || rest[0] < '0' || rest[0] > '9')
}

// checkNew reports whether a kernel may be made of that name.
func (s *Store) checkNew(name string) error {
	if err := ref.CheckName("kernel", name); err != nil {
		return err
	}
	if s.tree.Exists(name) {
		return fmt.Errorf("kernel %q %w", name, statedir.ErrExist)
	}
	return nil
}

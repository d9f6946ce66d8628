package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"banger/internal/catalog"
	"banger/internal/kernel"
	"banger/internal/kernelcat"
	"banger/internal/ref"
)

// PullKernelOptions say where a kernel comes from.
type PullKernelOptions struct {
	Reference string       // a name in a catalog, apt:PACKAGE, or oci:// and what a registry calls it
	Offer     *KernelOffer // what to pull in place of that, where it was found before
	Name      string       // of a package's kernel, or a registry's; "" is made of its version, or the one it was pushed by
	Insecure  bool         // plain http is fine for the registry
	CosignKey string       // in PEM, that has to have signed what a registry has; "" is none
	Update    bool         // replace what an older bundle of the catalog held
	Force     bool         // replace whatever has the name
	Events    Events
}

// KernelOutcome is what a pull of a kernel did.
type KernelOutcome int

// The outcomes.
const (
	KernelPulled   KernelOutcome = iota // it is new, or took the place of another
	KernelPresent                       // it was there already
	KernelOutdated                      // it was there in the version of an older bundle, which stays
	KernelUnlisted                      // it was there, and no catalog has it
)

// KernelPull is what a pull of a kernel did.
type KernelPull struct {
	Name    string
	Kernel  kernel.Kernel
	Outcome KernelOutcome
	Entry   kernelcat.Entry // of the catalog, where one has it
	Took    time.Duration
}

// NoSourceError says that a reference names something that kernels are not pulled from.
type NoSourceError struct{ Reference string }

func (e *NoSourceError) Error() string {
	return fmt.Sprintf("%q names no source of kernels", e.Reference)
}

// ErrFixedName says that a kernel of a catalog's cannot be given another name.
var ErrFixedName = errors.New("a catalog's kernel has its own name")

// PullKernel gets a kernel: one of a catalog's, or one that is a package of this
// machine's distribution. One that is here and whole is not pulled again.
func (e *Engine) PullKernel(ctx context.Context, o PullKernelOptions) (KernelPull, error) {
	if o.Offer != nil {
		return e.pullKernelOffer(ctx, *o.Offer, o)
	}
	source, err := ref.ParseSource(o.Reference)
	if err != nil {
		return KernelPull{}, err
	}
	switch {
	case o.CosignKey != "" && source.Transport != ref.Artifact:
		return KernelPull{}, ErrKeyElsewhere
	case source.Transport == ref.Apt:
		return e.pullPackage(ctx, source.Rest, o)
	case source.Transport == ref.Artifact:
		return e.pullKernelArtifact(ctx, source, o)
	case source.Transport != ref.Catalog:
		return KernelPull{}, &NoSourceError{o.Reference}
	case o.Name != "":
		return KernelPull{}, ErrFixedName
	}
	offer, err := e.findKernel(ctx, source.Rest, o.Events)
	if err == nil {
		return e.pullKernelOffer(ctx, offer, o)
	}
	have, missing := e.kernels.Get(source.Rest)
	if missing != nil || o.Force || o.Update || !errors.As(err, new(*catalog.NotFoundError)) {
		return KernelPull{}, err
	}
	return KernelPull{Name: have.Name, Kernel: have, Outcome: KernelUnlisted}, nil
}

func (e *Engine) pullPackage(ctx context.Context, pkg string, o PullKernelOptions) (KernelPull, error) {
	began := time.Now()
	k, err := e.kernels.PullApt(ctx, kernel.AptOptions{
		Package: pkg, Name: o.Name, Dir: e.Dirs.AptDir(), Say: o.Events.stage,
	})
	return KernelPull{Name: k.Name, Kernel: k, Took: time.Since(began)}, err
}

func (e *Engine) pullKernelOffer(ctx context.Context, offer KernelOffer, o PullKernelOptions) (KernelPull, error) {
	entry, began := offer.Entry, time.Now()
	pull := KernelPull{Name: entry.Name, Entry: entry}
	k, outcome, err := e.kernels.PullCatalog(ctx, kernel.PullOptions{
		Entry: entry, Update: o.Update, Force: o.Force,
		Fetch: e.fetchOptions(offer.Insecure, o.Events),
		Progress: func(_ string, done, total int64) {
			o.Events.progress("pulling kernel "+entry.Name, done, total)
		},
	})
	pull.Kernel, pull.Took = k, time.Since(began)
	taken, isTaken := errors.AsType[*kernel.TakenError](err)
	switch {
	case isTaken && taken.Updatable():
		pull.Kernel, pull.Outcome, err = taken.Have, KernelOutdated, nil
	case outcome == kernel.Present:
		pull.Outcome = KernelPresent
	}
	return pull, err
}

// KernelUpdates returns what the catalogs offer for the kernels that came from them.
func (e *Engine) KernelUpdates(ctx context.Context, events Events) ([]KernelOffer, error) {
	set, err := e.kernelCatalogs(ctx, events)
	if err != nil {
		return nil, err
	}
	kernels, err := e.kernels.List()
	if err != nil {
		return nil, err
	}
	var offers []KernelOffer
	for _, k := range kernels {
		offer, err := set.Find(k.Name, kernel.Arch)
		if err == nil && k.BundleDigest != "" {
			offers = append(offers, offer)
		}
	}
	return offers, nil
}

package cli

import (
	"errors"
	"fmt"
	"strings"

	"banger/internal/artifact"
	"banger/internal/catalog"
	"banger/internal/config"
	"banger/internal/devfile"
	"banger/internal/engine"
	"banger/internal/imagebuild"
	"banger/internal/imagemgr"
	"banger/internal/journal"
	"banger/internal/kernel"
	"banger/internal/network"
	"banger/internal/ref"
	"banger/internal/secret"
	"banger/internal/statedir"
	"banger/internal/vm"
)

// hint says what to do about err, or "".
func (a *app) hint(err error) string {
	for _, of := range []func(error) string{
		givenHint, engineHint, projectHint, notFoundHint, snapshotHint, volumeHint, conflictHint, programHint, vmmHint, a.hostHint,
	} {
		if text := of(err); text != "" {
			return text
		}
	}
	return ""
}

// givenHint is what came along with the error.
func givenHint(err error) string {
	if given, ok := errors.AsType[*hinted](err); ok {
		return given.hint
	}
	if start, ok := errors.AsType[*vm.StartError](err); ok {
		return start.Hint
	}
	return ""
}

// notFoundHint says what may be meant by a name that nothing has.
func notFoundHint(err error) string {
	var (
		noVM     *vm.NotFoundError
		noImage  *imagemgr.NotFoundError
		noKernel *kernel.NotFoundError
		noEntry  *catalog.NotFoundError
		noNet    *network.NotFoundError
		noEvent  *engine.EventKindError
	)
	switch {
	case errors.As(err, &noVM):
		return nearest(noVM.Nearest, "banger vm list shows those there are")
	case errors.As(err, &noImage):
		return nearest(noImage.Nearest, "banger image list shows those there are, banger image pull gets more")
	case errors.As(err, &noKernel):
		return nearest(noKernel.Nearest, "banger kernel list shows those there are, banger kernel pull gets more")
	case errors.As(err, &noNet):
		return nearest(noNet.Nearest, "banger network list shows those there are, banger network create makes one")
	case errors.As(err, &noEntry):
		return nearest(noEntry.Nearest, availableHint(noEntry.Kind))
	case errors.As(err, &noEvent):
		return nearest(ref.Nearest(noEvent.Kind, journal.Kinds), "they are "+strings.Join(journal.Kinds, ", "))
	case errors.As(err, new(*config.NoCatalogError)):
		return "banger catalog list shows those there are"
	}
	return ""
}

// conflictHint says what to do about something that is in the way.
func conflictHint(err error) string {
	var (
		inUse      *engine.InUseError
		phase      *vm.PhaseError
		unanswered *vm.UnansweredError
		unsynced   *engine.UnsyncedError
		linked     *vm.LinkedError
	)
	switch {
	case errors.As(err, &linked):
		return "banger vm set --mount " + linked.Mount.String() + " NAME mounts what it leads to today, in place of all its mounts"
	case errors.As(err, &unsynced):
		return unsyncedHint(unsynced)
	case errors.As(err, &inUse) && inUse.Kind == "image" && inUse.Snapshots():
		return "banger vm snapshot rm removes a snapshot"
	case errors.As(err, &inUse) && (inUse.Kind == "image" || inUse.Kind == "network"):
		return "banger vm rm removes a vm"
	case errors.As(err, &inUse) && inUse.Kind == "volume":
		return "banger vm rm removes a vm, banger vm set --no-volumes takes its volumes away"
	case errors.As(err, &inUse):
		return "--force removes it all the same"
	case errors.As(err, new(*kernel.TakenError)):
		return "--force replaces it, or remove it first"
	case errors.As(err, &phase):
		return phaseHint(phase)
	case errors.As(err, &unanswered):
		return "banger vm stop --force " + unanswered.Name + " ends it all the same"
	case errors.As(err, new(*vm.EphemeralError)):
		return "banger vm run without --rm makes one that stays"
	case errors.As(err, new(*vm.DiedError)):
		return "nothing of it was left behind"
	case errors.As(err, new(*imagebuild.OtherInputsError)):
		return "choose another name, or replace it by --force"
	case errors.Is(err, statedir.ErrExist):
		return "choose another name, or remove that one first"
	}
	return ""
}

// unsyncedHint says how to get what a sync left as it is.
func unsyncedHint(err *engine.UnsyncedError) string {
	switch {
	case err.Patch != "":
		return "what the vm had is in " + err.Patch + ", for git apply --3way"
	case len(err.Conflicts) > 0:
		return "copy the one that is to stay over the other, by vm cp"
	case len(err.Refused) > 0:
		return "vm cp copies what you trust"
	}
	return ""
}

func availableHint(kind catalog.Kind) string {
	if kind == catalog.Images {
		return "banger image list --available shows those there are; a registry's is called like docker.io/library/debian"
	}
	return "banger kernel list --available shows those there are"
}

func nearest(name, otherwise string) string {
	if name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return otherwise
}

// engineHint says what to do where an operation is not told enough, or where
// what it needs has changed.
func engineHint(err error) string {
	var (
		image    *engine.ImageError
		noSecret *engine.SecretError
		here     *engine.ElsewhereError
		which    *engine.WhichKernelError
	)
	switch {
	case errors.As(err, &here):
		return here.Remedy
	case errors.As(err, &image) && image.Digest == "":
		return "start it by the banger that made it, copy out what is to stay, and make it again"
	case errors.As(err, &image):
		return "make the image " + image.Digest + " again, or remove the vm"
	case errors.As(err, &noSecret):
		return secretHint(noSecret)
	case errors.As(err, new(*engine.NoNameError)):
		return "give one by --name"
	case errors.As(err, new(*engine.NoKernelError)):
		return "give one by --kernel"
	case errors.As(err, &which) && which.None:
		return "banger kernel pull apt:" + kernel.DefaultPackage() + " gets the distribution's"
	case errors.As(err, &which):
		return "give one by --kernel-ref; banger kernel list shows those there are"
	case errors.As(err, new(*engine.ImageKernelError)):
		return "--kernel-ref names another kernel"
	case errors.As(err, new(*engine.NotAgreedError)):
		return "--yes has banger make one; banger image pull gets others"
	case errors.As(err, new(*engine.NoSourceError)):
		return "such as generic-6.12, apt:linux-image-cloud-amd64 or oci://ghcr.io/org/mine:v1"
	case errors.As(err, new(*engine.NoRegistryError)):
		return "such as oci://ghcr.io/org/mine:v1"
	case errors.As(err, new(*artifact.OtherError)):
		return "an image that containers are made of is pulled without oci://"
	case errors.Is(err, engine.ErrFixedName):
		return "--name is for packages and for what registries have"
	}
	return ""
}

// secretHint says how a secret's value can be given again: nothing keeps it.
func secretHint(e *engine.SecretError) string {
	if e.Secret.From == secret.FromFile {
		return "its value is read from " + e.Secret.File + " at each start"
	}
	return "set " + e.Secret.Name + " in the environment, or start it from a terminal, which asks for it"
}

// projectHint says what to do where a project's VM is not brought up.
func projectHint(err error) string {
	switch {
	case errors.As(err, new(*devfile.NotFoundError)):
		return "banger init writes one"
	case errors.As(err, new(*devfile.SeveralError)):
		return "--directory names that of one"
	case errors.As(err, new(*engine.AsksError)):
		return "--agree agrees to it"
	case errors.As(err, new(*engine.NotTheirsError)):
		return "name in " + devfile.FileName + " gives this one's another"
	case errors.As(err, new(*engine.CommandError)):
		return "banger vm exec looks into the VM; the next banger up runs it again"
	}
	return ""
}

func phaseHint(e *vm.PhaseError) string {
	if e.Phase == vm.Paused {
		return "banger vm resume " + e.Name + " lets it go on"
	}
	if e.Phase.Alive() {
		return "banger vm stop " + e.Name + " stops it"
	}
	return "banger vm start " + e.Name + " starts it"
}

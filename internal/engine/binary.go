package engine

import "banger/internal/supervisor"

// The commands that banger runs of itself, and no user does.
const (
	SuperviseCommand = "supervise"
	InternalCommand  = "internal"
	JailCommand      = "jail"  // below internal
	MakerCommand     = "warm"  // below internal
	ShareCommand     = "share" // below internal
)

// ReadOnlyFlag makes a file server refuse all changes.
const ReadOnlyFlag = supervisor.ReadOnlyFlag

// RunBy sets the commands for supervisors, jails and file servers to those of a banger
// binary.
func (o *Options) RunBy(binary string) {
	o.Supervisor = []string{binary, SuperviseCommand}
	o.Maker = []string{binary, InternalCommand, MakerCommand}
	o.Jail = []string{binary, InternalCommand, JailCommand}
	o.Share = []string{binary, InternalCommand, ShareCommand}
}

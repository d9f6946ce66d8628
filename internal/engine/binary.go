package engine

import "banger/internal/supervisor"

// The commands of banger's that banger itself runs; people do not.
const (
	SuperviseCommand = "supervise"
	InternalCommand  = "internal"
	JailCommand      = "jail"  // below internal
	MakerCommand     = "warm"  // below internal
	ShareCommand     = "share" // below internal
)

// ReadOnlyFlag makes a file server refuse all changes.
const ReadOnlyFlag = supervisor.ReadOnlyFlag

// RunBy has supervisors, jails and file servers run by a banger binary.
func (o *Options) RunBy(binary string) {
	o.Supervisor = []string{binary, SuperviseCommand}
	o.Maker = []string{binary, InternalCommand, MakerCommand}
	o.Jail = []string{binary, InternalCommand, JailCommand}
	o.Share = []string{binary, InternalCommand, ShareCommand}
}

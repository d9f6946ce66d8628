package engine

// The commands of banger's that banger itself runs; people do not.
const (
	SuperviseCommand = "supervise"
	InternalCommand  = "internal"
	JailCommand      = "jail" // below internal
	MakerCommand     = "warm" // below internal
)

// RunBy has supervisors and jails run by a banger binary.
func (o *Options) RunBy(binary string) {
	o.Supervisor = []string{binary, SuperviseCommand}
	o.Maker = []string{binary, InternalCommand, MakerCommand}
	o.Jail = []string{binary, InternalCommand, JailCommand}
}

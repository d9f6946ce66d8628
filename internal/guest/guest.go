// Package guest is the agent inside a VM: one static program that is first the
// guest's PID 1, then its service, and a helper to itself for file transfer.
//
// The packages below it each do one part. They import no package of the host's
// side but agentapi and agent/link, which are both sides', and nothing in them
// waits where an event can tell.
package guest

import (
	"fmt"
	"os"

	"banger/internal/guest/boot"
	"banger/internal/guest/login"
	"banger/internal/guest/power"
	"banger/internal/guest/service"
	"banger/internal/guest/session"
	"banger/internal/guest/share"
	"banger/internal/guest/sshd"
)

// Main runs the part of the agent that the arguments, or being PID 1, ask for.
// It returns the exit status of the parts that end.
func Main(args []string) int {
	if len(args) == 3 && args[1] == session.FirstArgument {
		return session.BecomeFirst(args[2]) // PID 1 too, but not the machine's
	}
	if len(args) == 3 && args[1] == login.Argument {
		return login.Lead(args[2])
	}
	if os.Getpid() == 1 {
		power.Fatal(boot.Run(args[1:]))
	}
	if len(args) == 2 {
		switch args[1] {
		case service.Argument:
			power.Fatal(service.Run())
		case share.Argument:
			if err := share.Main(); err != nil {
				fmt.Fprintln(os.Stderr, "banger: directories of the host:", err)
				return 1
			}
			return 0
		case service.ClearArgument:
			if err := service.ClearFree(); err != nil {
				fmt.Fprintln(os.Stderr, "banger: clear:", err)
				return 1
			}
			return 0
		case sshd.SFTPArgument:
			if err := sshd.ServeSFTP(); err != nil {
				fmt.Fprintln(os.Stderr, "banger: sftp:", err)
				return 1
			}
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "banger-agent: this is the /init of banger's guests")
	return 2
}

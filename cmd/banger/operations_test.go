package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"banger/internal/api"
	"banger/internal/cli"
)

// operations has, for each command, the API's operations that do what it does, or
// after a dash why there is none.
var operations = map[string]string{
	"vm run": "createVM holdVM", "vm create": "createVM", "vm list": "listVMs", "vm show": "getVM", "vm set": "setVM", "vm rm": "removeVM",
	"vm start": "startVM", "vm stop": "stopVM", "vm restart": "restartVM", "vm pause": "pauseVM", "vm resume": "resumeVM", "vm touch": "touchVM",
	"vm rename": "renameVM", "vm kill": "killVM", "vm wait": "waitVM", "vm prune": "pruneVMs", "vm exec": "exec attach", "vm ssh": "attach",
	"vm logs": "logs", "vm events": "events", "vm stats": "stats watchStats", "vm top": "top", "vm port": "getVM guestPorts", "vm forward": "forward",
	"vm policy": "setPolicy checkPolicy", "vm cp": "copy listFiles readFile writeFile readTree writeTree", "vm sync": "sync syncPatch",
	"vm fork": "forkVM", "vm commit": "commitVM", "vm ssh-config": "- of OpenSSH on the user's machine",
	"vm snapshot create": "createSnapshot", "vm snapshot list": "listSnapshots", "vm snapshot show": "getSnapshot", "vm snapshot rm": "removeSnapshot",
	"vm snapshot restore": "restoreSnapshot", "vm snapshot verify": "verifySnapshot",
	"image list": "listImages availableImages", "image show": "getImage", "image pull": "pullImage", "image build": "buildImage", "image register": "registerImage",
	"image rename": "renameImage", "image rm": "removeImage", "image prune": "pruneImages", "image export": "exportImage", "image verify": "verifyImage", "image warm": "warmImage",
	"kernel list": "listKernels availableKernels", "kernel show": "getKernel", "kernel pull": "pullKernel", "kernel import": "importKernel",
	"image push": "pushImage", "kernel push": "pushKernel", "kernel rm": "removeKernel", "kernel verify": "verifyKernel",
	"volume create": "createVolume", "volume list": "listVolumes", "volume show": "getVolume", "volume set": "setVolume", "volume rm": "removeVolume", "volume prune": "pruneVolumes",
	"network create": "createNetwork", "network list": "listNetworks", "network show": "getNetwork", "network rm": "removeNetwork",
	"system df": "diskUsage", "system info": "system", "system prune": "prune", "doctor": "doctor", "version": "version",
	"catalog list": "listCatalogs", "catalog refresh": "refreshCatalogs",
	"catalog add": "- of the configuration, which is the user's own", "catalog rm": "- of the configuration",
	"ssh-config install": "- of OpenSSH on the user's machine", "ssh-config uninstall": "- of OpenSSH on the user's machine", "code": "- opens an editor",
	"completion bash": "- of the user's shell", "completion zsh": "- see there", "completion fish": "- see there", "completion powershell": "- see there",
	"init": "- of a directory that its user is in", "up": "- asks its user", "down": "- see up", "shell": "- see up", "status": "- see up",
	"generate systemd": "- of files for other programs", "generate quadlet": "- see there", "generate nomad": "- see there", "generate kubernetes": "- see there",
	"mcp": "- another server", "mcp install": "- of a client's configuration", "mcp uninstall": "- of a client's configuration", "serve": "- the server itself",
}

// shortForms of commands stand for others.
var shortForms = []string{"run", "ps", "ssh", "exec", "logs", "start", "stop", "rm", "cp", "images", "help"}

// All that the command line does can be asked for over HTTP.
func TestOperationsOfCommands(t *testing.T) {
	described := describedOperations(t)
	seen := map[string]bool{}
	for _, command := range commands(t, "") {
		first, _, _ := strings.Cut(command, " ")
		if slices.Contains(shortForms, first) {
			continue
		}
		has, known := operations[command]
		if !known {
			t.Errorf("%q has no operation of the API: say which it is, or why there is none", command)
		}
		if strings.HasPrefix(has, "-") {
			continue
		}
		for _, id := range strings.Fields(has) {
			if seen[id] = true; !described[id] {
				t.Errorf("%q: there is no operation %q", command, id)
			}
		}
	}
	for id := range described {
		if !seen[id] {
			t.Errorf("operation %q is no command's", id)
		}
	}
}

// commands are those below a command that do something, by their help.
func commands(t *testing.T, above string) (all []string) {
	t.Helper()
	help, err := run(append(strings.Fields(above), "--help")...)
	if err != nil {
		t.Fatal(err)
	}
	_, below, has := strings.Cut(help, "Available Commands:\n")
	if !has || above == "mcp" {
		all = append(all, above)
	}
	for line := range strings.SplitSeq(below, "\n") {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(line, "  ") {
			break
		}
		all = append(all, commands(t, strings.TrimSpace(above+" "+name))...)
	}
	return all
}

func describedOperations(t *testing.T) map[string]bool {
	t.Helper()
	text, err := run("serve", "--openapi")
	if err != nil {
		t.Fatal(err)
	}
	var description struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal([]byte(text), &description); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, methods := range description.Paths {
		for _, o := range methods {
			all[o.OperationID] = true
		}
	}
	return all
}

// run runs a command line that does nothing but print.
func run(args ...string) (string, error) {
	var out bytes.Buffer
	if code := cli.Main(args, cli.Streams{In: os.Stdin, Out: &out, Err: &out}, agents, api.Command); code != 0 {
		return "", fmt.Errorf("%v ended with %d: %s", args, code, out.String())
	}
	return out.String(), nil
}

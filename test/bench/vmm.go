package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"banger/internal/agentapi"
	"banger/internal/vm"
)

// stages is how long the parts of vm run took, from the command to its output.
type stages struct{ begin, boot, output, total sample }

// vmm measures the same VM on the VMM of that name.
func (b bench) vmm(name string) func(context.Context) error {
	return func(context.Context) error {
		var s stages
		for i := range b.pairs {
			if err := b.run(name, &s, i == b.pairs-1); err != nil {
				return err
			}
		}
		fmt.Printf("%s, kernel %s: to output %v\n", name, b.kernel, s.total)
		fmt.Printf("  of it to the VMM's start %v; to the guest's readiness %v; the command %v\n", s.begin.median(), s.boot.median(), s.output.median())
		return nil
	}
}

// run runs one VM and, where it is the last one, looks at what it takes and
// carries.
func (b bench) run(name string, s *stages, last bool) error {
	box := fmt.Sprint("bench-", os.Getpid())
	command := exec.Command(b.banger, "-q", "vm", "run", "--vmm", name, "--host-loopback",
		"--image", "debian", "--kernel", b.kernel, "--name", box, "--", "echo", "up")
	var stderr strings.Builder
	command.Stderr = &stderr
	begin := time.Now()
	took, err := untilLine(command, "up")
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	defer exec.Command(b.banger, "vm", "rm", "--force", box).Run()
	shown, err := exec.Command(b.banger, "vm", "show", "--json", box).Output()
	if err != nil {
		return err
	}
	var v vm.VM
	if err := json.Unmarshal(shown, &v); err != nil {
		return err
	}
	s.total = append(s.total, took)
	s.begin = append(s.begin, v.State.StartedAt.Sub(begin))
	s.boot = append(s.boot, v.State.ReadyAt.Sub(v.State.StartedAt))
	s.output = append(s.output, begin.Add(took).Sub(v.State.ReadyAt))
	if !last {
		return nil
	}
	return b.weigh(v)
}

// weigh prints what memory a VM's processes hold, and how fast TCP is.
func (b bench) weigh(v vm.VM) error {
	monitor, err := status(v.State.VMMPID)
	if err != nil {
		return err
	}
	var supervisor int
	fmt.Sscan(monitor["PPid"], &supervisor)
	parent, err := status(supervisor)
	if err != nil {
		return err
	}
	out, in, err := b.carryByAgent(v.Name)
	if err != nil {
		return err
	}
	fmt.Printf("%s %s (%s): resident %s, its guest's memory with it; supervisor %s; TCP out of the guest %s, into it %s\n",
		v.State.VMM.Backend, v.State.VMM.Version, v.State.VMM.Accel, monitor["VmRSS"], parent["VmRSS"],
		rate(sample{out}), rate(sample{in}))
	return nil
}

// status is a process's /proc/PID/status.
func status(pid int) (map[string]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields, nil
}

// carryByAgent measures TCP of a VM that banger runs.
func (b bench) carryByAgent(box string) (out, in time.Duration, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer listener.Close()
	guest := exec.Command(b.banger, "vm", "exec", box, "--", "bash", "-c",
		transfer(agentapi.HostIP, listener.Addr().(*net.TCPAddr).Port))
	var said strings.Builder
	guest.Stderr = &said
	if err := guest.Start(); err != nil {
		return 0, 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- guest.Wait(); listener.Close() }()
	out, in, err = exchange(listener)
	if err != nil {
		return 0, 0, fmt.Errorf("%w; the guest's side: %w: %s", err, <-ended, said.String())
	}
	return out, in, nil
}

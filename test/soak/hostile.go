package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"banger/internal/agentapi"
)

// hostileProgram is where the guest's program is built from.
const hostileProgram = "test/vm/testdata/hostile"

// hostile lets a guest do its worst, and looks what its supervisor makes of it. The
// time that it has begins when the guest is up.
func hostile(ctx context.Context, s *soak) error {
	deadline, _ := ctx.Deadline()
	share := time.Until(deadline)
	h, remove, err := s.guestHome()
	if err != nil {
		return err
	}
	defer remove()
	program := filepath.Join(h.inputs, "hostile")
	build := exec.Command("scripts/go.sh", "build", "-trimpath", "-o", program, "./"+hostileProgram)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the hostile program: %w: %s", err, out)
	}
	if _, err := h.must(bootArgs("--name", steady, "--host-loopback", "--disk", "64M", h.inputs, "--", "true")...); err != nil {
		return err
	}
	before, err := h.weigh()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), share)
	defer cancel()
	sink, err := pit(ctx, func(net.Conn) {})
	if err != nil {
		return err
	}
	source, err := pit(ctx, func(conn net.Conn) { io.Copy(conn, zeros{}) })
	if err != nil {
		return err
	}
	worst := before
	attack := h.command(ctx, "vm", "exec", steady, "--", "/root/inputs/hostile", "-sink", sink, "-source", source)
	if err := attack.Start(); err != nil {
		return err
	}
	for ; ctx.Err() == nil; s.rounds++ {
		now, err := h.weigh()
		if err != nil {
			return fmt.Errorf("the supervisor did not live through it: %w", err)
		}
		worst.kilobytes, worst.descriptors = max(worst.kilobytes, now.kilobytes), max(worst.descriptors, now.descriptors)
		if _, err := h.must("vm", "list"); err != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	attack.Wait()
	fmt.Printf("soak: hostile: a supervisor went from %v to %v at the most\n", before, worst)
	if worst.kilobytes > mostKilobytes {
		return fmt.Errorf("a hostile guest grew its supervisor to %v", worst)
	}
	return h.end(steady)
}

// pit is a server that never reads, until ctx ends; serve sends, or does not. It
// returns its address in a guest.
func pit(ctx context.Context, serve func(net.Conn)) (inGuest string, err error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { conn.Close() })
			go serve(conn)
		}
	}()
	return fmt.Sprintf("%s:%d", agentapi.HostIP, listener.Addr().(*net.TCPAddr).Port), nil
}

// zeros is an endless stream of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

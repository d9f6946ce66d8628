package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"banger/internal/process"
	"banger/internal/vmm"
	"banger/internal/vmm/qemu"
)

// carried is how many bytes go each way.
const carried = 256 << 20

// patience is for one guest's boot and transfers.
const patience = 2 * time.Minute

// network compares how fast TCP gets out of a guest and into it, by banger's
// user-mode network and by QEMU's and Debian's. The kernel has its drivers built
// in.
func (b bench) network(ctx context.Context) error {
	hand, err := b.byHand(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(hand.dir)
	taken := map[string]*figures{}
	for i := range b.pairs + 1 {
		for _, c := range cables {
			if i <= 1 { // the first round does not count
				taken[c.name] = new(figures)
			}
			if err := errors.Join(hand.carry(ctx, c, taken[c.name]), hand.carryBetween(ctx, c, taken[c.name])); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	for _, c := range cables {
		f := taken[c.name]
		fmt.Printf("TCP by %-6s  out of the guest %s, into it %s\n", c.name, rate(f.out), rate(f.in))
		fmt.Printf("               through a port: into the guest %s, out of it %s; a small request %v\n", rate(f.portIn), rate(f.portOut), f.ask)
		fmt.Printf("               to another guest %s, from it %s\n", rate(f.there), rate(f.back))
	}
	return nil
}

// figures are what was measured of a cable.
type figures struct{ out, in, portIn, portOut, ask, there, back sample }

// rate is a sample's as amounts of data.
func rate(s sample) string { return fmt.Sprintf("%.0f Mbit/s", carried*8/s.median().Seconds()/1e6) }

// carry boots the guest by the cable and measures.
func (h handmade) carry(ctx context.Context, c cable, f *figures) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := h.setInit(c.script(listener.Addr().(*net.TCPAddr).Port)); err != nil {
		return err
	}
	g, err := h.boot(ctx, c, wall{dir: h.dir}, "transfer", listener)
	if err != nil {
		return err
	}
	defer g.end()
	out, in, err := exchange(listener)
	if err != nil {
		return g.failed(err)
	}
	f.out, f.in = append(f.out, out), append(f.in, in)
	return nil
}

// booted is a guest made by hand that runs.
type booted struct {
	child   *process.Child
	console *bytes.Buffer // once it has ended
	end     func()
}

// boot boots a guest by a cable, which does what role is. The listener, to which it
// then says what came of it, is closed where the guest ends.
func (h handmade) boot(ctx context.Context, c cable, w wall, role string, listener net.Listener) (*booted, error) {
	config := h.config
	if w.mac != nil {
		config.MAC = w.mac
	}
	w.mac = config.MAC
	plugged, err := c.plug(ctx, w)
	if err != nil {
		return nil, err
	}
	args := withoutAgent(config, h.accel, plugged.netdev, role)
	console := new(bytes.Buffer)
	child, err := process.Start(ctx, process.Cmd{Args: append([]string{qemu.Program}, args...), Stdout: console, Files: plugged.files})
	if err != nil {
		plugged.pull()
		return nil, err
	}
	go func() { child.Wait(); listener.Close() }()
	return &booted{child, console, func() { child.Kill(); child.Wait(); plugged.pull() }}, nil
}

// failed is an error with what the guest said.
func (g *booted) failed(err error) error {
	g.child.Kill()
	return fmt.Errorf("%w: %w\n%s", err, g.child.Wait(), g.console.String())
}

// withoutAgent is QEMU's command line for the image alone, which has no initramfs:
// the agent would insist on banger's network.
func withoutAgent(config vmm.Config, accel, netdev, role string) []string {
	config.Cmdline = append(slices.Clone(config.Cmdline), "root=/dev/vda", "ro")
	if accel == vmm.TCG {
		config.Cmdline = append(config.Cmdline, qemu.TSCArg())
	}
	config.Cmdline = append(config.Cmdline, roleArg+role)
	config.Disks = config.Disks[:1] // which two guests may read
	args := qemu.Args(config, accel, qemu.Setup{Network: 3})
	initrd := slices.Index(args, "-initrd")
	args = slices.Delete(args, initrd, initrd+2)
	cable := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "stream,id=net0") })
	args[cable] = netdev
	return args
}

// roleArg is how a guest is told what to do.
const roleArg = "bench="

// script is the guest's init, which does what its kernel's command line says.
func (c cable) script(port int) string {
	return fmt.Sprintf(`#!/bin/bash
exec >/dev/console 2>&1
mount -t proc none /proc
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up; ip link set eth0 up mtu %d; ip addr add %s/24 dev eth0; ip route replace default via %s
host=/dev/tcp/%s/%d
transfer() { %s; }
server() { ip addr add %[7]s dev eth0; perl -e '%[8]s'; echo ready >$host; }
client() { ip addr add %[9]s dev eth0; perl -e '%[10]s' "$peer" %[12]d >$host; }
read -r line </proc/cmdline; line=${line##*%[11]s}; line=${line%%%% *}; peer=${line#*,}; ${line%%%%,*}
exec sleep 1000
`, c.mtu, c.address, c.gateway, c.host, port, transfer(c.host, port), serverPlace, portServer, clientPlace, portClient, roleArg, carried)
}

// transfer is the guest's side of exchange, for bash.
func transfer(host string, port int) string {
	return fmt.Sprintf("exec 3<>/dev/tcp/%s/%d; head -c %d /dev/zero >&3; head -c %d <&3 >/dev/null; echo done >&3",
		host, port, carried, carried)
}

// exchange receives from the guest and then sends to it.
func exchange(listener net.Listener) (out, in time.Duration, err error) {
	conn, err := listener.Accept()
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	begin := time.Now()
	if _, err := io.CopyN(io.Discard, conn, carried); err != nil {
		return 0, 0, err
	}
	out, begin = time.Since(begin), time.Now()
	piece := make([]byte, 1<<20)
	for range carried / len(piece) {
		if _, err := conn.Write(piece); err != nil {
			return 0, 0, err
		}
	}
	_, err = conn.Read(piece)
	return out, time.Since(begin), err
}

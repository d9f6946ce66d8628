package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"banger/internal/agentapi"
	"banger/internal/process"
	"banger/internal/usernet"
	"banger/internal/vmm"
	"banger/internal/vmm/qemu"
)

// carried is how many bytes go each way.
const carried = 256 << 20

// patience is for one guest's boot and transfers.
const patience = 2 * time.Minute

// cable is one way to connect a guest made by hand to the host.
type cable struct {
	name                   string
	address, gateway, host string // in the guest; the host's loopback is at host
	mtu                    int
	// plug starts what the guest is to be connected to, and returns QEMU's
	// -netdev and the descriptors that go with it.
	plug func(ctx context.Context, dir string) (netdev string, files []*os.File, unplug func(), err error)
}

var cables = []cable{
	{"banger", agentapi.GuestIP, agentapi.GatewayIP, agentapi.HostIP, agentapi.MTU, plugUsernet},
	{"slirp", "10.0.2.15", "10.0.2.2", "10.0.2.2", 1500, plugSlirp},
	{"passt", "10.0.2.15", "10.0.2.2", "10.0.2.2", 65520, plugPasst},
}

// network compares how fast TCP gets out of a guest and into it, by banger's
// user-mode network and by QEMU's and Debian's. The kernel has its drivers built
// in.
func (b bench) network(ctx context.Context) error {
	hand, err := b.byHand(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(hand.dir)
	out, in := map[string]sample{}, map[string]sample{}
	for i := range b.pairs + 1 {
		for _, c := range cables {
			up, down, err := hand.carry(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if i > 0 {
				out[c.name], in[c.name] = append(out[c.name], up), append(in[c.name], down)
			}
		}
	}
	for _, c := range cables {
		fmt.Printf("TCP by %-6s  out of the guest %s, into it %s\n", c.name, rate(out[c.name]), rate(in[c.name]))
	}
	return nil
}

// rate is a sample's as amounts of data.
func rate(s sample) string { return fmt.Sprintf("%.0f Mbit/s", carried*8/s.median().Seconds()/1e6) }

// carry boots the guest by the cable and measures.
func (h handmade) carry(ctx context.Context, c cable) (out, in time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer listener.Close()
	if err := h.setInit(c.script(listener.Addr().(*net.TCPAddr).Port)); err != nil {
		return 0, 0, err
	}
	netdev, files, unplug, err := c.plug(ctx, h.dir)
	if err != nil {
		return 0, 0, err
	}
	defer unplug()
	args := withoutAgent(h.config, h.accel, netdev)
	var console bytes.Buffer
	child, err := process.Start(ctx, process.Cmd{Args: append([]string{qemu.Program}, args...), Stdout: &console, Files: files})
	if err != nil {
		return 0, 0, err
	}
	defer func() { child.Kill(); child.Wait() }()
	go func() { child.Wait(); listener.Close() }()
	out, in, err = exchange(listener)
	if err != nil {
		child.Kill()
		return 0, 0, fmt.Errorf("%w: %w\n%s", err, child.Wait(), console.String())
	}
	return out, in, nil
}

// withoutAgent is QEMU's command line for the image alone, which has no initramfs:
// the agent would insist on banger's network.
func withoutAgent(config vmm.Config, accel, netdev string) []string {
	config.Cmdline = append(slices.Clone(config.Cmdline), "root=/dev/vda", "ro")
	if accel == vmm.TCG {
		config.Cmdline = append(config.Cmdline, qemu.TSCArg())
	}
	args := qemu.Args(config, accel, qemu.Setup{Network: 3})
	initrd := slices.Index(args, "-initrd")
	args = slices.Delete(args, initrd, initrd+2)
	cable := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "stream,id=net0") })
	args[cable] = netdev
	return args
}

// script is the guest's init: it sends, receives, and says that it has.
func (c cable) script(port int) string {
	return fmt.Sprintf(`#!/bin/bash
exec >/dev/console 2>&1
mount -t proc none /proc
ip link set eth0 up
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set eth0 mtu %d; ip addr add %s/24 dev eth0; ip route replace default via %s
%s
exec sleep 1000
`, c.mtu, c.address, c.gateway, transfer(c.host, port))
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

func plugUsernet(ctx context.Context, _ string) (string, []*os.File, func(), error) {
	network, err := usernet.New(usernet.Options{HostLoopback: true})
	if err != nil {
		return "", nil, nil, err
	}
	if err := greet(network); err != nil {
		return "", nil, nil, err
	}
	conn, peer, err := socketPair()
	if err != nil {
		return "", nil, nil, err
	}
	go network.ServeStream(ctx, conn)
	return "stream,id=net0,addr.type=fd,addr.str=3", []*os.File{peer}, func() { peer.Close(); network.Close() }, nil
}

func plugSlirp(context.Context, string) (string, []*os.File, func(), error) {
	return "user,id=net0", nil, func() {}, nil
}

func plugPasst(ctx context.Context, dir string) (string, []*os.File, func(), error) {
	socket := filepath.Join(dir, "passt.sock")
	os.Remove(socket)
	// It goes into the background when its socket is there, and ends with QEMU.
	cmd := exec.CommandContext(ctx, "passt", "--one-off", "--socket", socket,
		"--runas", strconv.Itoa(os.Getuid()), "--address", "10.0.2.15", "--netmask", "24", "--gateway", "10.0.2.2", "--mtu", "65520", "--quiet")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", nil, nil, errors.Join(err, errors.New(string(out)))
	}
	return "stream,id=net0,server=off,addr.type=unix,addr.path=" + socket, nil, func() {}, nil
}

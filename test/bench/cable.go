package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"banger/internal/agentapi"
	"banger/internal/ports"
	"banger/internal/usernet"
)

// cable is one way to connect a guest made by hand to the host.
type cable struct {
	name                   string
	address, gateway, host string // in the guest; the host's loopback is at host
	mtu                    int
	// plug starts what the guest is to be connected to.
	plug func(context.Context, wall) (plug, error)
}

// wall is what a guest's cable is plugged into.
type wall struct {
	dir  string // for sockets
	port uint16 // of the host's loopback, that is to lead to the guest's servedPort; 0 is none
	// place is the guest's among others by banger, which the rivals do not have.
	place *usernet.Place
	mac   net.HardwareAddr // of the guest's card
}

// plug is a cable that is plugged in.
type plug struct {
	netdev string     // QEMU's
	files  []*os.File // the descriptors that go with it, from 3 on
	pull   func()
}

var cables = []cable{
	{"banger", agentapi.GuestIP, agentapi.GatewayIP, agentapi.HostIP, agentapi.MTU, plugUsernet},
	{"slirp", "10.0.2.15", "10.0.2.2", "10.0.2.2", 1500, plugSlirp},
	{"passt", "10.0.2.15", "10.0.2.2", "10.0.2.2", 65520, plugPasst},
}

// servedPort is where a guest serves.
const servedPort = 7000

var hostLoopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func plugUsernet(ctx context.Context, w wall) (plug, error) {
	options := usernet.Options{HostLoopback: true, MAC: w.mac}
	if w.place != nil {
		options.Name, options.Networks = w.place.Address.Addr().String(), []usernet.Place{*w.place}
	}
	network, err := usernet.New(options)
	if err != nil {
		return plug{}, err
	}
	pull := network.Close
	if w.port != 0 {
		spec := ports.Spec{HostIP: hostLoopback, HostPort: w.port, GuestPort: servedPort, Protocol: ports.TCP}
		listener, err := ports.Listen(spec, func() (ports.Guest, error) { return network, nil })
		if err != nil {
			network.Close()
			return plug{}, err
		}
		pull = func() { listener.Close(); network.Close() }
	}
	conn, peer, err := socketPair()
	if err != nil {
		pull()
		return plug{}, err
	}
	go network.ServeStream(ctx, conn)
	return plug{"stream,id=net0,addr.type=fd,addr.str=3", []*os.File{peer}, func() { peer.Close(); pull() }}, nil
}

func plugSlirp(_ context.Context, w wall) (plug, error) {
	netdev := "user,id=net0"
	if w.port != 0 {
		netdev += fmt.Sprintf(",hostfwd=tcp:%s:%d-:%d", hostLoopback, w.port, servedPort)
	}
	return plug{netdev, nil, func() {}}, nil
}

func plugPasst(ctx context.Context, w wall) (plug, error) {
	socket := filepath.Join(w.dir, fmt.Sprintf("passt%d.sock", w.port))
	os.Remove(socket)
	args := []string{
		"--one-off", "--socket", socket, "--runas", strconv.Itoa(os.Getuid()), "--address", "10.0.2.15", "--netmask", "24",
		"--gateway", "10.0.2.2", "--mtu", "65520", "--quiet",
	}
	if w.port != 0 {
		args = append(args, "--tcp-ports", fmt.Sprintf("%s/%d:%d", hostLoopback, w.port, servedPort))
	}
	// It goes into the background when its socket is there, and ends with QEMU.
	if out, err := exec.CommandContext(ctx, "passt", args...).CombinedOutput(); err != nil {
		return plug{}, errors.Join(err, errors.New(string(out)))
	}
	return plug{"stream,id=net0,server=off,addr.type=unix,addr.path=" + socket, nil, func() {}}, nil
}

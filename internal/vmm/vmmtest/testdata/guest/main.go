// Guest is /init in the guests that vmmtest boots. It prints what it finds on
// its console and then obeys orders that come as Ethernet frames.
package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// etherType is one that IEEE 802 leaves to local experiments.
const etherType = 0x88b5

const headerSize = 14

func main() {
	mount("proc", "/proc")
	mount("sysfs", "/sys")
	mount("devtmpfs", "/dev")
	loadModules()
	say("cpus %s", read("/sys/devices/system/cpu/present")) // the agent starts them
	say("cmdline %s", read("/proc/cmdline"))
	for _, disk := range glob("/sys/block/vd*") {
		say("disk %s sectors=%s ro=%s", filepath.Base(disk), read(disk+"/size"), read(disk+"/ro"))
	}
	nic, err := net.InterfaceByName("eth0")
	check(err)
	say("nic %s", nic.HardwareAddr)
	cable := plug(nic)
	cable.send("hello")
	say("ready")
	for {
		obey(cable, cable.receive())
	}
}

// kept is what the guest was told to keep.
var kept string

func obey(c *cable, order string) {
	if text, ok := strings.CutPrefix(order, "keep "); ok {
		kept = text
	}
	switch order {
	case "tell":
		c.send("kept " + kept)
	case "scribble":
		pad.start()
	case "look":
		c.send(pad.look())
	case "write":
		say("write vda: %v", write("/dev/vda"))
		say("write vdb: %v", write("/dev/vdb"))
	case "reboot":
		check(unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART))
	case "panic":
		check(os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0))
	}
	c.send("done " + order)
}

// scribbles is memory that is written to all the time, in one order: wherever that
// stops, the numbers of a round are followed by those of the one before.
type scribbles struct {
	pages [4 << 10][4 << 10]byte
	stop  chan chan string
}

var pad = scribbles{stop: make(chan chan string)}

func (s *scribbles) start() {
	go func() {
		for round := byte(1); ; round++ {
			for i := range s.pages {
				s.pages[i][0] = round
				select {
				case look := <-s.stop:
					look <- s.read(round, i)
					return
				default:
				}
			}
		}
	}()
}

// look ends it, and says what is there.
func (s *scribbles) look() string {
	look := make(chan string)
	s.stop <- look
	return <-look
}

func (s *scribbles) read(round byte, last int) string {
	for i := range s.pages {
		want := round
		if i > last {
			want--
		}
		if got := s.pages[i][0]; got != want {
			return fmt.Sprintf("page %d of round %d has %d", i, round, got)
		}
	}
	return "in order"
}

// write writes a disk's first sector and flushes it.
func write(disk string) error {
	f, err := os.OpenFile(disk, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write([]byte(strings.Repeat("g", 512))); err != nil {
		return err
	}
	return f.Sync()
}

// cable is the guest's end of its network cable.
type cable struct {
	fd  int
	nic *net.Interface
}

func plug(nic *net.Interface) *cable {
	const network = etherType<<8&0xff00 | etherType>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, network)
	check(err)
	request, err := unix.NewIfreq(nic.Name)
	check(err)
	request.SetUint16(unix.IFF_UP)
	check(unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request))
	check(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network, Ifindex: nic.Index}))
	return &cable{fd, nic}
}

func (c *cable) send(message string) {
	frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, c.nic.HardwareAddr...)
	frame = append(append(frame, etherType>>8, etherType&0xff), message...)
	_, err := unix.Write(c.fd, frame)
	check(err)
}

func (c *cable) receive() string {
	frame := make([]byte, 2048)
	n, err := unix.Read(c.fd, frame)
	check(err)
	return strings.TrimRight(string(frame[headerSize:n]), "\x00")
}

func loadModules() {
	for _, file := range glob("/modules/*") {
		f, err := os.Open(file)
		check(err)
		check(unix.FinitModule(int(f.Fd()), "", 0))
		f.Close()
	}
}

func mount(kind, dir string) {
	check(os.MkdirAll(dir, 0o755))
	check(unix.Mount(kind, dir, kind, 0, ""))
}

func glob(pattern string) []string {
	files, err := filepath.Glob(pattern)
	check(err)
	return files
}

func read(file string) string {
	data, err := os.ReadFile(file)
	check(err)
	return strings.TrimSpace(string(data))
}

func say(format string, args ...any) {
	fmt.Printf("guest: "+format+"\n", args...)
}

// check ends the guest, which its kernel takes badly.
func check(err error) {
	if err != nil {
		say("failed: %v", err)
		os.Exit(1)
	}
}

// Command hostile is what root in a guest can do to its host, all at once and
// until it is killed: thousands of connections, half-open ones, fragments, floods
// of datagrams, queries, pings and ARP, garbage to the port of the supervisor's that
// the agent dials, endless console lines, a full disk.
//
// It is built without cgo, copied into a guest and run there as root:
//
//	hostile [-sink HOST:PORT] [-source HOST:PORT] [-connections N] [-only NAME,...]
//
// sink is a server outside that accepts connections and never reads, source one
// that sends without end; without them, connections go nowhere. Once each attack
// has got somewhere it prints "all at work", and then every ten seconds how often
// each did what it does. test/vm holds a supervisor against it, and so does
// test/soak. -only agent garbles the link of the agent itself, by which commands come
// into the guest: start it detached.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/agentapi"
)

// nowhere is an address that nobody has: RFC 5737.
const nowhere = "192.0.2.1:9"

// target is what is attacked.
type target struct {
	sink   string
	source string
}

// attack is one kind of harm. It goes on for ever, and counts what it does.
type attack struct {
	name   string
	enough int64 // of what is counted, to be at work
	run    func(target, *atomic.Int64) error
	count  atomic.Int64
}

var attacks = []*attack{
	{name: "connections", run: connections},
	{name: "half-open", enough: 1000, run: halfOpen},
	{name: "fragments", enough: 1000, run: fragments},
	{name: "arp", enough: 1000, run: arp},
	{name: "frames", enough: 1000, run: frames},
	{name: "datagrams", enough: 1000, run: datagrams},
	{name: "pings", enough: 1000, run: pings},
	{name: "names", enough: 1000, run: names},
	{name: "link", enough: 20, run: linkPort},
	{name: "console", enough: 1000, run: console},
	{name: "disk", enough: 1, run: disk},
}

// rude is not among them: it takes the link that commands, this one too, come by.
var rude = &attack{name: "agent", enough: 3, run: agentLink}

func main() {
	t := target{}
	flag.StringVar(&t.sink, "sink", nowhere, "server that accepts and never reads")
	flag.StringVar(&t.source, "source", nowhere, "server that sends without end")
	flag.Int64Var(&attacks[0].enough, "connections", 20_000, "how many connections to try before it says that it is at work")
	only := flag.String("only", "", "the attacks to run, separated by commas; all if none")
	flag.Parse()
	if t.sink == nowhere {
		attacks[0].enough = 1 // they take long to fail
	}
	if *only != "" {
		attacks = slices.DeleteFunc(append(attacks, rude), func(a *attack) bool { return !slices.Contains(strings.Split(*only, ","), a.name) })
	}
	raiseLimits()
	for _, a := range attacks {
		go func() {
			if err := a.run(t, &a.count); err != nil {
				fmt.Fprintf(os.Stderr, "hostile: %s: %v\n", a.name, err)
				os.Exit(1)
			}
		}()
	}
	for !allAtWork() {
		time.Sleep(time.Second)
	}
	fmt.Println("all at work")
	for ; ; time.Sleep(10 * time.Second) {
		report()
	}
}

func allAtWork() bool {
	for _, a := range attacks {
		if a.count.Load() < a.enough {
			return false
		}
	}
	return true
}

func report() {
	var counts []string
	for _, a := range attacks {
		counts = append(counts, fmt.Sprintf("%s %d", a.name, a.count.Load()))
	}
	fmt.Println(strings.Join(counts, ", "))
}

// raiseLimits lets it have its descriptors, and the guest's kernel its ports.
func raiseLimits() {
	most := unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	unix.Setrlimit(unix.RLIMIT_NOFILE, &most)
	os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("1100 65000"), 0o644)
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0o644)
}

// gateway is the supervisor, as its guest sees it.
func gateway(port int) string { return fmt.Sprintf("%s:%d", agentapi.GatewayIP, port) }

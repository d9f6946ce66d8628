package usernet

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"banger/internal/hostname"
)

// resolve answers a query, or returns nil where it is no query.
func (n *Network) resolve(query []byte, ask exchange) []byte {
	q, ok := parseQuestion(query)
	if !ok {
		return nil
	}
	if n.options.HostLoopback && strings.EqualFold(q.name, HostName) {
		reply := n.answerHost(query, q)
		if n.options.Edge.Knows(HostName) {
			n.secrets.learn(HostName, reply, maxNameLife, time.Now())
		}
		return reply
	}
	if reply := n.resolvePeer(query, q); reply != nil {
		return reply
	}
	if rule := n.options.Isolated; rule != "" {
		n.note("denied name %q by %s", q.name, rule)
		return answer(query, q, nameError)
	}
	rules := n.policy()
	if v := rules.Name(q.name); !v.Allowed {
		n.note("denied name %q by %s", q.name, v.Rule)
		return answer(query, q, nameError) // which no resolver asks again for
	}
	if q.kind == typeHTTPS && (rules.Names() || n.options.Edge.Knows(hostname.Canonical(q.name))) {
		// Which has keys to hide the host's name from judgeTLS, and addresses.
		return answer(query, q, noError)
	}
	reply := n.answerHosts(query, q)
	if reply == nil {
		reply = n.askServers(query, ask)
	}
	n.note("allowed name %q by %s", q.name, rules.Name(q.name).Rule)
	if rules.Names() {
		n.known.learn(hostname.Canonical(q.name), reply, minNameLife, time.Now())
	}
	if name := hostname.Canonical(q.name); n.options.Edge.Knows(name) {
		// Whose certificates show who they are: this is for clients that ask once.
		n.secrets.learn(name, reply, maxNameLife, time.Now())
	}
	switch {
	case reply == nil && n.ctx.Err() == nil:
		n.logf("no name server of the host answers for %q", q.name)
		fallthrough
	case reply == nil:
		return answer(query, q, serverFailure)
	case q.kind == typeAAAA:
		return answer(query, q, reply[3]&rcodeMask)
	}
	return reply
}

// askServers returns the first answer of the host's name servers, of those that
// do not know or do not want the last; nil is none.
func (n *Network) askServers(query []byte, ask exchange) (reply []byte) {
	for _, server := range n.servers() {
		next, err := ask(n.ctx, server, query)
		if err != nil {
			continue
		}
		reply = next
		switch reply[3] & rcodeMask {
		case serverFailure, notImplemented, refused: // as glibc's res_send does
		default:
			return reply
		}
	}
	return reply
}

// answerHost gives the host's address in the guest's network.
func (n *Network) answerHost(query []byte, q question) []byte {
	if q.kind != typeA {
		return answer(query, q, noError)
	}
	return answerWith(query, q, host.AsSlice())
}

// answerWith answers with records of the kind that is asked for, which are not to
// be cached.
func answerWith(query []byte, q question, records ...[]byte) []byte {
	reply := answer(query, q, noError)
	binary.BigEndian.PutUint16(reply[answerCount:], uint16(len(records)))
	for _, data := range records {
		reply = append(reply, 0xc0, headerSize) // the name is that of the question
		reply = binary.BigEndian.AppendUint16(reply, q.kind)
		reply = binary.BigEndian.AppendUint16(reply, classIN)
		reply = binary.BigEndian.AppendUint32(reply, 0)
		reply = binary.BigEndian.AppendUint16(reply, uint16(len(data)))
		reply = append(reply, data...)
	}
	return reply
}

// maxServers is resolv.conf(5)'s MAXNS.
const maxServers = 3

// hostServers reads the host's configuration anew each time: laptops travel.
func hostServers() []string {
	f, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return parseServers(strings.NewReader(""))
	}
	defer f.Close()
	return parseServers(f)
}

// parseServers lists the servers of a resolv.conf(5). Where it has none, that
// means the local one.
func parseServers(conf io.Reader) []string {
	var servers []string
	for lines := bufio.NewScanner(conf); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "nameserver" && len(servers) < maxServers {
			servers = append(servers, net.JoinHostPort(fields[1], "53"))
		}
	}
	if servers == nil {
		servers = []string{net.JoinHostPort(loopback.String(), "53")}
	}
	return servers
}

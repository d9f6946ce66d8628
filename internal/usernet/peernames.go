package usernet

import (
	"net/netip"
	"strings"

	"banger/internal/agentapi"
	"banger/internal/hostname"
	"banger/internal/usernet/policy"
)

// zone is where banger's own names are. Nothing of it is asked outside.
const zone = agentapi.Zone

// resolvePeer answers where a name, or the address that one is asked for, is one
// of the guest's networks'; else it returns nil.
func (n *Network) resolvePeer(query []byte, q question) []byte {
	if q.kind == typePTR {
		return n.resolvePeerAddress(query, q)
	}
	label, ours := strings.CutSuffix(hostname.Canonical(q.name), "."+zone)
	ours = ours || label == zone
	if strings.Contains(label, ".") && !ours {
		return nil
	}
	known := ours
	var records [][]byte
	for _, p := range n.places {
		m, ok := p.Directory.ByName(label)
		known = known || ok
		if !ok || !m.Up {
			continue
		}
		v := n.policy().PeerName(policy.PeerNames(label), p.asRule())
		if !v.Allowed {
			n.note("denied name %q by %s", q.name, v.Rule)
			continue
		}
		n.note("allowed name %q by %s", q.name, v.Rule)
		records = append(records, m.Address.AsSlice())
	}
	switch {
	case !known:
		return nil
	case records == nil:
		return answer(query, q, nameError)
	case q.kind != typeA:
		return answer(query, q, noError)
	}
	return answerWith(query, q, records...)
}

// resolvePeerAddress answers which name an address has.
func (n *Network) resolvePeerAddress(query []byte, q question) []byte {
	labels := strings.Split(hostname.Canonical(q.name), ".")
	if len(labels) != 6 || labels[4] != "in-addr" || labels[5] != "arpa" {
		return nil
	}
	address, err := netip.ParseAddr(strings.Join([]string{labels[3], labels[2], labels[1], labels[0]}, "."))
	if err != nil {
		return nil
	}
	p := n.placeWith(address)
	if p == nil {
		return nil
	}
	m, ok := p.Directory.ByAddress(address)
	if !ok || !m.Up || !n.policy().PeerName(policy.PeerNames(m.Name), p.asRule()).Allowed {
		return answer(query, q, nameError)
	}
	return answerWith(query, q, encodeName(m.Name+"."+zone))
}

func encodeName(name string) (encoded []byte) {
	for label := range strings.SplitSeq(name, ".") {
		encoded = append(append(encoded, byte(len(label))), label...)
	}
	return append(encoded, 0)
}

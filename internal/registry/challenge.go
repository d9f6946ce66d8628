package registry

import "strings"

// challenge is a way to log in that a server offers.
type challenge struct {
	scheme string            // in lower case
	params map[string]string // by name in lower case
}

// parseChallenges reads WWW-Authenticate headers, each of which may have several
// challenges in it (RFC 9110, 11.6.1). What is wrong in one ends that one.
func parseChallenges(headers []string) []challenge {
	var all []challenge
	for _, text := range headers {
		for text = trimList(text); text != ""; text = trimList(text) {
			var word string
			word, text = cutWord(text)
			rest := strings.TrimLeft(text, " \t")
			if word == "" {
				break
			}
			if !strings.HasPrefix(rest, "=") {
				all = append(all, challenge{strings.ToLower(word), map[string]string{}})
				continue
			}
			var value string
			value, text = cutValue(strings.TrimLeft(rest[1:], " \t"))
			if len(all) > 0 {
				all[len(all)-1].params[strings.ToLower(word)] = value
			}
		}
	}
	return all
}

func trimList(text string) string { return strings.TrimLeft(text, ", \t") }

func cutWord(text string) (word, rest string) {
	at := strings.IndexAny(text, "=, \t\"")
	if at < 0 {
		return text, ""
	}
	return text[:at], text[at:]
}

// cutValue takes a value off text. One that should have stood in quotes, such as
// an address, ends at the next comma.
func cutValue(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		value, rest, _ = strings.Cut(text, ",")
		return strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for at := 1; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			return b.String(), text[at+1:]
		case c == '\\' && at+1 < len(text):
			at++
			b.WriteByte(text[at])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

package agentapi

import (
	"encoding/json"
	"unicode/utf8"
)

// Raw is text for a program or a file's name, which need not be UTF-8: those are
// whatever bytes they are, and a string of JSON has no room for them.
type Raw string

type rawBytes struct {
	Bytes []byte `json:"bytes"`
}

// MarshalJSON implements json.Marshaler.
func (r Raw) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(r)) {
		return json.Marshal(string(r))
	}
	return json.Marshal(rawBytes{[]byte(r)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Raw) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '{' {
		return json.Unmarshal(text, (*string)(r))
	}
	var b rawBytes
	err := json.Unmarshal(text, &b)
	*r = Raw(b.Bytes)
	return err
}

// rawExecStream is an ExecStream as it is written. What is its own hides what it
// embeds.
type rawExecStream struct {
	plainExecStream
	Argv []Raw `json:"argv,omitempty"`
	Line Raw   `json:"line,omitempty"`
	Dir  Raw   `json:"dir,omitempty"`
	Env  []Raw `json:"env,omitempty"`
}

type plainExecStream ExecStream

// MarshalJSON implements json.Marshaler.
func (e ExecStream) MarshalJSON() ([]byte, error) {
	return json.Marshal(rawExecStream{plainExecStream(e), asStrings[Raw](e.Argv), Raw(e.Line), Raw(e.Dir), asStrings[Raw](e.Env)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *ExecStream) UnmarshalJSON(text []byte) error {
	var r rawExecStream
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	*e = ExecStream(r.plainExecStream)
	e.Argv, e.Line, e.Dir, e.Env = asStrings[string](r.Argv), string(r.Line), string(r.Dir), asStrings[string](r.Env)
	return nil
}

func asStrings[To, From ~string](list []From) []To {
	if list == nil {
		return nil
	}
	to := make([]To, len(list))
	for i, s := range list {
		to[i] = To(s)
	}
	return to
}

// Raws are names as a stream has them.
func Raws(list []string) []Raw { return asStrings[Raw](list) }

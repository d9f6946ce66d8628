package agentapi

import (
	"encoding/json"
	"unicode/utf8"
)

// raw is text for a program, which need not be UTF-8: file names are whatever
// bytes they are, and a string of JSON has no room for those.
type raw string

type rawBytes struct {
	Bytes []byte `json:"bytes"`
}

func (r raw) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(r)) {
		return json.Marshal(string(r))
	}
	return json.Marshal(rawBytes{[]byte(r)})
}

func (r *raw) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '{' {
		return json.Unmarshal(text, (*string)(r))
	}
	var b rawBytes
	err := json.Unmarshal(text, &b)
	*r = raw(b.Bytes)
	return err
}

// rawExecStream is an ExecStream as it is written. What is its own hides what it
// embeds.
type rawExecStream struct {
	plainExecStream
	Argv []raw `json:"argv,omitempty"`
	Line raw   `json:"line,omitempty"`
	Dir  raw   `json:"dir,omitempty"`
	Env  []raw `json:"env,omitempty"`
}

type plainExecStream ExecStream

// MarshalJSON implements json.Marshaler.
func (e ExecStream) MarshalJSON() ([]byte, error) {
	return json.Marshal(rawExecStream{plainExecStream(e), asStrings[raw](e.Argv), raw(e.Line), raw(e.Dir), asStrings[raw](e.Env)})
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

package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"time"
	"unicode/utf8"

	"banger/internal/engine"
)

// Bounds of a program's output in one answer, in bytes.
const (
	usualOutput = 1 << 20
	maxOutput   = 16 << 20
)

// program is one to run in a guest.
type program struct {
	Argv     argv     `json:"argv"`
	Dir      string   `json:"dir,omitempty"`
	Env      []string `json:"env,omitempty" jsonschema:"each is KEY=VALUE"`
	User     string   `json:"user,omitempty"`
	WaitInit bool     `json:"wait_init,omitempty" jsonschema:"wait until the guest's init has finished booting"`
}

func (p program) engine() engine.Program {
	return engine.Program{Argv: p.Argv, Dir: p.Dir, Env: p.Env, User: p.User, WaitInit: p.WaitInit}
}

// run is a program that is run to its end.
type run struct {
	program
	Stdin          string   `json:"stdin,omitempty"`
	StdinEncoding  encoding `json:"stdin_encoding,omitempty" jsonschema:"of stdin: utf-8 where it is not given, or base64 for any bytes"`
	TimeoutSeconds amount   `json:"timeout_seconds,omitempty" jsonschema:"after which the program is ended; none where it is not given"`
	MaxOutput      amount   `json:"max_output,omitempty" jsonschema:"bytes of each stream that are kept; 1 MiB where it is not given, 16 MiB at the most"`
}

// encoding is how a text stands for bytes.
type encoding string

const (
	plainText encoding = "utf-8"
	inBase64  encoding = "base64"
)

// input is the bytes that stdin stands for.
func (r run) input() ([]byte, error) {
	if r.StdinEncoding != inBase64 {
		return []byte(r.Stdin), nil
	}
	text, err := base64.StdEncoding.DecodeString(r.Stdin)
	if err != nil {
		return nil, inputErrorf("stdin is not in base64: %w", err)
	}
	return text, nil
}

// ran is what became of a program.
type ran struct {
	Status    int      `json:"status" jsonschema:"its exit status"`
	Stdout    string   `json:"stdout"`
	Stderr    string   `json:"stderr"`
	Encoding  encoding `json:"encoding" jsonschema:"of both streams: utf-8, or base64 where one is not text"`
	Truncated bool     `json:"truncated" jsonschema:"there was more output than is kept: the end is left out"`
}

func (s *server) execOperations() []operation {
	return []operation{
		op(http.MethodPost, "/vms/{name}/exec", "exec", "Run a program in a running VM to its end", s.exec),
		s.attachOperation(),
	}
}

// exec runs a program. A client that hangs up ends it.
func (s *server) exec(ctx context.Context, in struct {
	Name string `path:"name"`
	Body run
}) (ran, error) {
	p := in.Body.engine()
	stdin, err := in.Body.input()
	if err != nil {
		return ran{}, err
	}
	if in.Body.TimeoutSeconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(in.Body.TimeoutSeconds)*time.Second)
		defer cancel()
	}
	limit := usualOutput
	if in.Body.MaxOutput > 0 {
		limit = min(int(in.Body.MaxOutput), maxOutput)
	}
	stdout, stderr := head{limit: limit}, head{limit: limit}
	p.Attach = func() (engine.Attachment, error) {
		return engine.Attachment{Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr}, nil
	}
	status, err := s.engine.ExecVM(ctx, in.Name, p)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		err = context.DeadlineExceeded
	}
	return answer(status, &stdout, &stderr), err
}

func answer(status int, stdout, stderr *head) ran {
	r := ran{Status: status, Encoding: plainText, Truncated: stdout.more || stderr.more}
	encode := func(text []byte) string { return string(text) }
	if !utf8.Valid(stdout.text) || !utf8.Valid(stderr.text) {
		r.Encoding, encode = inBase64, base64.StdEncoding.EncodeToString
	}
	r.Stdout, r.Stderr = encode(stdout.text), encode(stderr.text)
	return r
}

// head keeps the beginning of what is written to it.
type head struct {
	text  []byte
	limit int
	more  bool
}

func (h *head) Write(p []byte) (int, error) {
	kept := p[:min(len(p), h.limit-len(h.text))]
	h.text = append(h.text, kept...)
	h.more = h.more || len(kept) < len(p)
	return len(p), nil
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/crypto/ssh"
)

// apiGoal is how much longer an exec over the API is to take than one by SSH, both on a
// connection that is kept.
const apiGoal = 5 * time.Millisecond

// faces compares exec over the API and over MCP with SSH, each on a connection that is
// kept, in the VM that exec has made. config is OpenSSH's for it.
func (b bench) faces(ctx context.Context, config string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	bySSH, end, err := b.keptSSH(ctx, config)
	if err != nil {
		return fmt.Errorf("keep a connection of SSH: %w", err)
	}
	defer end()
	byAPI, end, err := b.keptAPI(ctx)
	if err != nil {
		return fmt.Errorf("serve the API: %w", err)
	}
	defer end()
	byMCP, end, err := b.keptMCP(ctx)
	if err != nil {
		return fmt.Errorf("serve MCP: %w", err)
	}
	defer end()
	api, s, err := inTurn(4*b.pairs, byAPI, bySSH)
	if err != nil {
		return err
	}
	agents, _, err := inTurn(4*b.pairs, byMCP, bySSH)
	if err != nil {
		return err
	}
	fmt.Printf("true over the API, on a connection that is kept: %v\n", api)
	fmt.Printf("by SSH, on a connection that is kept:            %v\n", s)
	fmt.Printf("by MCP's tool run, in a shell:                   %v\n", agents)
	fmt.Printf("the API takes %v more than SSH (goal %v)\n", (api.median() - s.median()).Round(time.Millisecond/10), apiGoal)
	return nil
}

// took is how long f takes.
func took(f func() error) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		begun := time.Now()
		err := f()
		return time.Since(begun), err
	}
}

// keptSSH runs true by Go's own SSH, over what vm ssh --proxy joins.
func (b bench) keptSSH(ctx context.Context, config string) (run func() (time.Duration, error), end func(), err error) {
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, nil, err
	}
	with, err := sshClientConfig(string(text))
	if err != nil {
		return nil, nil, err
	}
	proxy := exec.CommandContext(ctx, b.banger, "vm", "ssh", "--proxy", execVM)
	in, err := proxy.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := proxy.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := proxy.Start(); err != nil {
		return nil, nil, err
	}
	end = func() {
		in.Close()
		_ = proxy.Wait() // that it was hung up on is as was asked
	}
	conn, channels, requests, err := ssh.NewClientConn(pipes{out: out, in: in}, execVM, with)
	if err != nil {
		end()
		return nil, nil, err
	}
	client := ssh.NewClient(conn, channels, requests)
	return took(func() error {
		session, err := client.NewSession()
		if err != nil {
			return err
		}
		defer session.Close()
		return session.Run("true")
	}), end, nil
}

// pipes are a connection. Nothing but its streams is asked for.
type pipes struct {
	net.Conn // nil
	out      io.Reader
	in       io.WriteCloser
}

func (p pipes) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p pipes) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p pipes) Close() error                { return p.in.Close() }
func (p pipes) RemoteAddr() net.Addr        { return &net.UnixAddr{} }
func (p pipes) LocalAddr() net.Addr         { return &net.UnixAddr{} }

// sshClientConfig is for Go's SSH what a configuration is for OpenSSH.
func sshClientConfig(text string) (*ssh.ClientConfig, error) {
	file := func(option string) ([]byte, error) {
		_, rest, _ := strings.Cut(text, option+" ")
		path, _, _ := strings.Cut(rest, "\n")
		return os.ReadFile(strings.Trim(path, `"`))
	}
	key, err := file("IdentityFile")
	if err != nil {
		return nil, err
	}
	known, err := file("UserKnownHostsFile")
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		return nil, err
	}
	_, _, host, _, _, err := ssh.ParseKnownHosts(known)
	if err != nil {
		return nil, err
	}
	return &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(host)}, nil
}

// keptAPI runs true over banger serve.
func (b bench) keptAPI(ctx context.Context) (run func() (time.Duration, error), end func(), err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	socket := filepath.Join(dir, "api.sock")
	server := exec.CommandContext(ctx, b.banger, "serve", "--socket", socket)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	says, err := server.StderrPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		return nil, nil, err
	}
	end = func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
		os.RemoveAll(dir)
	}
	if !bufio.NewScanner(says).Scan() {
		end()
		return nil, nil, errors.New("it does not say that it serves")
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	return took(func() error {
		answer, err := client.Post("http://banger/v1/vms/"+execVM+"/exec", "application/json", strings.NewReader(`{"argv": ["true"]}`))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != http.StatusCreated {
			err = fmt.Errorf("%s: %s", answer.Status, text)
		}
		return err
	}), end, nil
}

// keptMCP runs true by banger mcp's tool, which a shell is a part of.
func (b bench) keptMCP(ctx context.Context) (run func() (time.Duration, error), end func(), err error) {
	server := exec.Command(b.banger, "mcp", "--vm", execVM)
	session, err := mcp.NewClient(&mcp.Implementation{Name: "bench"}, nil).Connect(ctx, &mcp.CommandTransport{Command: server}, nil)
	if err != nil {
		return nil, nil, err
	}
	call := mcp.CallToolParams{Name: "run", Arguments: map[string]any{"command": "true", "sandbox": execVM}}
	return took(func() error {
		result, err := session.CallTool(ctx, &call)
		if err == nil && result.IsError {
			err = fmt.Errorf("the tool says %v", result.Content)
		}
		return err
	}), func() { session.Close() }, nil
}

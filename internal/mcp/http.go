package mcp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/net/netutil"

	"banger/internal/bearer"
)

// TokenVariable is the environment's name for the token that HTTP clients send.
const TokenVariable = "BANGER_MCP_TOKEN"

// maxConnections is how many clients may be connected at a time; others wait.
const maxConnections = 200

// serveHTTP serves at a loopback address to clients that have the token, until ctx
// ends. They share the desk.
func serveHTTP(ctx context.Context, s *sdk.Server, address string, messages io.Writer) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return fmt.Errorf("--http %q is no loopback address and port, such as 127.0.0.1:7777", address)
	}
	token := os.Getenv(TokenVariable)
	if token == "" {
		token = rand.Text()
		fmt.Fprintf(messages, "the token is %s (%s gives another)\n", token, TokenVariable)
	} else if err := bearer.Check(TokenVariable, token); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler(s, token),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	fmt.Fprintf(messages, "serving at http://%s/\n", listener.Addr())
	if err := server.Serve(netutil.LimitListener(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler lets through to the server who sends the token, and no page of another
// site.
func handler(s *sdk.Server, token string) http.Handler {
	served := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, &sdk.StreamableHTTPOptions{
		MaxRequestBodyBytes: 2 * maxFile,
		SessionTimeout:      time.Hour,
	})
	checked := bearer.Require(token, served, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
	})
	return http.NewCrossOriginProtection().Handler(checked)
}

package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"banger/internal/bearer"
	"banger/internal/engine"
)

// TokenVariable is the environment's name for the token that TCP clients send.
const TokenVariable = "BANGER_API_TOKEN"

// maxConnections is how many clients may be connected at a time; others wait.
const maxConnections = 2000

// serveOptions are the server's flags.
type serveOptions struct {
	socket   string
	listen   string
	cert     string
	key      string
	describe bool
}

// Command returns the command that serves an engine over HTTP. hint says what to do
// about an error.
func Command(e *engine.Engine, hint func(error) string) *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve banger's operations over HTTP and JSON, on a Unix socket",
		Long: "Serve banger's operations over HTTP and JSON, until ^C. Whoever may connect may do all that you may: the socket is\n" +
			"yours alone, and TCP wants TLS and the token in " + TokenVariable + ". VMs live on when it ends.",
		Example: "  banger serve &\n" +
			"  curl --unix-socket $XDG_RUNTIME_DIR/banger.sock http://localhost/v1/vms",
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	flags.StringVar(&o.socket, "socket", "", "the Unix socket (default banger.sock in $XDG_RUNTIME_DIR, or else in the state directory)")
	flags.StringVar(&o.listen, "listen", "", "serve TCP at this address, such as 127.0.0.1:7777, in place of the socket")
	flags.StringVar(&o.cert, "tls-cert", "", "file with the certificate for TCP")
	flags.StringVar(&o.key, "tls-key", "", "file with its key")
	flags.BoolVar(&o.describe, "openapi", false, "print the OpenAPI description, and serve nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s := &server{engine: e, hint: hint}
		if o.describe {
			document, err := describe(s.operations(), e.Version)
			if err == nil {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", document)
			}
			return err
		}
		return s.serve(c.Context(), o, c.ErrOrStderr())
	}
	return c
}

// serve serves until ctx ends. What clients have asked for is ended then too, but
// VMs.
func (s *server) serve(ctx context.Context, o serveOptions, messages io.Writer) error {
	h, err := s.handler()
	if err != nil {
		return err
	}
	listener, h, err := o.open(s.engine.Dirs.State, h)
	if err != nil {
		return err
	}
	var working sync.WaitGroup
	defer working.Wait() // what they do ends with ctx
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		working.Add(1)
		defer working.Done()
		h.ServeHTTP(w, r)
	})
	server := &http.Server{
		Handler: counted, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	fmt.Fprintf(messages, "serving at %s\n", listener.Addr())
	listener = netutil.LimitListener(listener, maxConnections)
	if o.listen != "" {
		err = server.ServeTLS(listener, o.cert, o.key)
	} else {
		err = server.Serve(listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// open listens where the flags say, and has TCP clients need the token.
func (o serveOptions) open(state string, h http.Handler) (net.Listener, http.Handler, error) {
	if o.listen != "" {
		token := os.Getenv(TokenVariable)
		if err := bearer.Check(TokenVariable, token); err != nil {
			return nil, nil, fmt.Errorf("--listen: %w", err)
		}
		if o.cert == "" || o.key == "" {
			return nil, nil, errors.New("--listen wants --tls-cert and --tls-key: the token is not for others to read")
		}
		if _, err := tls.LoadX509KeyPair(o.cert, o.key); err != nil {
			return nil, nil, err
		}
		listener, err := net.Listen("tcp", o.listen)
		return listener, bearer.Require(token, h, noToken), err
	}
	path := o.socket
	if path == "" {
		path = filepath.Join(state, "banger.sock")
		if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
			path = filepath.Join(dir, "banger.sock")
		}
	}
	listener, err := listenUnix(path)
	return listener, h, err
}

// noToken answers who does not send the token.
func noToken(w http.ResponseWriter, _ *http.Request) {
	problem{Status: http.StatusUnauthorized, Detail: "the token is missing or wrong"}.write(w)
}

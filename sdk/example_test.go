package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"banger/sdk"
)

// A program in a VM that goes when it is no longer needed.
func Example() {
	ctx := context.Background()
	client, err := sdk.Open(sdk.Options{})
	if err != nil {
		log.Fatal(err)
	}
	vm, err := client.Run(ctx, sdk.VMOptions{Ephemeral: true})
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Close()

	out, err := vm.Exec(ctx, "sh", "-c", "echo hello from $(uname -s)").Output()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(out))

	cmd := vm.Exec(ctx, "tr", "a-z", "A-Z")
	cmd.Stdin, cmd.Stdout = strings.NewReader("piped\n"), os.Stdout
	if err := cmd.Run(); err != nil {
		log.Fatal(err)
	}

	_, err = vm.Exec(ctx, "sh", "-c", "echo no >&2; exit 3").Output()
	if exit, ok := errors.AsType[*sdk.ExitError](err); ok {
		fmt.Printf("status %d: %s", exit.Status, exit.Stderr)
	}
	// Output:
	// hello from Linux
	// PIPED
	// status 3: no
}

// Files of the host's in a guest, and a server of the guest's for the host.
func ExampleVM_Forward() {
	ctx := context.Background()
	client, err := sdk.Open(sdk.Options{})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "site")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "answer"), []byte("HTTP/1.0 200 OK\r\n\r\n42\n"), 0o644); err != nil {
		log.Fatal(err)
	}

	vm, err := client.Create(ctx, sdk.VMOptions{Name: "web"})
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Remove(ctx)
	if err := vm.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := vm.CopyIn(ctx, dir, "/srv/site"); err != nil {
		log.Fatal(err)
	}
	server := vm.Exec(ctx, "perl", "-MIO::Socket::INET", "-e", `
		my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 80, Listen => 1) or die;
		print "ready\n"; close STDOUT;
		my $c = $s->accept; while (<$c>) { last if /^\r/ }
		open my $f, "<", "/srv/site/answer"; print $c $_ while <$f>; close $c;`)
	ready, out := io.Pipe()
	server.Stdout = out
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Fscanln(ready, new(string))

	port, err := vm.Forward(ctx, 0, 80)
	if err != nil {
		log.Fatal(err)
	}
	defer port.Close()
	answer, err := http.Get(fmt.Sprintf("http://%s/", port.Addr()))
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	fmt.Print(string(body))
	// Output: 42
}

// Errors are told apart by errors.Is.
func ExampleClient_Get() {
	client, err := sdk.Open(sdk.Options{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Get(context.Background(), "no-such-vm")
	fmt.Println(errors.Is(err, sdk.ErrNotFound), err)
	// Output: true no vm is called "no-such-vm"
}

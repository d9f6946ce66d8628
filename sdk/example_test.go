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

	ending, end := context.WithCancel(ctx)
	long := vm.Exec(ending, "sleep", "1000")
	if err := long.Start(); err != nil {
		log.Fatal(err)
	}
	end()
	fmt.Println(long.Wait())
	// Output:
	// hello from Linux
	// PIPED
	// status 3: no
	// context canceled
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

// Before a risky step a VM is kept as it is; several ways are tried from there.
func ExampleVM_Snapshot() {
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
	if err := vm.Exec(ctx, "sh", "-c", "echo good >/root/state").Run(); err != nil {
		log.Fatal(err)
	}

	before, err := vm.Snapshot(ctx, "before")
	if err != nil {
		log.Fatal(err)
	}
	defer client.RemoveSnapshot(ctx, before.Name)
	if err := vm.Exec(ctx, "sh", "-c", "echo bad >/root/state").Run(); err != nil {
		log.Fatal(err)
	}

	// Back to what was kept.
	again, err := client.Restore(ctx, before.Name, sdk.RestoreOptions{Ephemeral: true})
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	out, err := again.Exec(ctx, "cat", "/root/state").Output()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(out))

	// Running copies, which go their own ways.
	copies, err := again.Fork(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	for _, one := range copies {
		defer one.Remove(ctx)
		out, err := one.Exec(ctx, "sh", "-c", "echo better >>/root/state; tail -n 1 /root/state").Output()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(string(out))
	}
	// Output:
	// good
	// better
}

// What is in a volume outlives the VM, and a mounted directory is the host's own.
func ExampleClient_CreateVolume() {
	ctx := context.Background()
	client, err := sdk.Open(sdk.Options{})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "mounted")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if _, err := client.CreateVolume(ctx, "data", 64<<20); err != nil {
		log.Fatal(err)
	}
	defer client.RemoveVolume(ctx, "data")

	vm, err := client.Run(ctx, sdk.VMOptions{
		Ephemeral: true,
		Volumes:   []sdk.VolumeMount{{Volume: "data", Path: "/data"}},
		Mounts:    []sdk.Mount{{Source: dir, Target: "/host"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Close()
	cmd := vm.Exec(ctx, "sh", "-c", "cat >/data/note; cp /data/note /host")
	in, err := cmd.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(in, "kept")
	in.Close()
	if err := cmd.Wait(); err != nil {
		log.Fatal(err)
	}
	note, err := os.ReadFile(filepath.Join(dir, "note"))
	if err != nil {
		log.Fatal(err)
	}
	volumes, err := client.Volumes(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s%s %d\n", note, volumes[0].Name, len(volumes[0].VMs))
	// Output:
	// kept
	// data 1
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

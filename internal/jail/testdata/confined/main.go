// Command confined gives up all but a directory, and prints what it can do then.
//
//	confined [-r] DIR OTHER
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"banger/internal/jail"
)

func main() {
	readOnly := flag.Bool("r", false, "")
	flag.Parse()
	dir, other := flag.Arg(0), flag.Arg(1)
	at, err := os.Open(dir)
	if err == nil {
		err = jail.Confine(at, *readOnly)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	_, err = net.Dial("tcp", "127.0.0.1:1")
	fmt.Println("dial:", errors.Is(err, os.ErrPermission))
	for name, try := range map[string]func() error{
		"read":  func() error { _, err := os.ReadFile(filepath.Join(dir, "file")); return err },
		"write": func() error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o644) },
		"move": func() error {
			return os.Rename(filepath.Join(dir, "file"), filepath.Join(dir, "sub", "file"))
		},
		"read other":  func() error { _, err := os.ReadFile(filepath.Join(other, "file")); return err },
		"list other":  func() error { _, err := os.ReadDir(other); return err },
		"write other": func() error { return os.WriteFile(filepath.Join(other, "new"), nil, 0o644) },
		"run":         func() error { return exec.Command("/bin/true").Run() },
	} {
		done := make(chan error)
		go func() { done <- try() }() // by any thread
		fmt.Printf("%s: %v\n", name, <-done == nil)
		if name == "move" {
			os.Rename(filepath.Join(dir, "sub", "file"), filepath.Join(dir, "file"))
		}
	}
}

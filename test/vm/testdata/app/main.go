// Command app tells of its surroundings, in an image that has nothing else.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	fmt.Println(strings.TrimSpace("args " + strings.Join(os.Args[1:], " ")))
	for _, name := range []string{"A", "B"} {
		fmt.Printf("%s=%s\n", name, os.Getenv(name))
	}
	dir, _ := os.Getwd()
	fmt.Println("dir", dir)
	fmt.Printf("id %d:%d\n", os.Getuid(), os.Getgid())
	os.Exit(9)
}

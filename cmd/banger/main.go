// Command banger runs development sandboxes in microVMs.
package main

import (
	"os"

	"banger/internal/cli"
	"banger/internal/mcp"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Stdio(), mcp.Command))
}

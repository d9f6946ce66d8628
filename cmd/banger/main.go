// Command banger runs development sandboxes in microVMs.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"banger/internal/api"
	"banger/internal/cli"
	"banger/internal/engine"
	"banger/internal/mcp"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Stdio(), agents, api.Command))
}

// agents is the face for agents, which are told what is wrong, and not what to type.
func agents(e *engine.Engine, _ func(error) string) *cobra.Command { return mcp.Command(e) }

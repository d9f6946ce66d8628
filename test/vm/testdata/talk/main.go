// Command talk is both ends of what programs say to each other over a network: HTTP
// of both versions, a websocket, datagrams, much data each way, and many connections.
//
//	talk serve HTTP RAW UDP serves at addresses, prints them and its process, and lives on
//	talk ask HTTP RAW UDP   says what of all that works there
//	talk trust HTTPS        says what works there by TLS, with the token in TOKEN
//	talk hold RAW IDLE BUSY has that many connections, until its input ends
package main

import (
	"fmt"
	"os"
	"strconv"
)

// size is much data, in bytes.
const size = 16 << 20

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 4 && args[0] == "serve":
		err = serveApart(args[1], args[2], args[3])
	case len(args) == 4 && args[0] == "ask":
		err = ask(args[1], args[2], args[3])
	case len(args) == 2 && args[0] == "trust":
		err = trust(args[1], os.Getenv("TOKEN"))
	case len(args) == 4 && args[0] == "hold":
		idle, _ := strconv.Atoi(args[2])
		busy, _ := strconv.Atoi(args[3])
		err = hold(args[1], idle, busy)
	default:
		err = fmt.Errorf("unknown arguments %q", args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "talk:", err)
		os.Exit(1)
	}
}

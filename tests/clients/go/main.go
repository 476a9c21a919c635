// Command clients drives a Kubernetes API server the way controllers do: with client-go's informers,
// appliers and elections, and with a controller-runtime manager.
//
//	clients cases [PREFIX]       every case, or those whose name starts so; prints TAP without a plan
//	clients restart COMMAND...   watches over restarts: COMMAND with "restart" or "restore" behind it does it
//	clients compaction           what a server does to who is late, one that keeps little history
//	clients candidate NS NAME    one candidate of the election in namespace NS; says "leading" when it does
//
// KUBECONFIG names the server. Each case has a namespace of its own, and all run side by side.
package main

import (
	"fmt"
	"os"
)

func main() {
	code := 2
	if len(os.Args) > 1 {
		switch args := os.Args[2:]; os.Args[1] {
		case "cases":
			code = runCases(args)
		case "restart":
			code = runRestarts(args)
		case "compaction":
			code = runCompaction()
		case "candidate":
			code = runCandidate(args)
		}
	}
	if code == 2 {
		fmt.Fprintln(os.Stderr, "usage: clients cases [PREFIX] | restart COMMAND... | compaction | candidate NS NAME")
	}
	os.Exit(code)
}

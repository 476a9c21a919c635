// Command kube is a Kubernetes control plane in one binary: the upstream etcd, API server, controller
// manager, scheduler and kubectl, a fake kubelet, and the commands that start and end them together.
//
// The first argument picks the program; called by the name kubectl it is kubectl.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// program runs one command line to its end and returns the exit code.
type program func(args []string) int

// upstream programs, and the fake kubelet, take over os.Args, as their authors wrote them to.
var upstream = map[string]program{
	"etcd":               runEtcd,
	"apiserver":          runAPIServer,
	"controller-manager": runControllerManager,
	"scheduler":          runScheduler,
	"kubectl":            runKubectl,
	"kubelet":            runKubelet,
}

// own are the commands for people and scripts.
var own = map[string]program{
	"up":         runUp,
	"down":       runDown,
	"start":      runStart,
	"stop":       runStop,
	"kubeconfig": runKubeconfig,
	"version":    runVersion,
	"help":       runHelp,
	"--help":     runHelp,
	"-h":         runHelp,
	"--version":  runVersion,
}

func main() {
	if filepath.Base(os.Args[0]) == "kubectl" {
		os.Exit(runKubectl(os.Args[1:]))
	}
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(exitUsage)
	}
	name, args := os.Args[1], os.Args[2:]
	if run, ok := upstream[name]; ok {
		os.Args = os.Args[1:]
		os.Exit(run(args))
	}
	run, ok := own[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "kube: no such command: %s (see kube help)\n", name)
		os.Exit(exitUsage)
	}
	os.Exit(run(args))
}

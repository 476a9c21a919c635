package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"fedlet.io/tests/kube/control"
	"k8s.io/component-base/version"
)

const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `kube - a Kubernetes control plane for tests, on 127.0.0.1, in one folder

  kube up --dir DIR [--pods] [--sync] [--name NAME] [--timeout 3m]
      Starts etcd, API server and controller manager, and prints the path of the admin kubeconfig once
      the API server is ready and the default ServiceAccount exists. With --pods also scheduler, one
      fake node and a fake kubelet, so that pods become Ready. Where some of it runs already, only the
      rest is started, on the same port, with the same certificates and data. With --sync etcd syncs to
      disk before it answers, as it does in production.
  kube stop --dir DIR [all|PROGRAM] [--kill]
      Ends all or one program, keeping its data. --kill gives it no time to end in order.
  kube start --dir DIR [all|PROGRAM] [--timeout 3m]
      Starts it again.
  kube down --dir DIR [--purge]
      Ends everything. --purge also removes certificates, data and logs.
  kube kubeconfig --dir DIR
      Prints the path of the admin kubeconfig.
  kube kubectl ARGUMENTS...
      kubectl of the same version; so is this program called by the name kubectl.
  kube version [-o json]
  kube help

  PROGRAM is etcd, apiserver, controller-manager, scheduler or kubelet; each is also a subcommand with the
  options of its upstream.

Examples
  KUBECONFIG=$(kube up --dir /tmp/c1 --pods) kube kubectl get nodes
  kube stop --dir /tmp/c1 apiserver && kube start --dir /tmp/c1 apiserver
  kube down --dir /tmp/c1 --purge

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

// errUsage has already been explained on stderr.
var errUsage = errors.New("wrong usage")

// commandLine is what up, down, start, stop and kubeconfig share.
type commandLine struct {
	flags   *flag.FlagSet
	dir     *string
	timeout *time.Duration
}

func newCommandLine(name string) *commandLine {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return &commandLine{
		flags:   flags,
		dir:     flags.String("dir", "", ""),
		timeout: flags.Duration("timeout", 3*time.Minute, ""),
	}
}

// parse takes options before and after up to most words, and returns the words.
func (c *commandLine) parse(args []string, most int) (control.Dir, []string, error) {
	var words []string
	for rest := args; ; {
		if err := c.flags.Parse(rest); err != nil {
			return "", nil, c.wrong(err)
		}
		rest = c.flags.Args()
		if len(rest) == 0 {
			break
		}
		words = append(words, rest[0])
		rest = rest[1:]
	}
	if len(words) > most {
		return "", nil, c.wrong(fmt.Errorf("unexpected argument %q", words[most]))
	}
	if *c.dir == "" {
		return "", nil, c.wrong(errors.New("--dir DIR is needed"))
	}
	if *c.timeout <= 0 {
		return "", nil, c.wrong(errors.New("--timeout must be positive"))
	}
	dir, err := control.OpenDir(*c.dir)
	return dir, words, err
}

func (c *commandLine) wrong(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return err
	}
	fmt.Fprintf(os.Stderr, "kube %s: %v (see kube help)\n", c.flags.Name(), err)
	return errUsage
}

// context ends by time-out or by the signals that end a command.
func (c *commandLine) context() (context.Context, context.CancelFunc) {
	signalled, stop := signal.NotifyContext(
		context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithTimeout(signalled, *c.timeout)
	return ctx, func() { cancel(); stop() }
}

func note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "kube: "+format+"\n", args...)
}

// exitCode says an error and turns it into an exit code.
func exitCode(err error) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errUsage):
		return exitUsage
	}
	note("%v", err)
	return exitFailed
}

// oneWord is the program that start and stop act on.
func oneWord(words []string) string {
	if len(words) == 0 {
		return "all"
	}
	return words[0]
}

func runUp(args []string) int {
	line := newCommandLine("up")
	opts := control.Options{}
	line.flags.BoolVar(&opts.Pods, "pods", false, "")
	line.flags.BoolVar(&opts.Sync, "sync", false, "")
	line.flags.StringVar(&opts.Name, "name", "", "")
	dir, _, err := line.parse(args, 0)
	if err != nil {
		return exitCode(err)
	}
	ctx, cancel := line.context()
	defer cancel()
	if err := control.Up(ctx, dir, opts, note); err != nil {
		return exitCode(err)
	}
	fmt.Println(dir.AdminKubeconfig())
	return exitDone
}

func runStart(args []string) int {
	line := newCommandLine("start")
	dir, words, err := line.parse(args, 1)
	if err != nil {
		return exitCode(err)
	}
	ctx, cancel := line.context()
	defer cancel()
	return exitCode(control.Start(ctx, dir, oneWord(words), note))
}

func runStop(args []string) int {
	line := newCommandLine("stop")
	kill := line.flags.Bool("kill", false, "")
	dir, words, err := line.parse(args, 1)
	if err != nil {
		return exitCode(err)
	}
	ctx, cancel := line.context()
	defer cancel()
	how := control.InOrder
	if *kill {
		how = control.AtOnce
	}
	return exitCode(control.Stop(ctx, dir, oneWord(words), how, note))
}

func runDown(args []string) int {
	line := newCommandLine("down")
	purge := line.flags.Bool("purge", false, "")
	dir, _, err := line.parse(args, 0)
	if err != nil {
		return exitCode(err)
	}
	ctx, cancel := line.context()
	defer cancel()
	return exitCode(control.Down(ctx, dir, *purge, note))
}

func runKubeconfig(args []string) int {
	line := newCommandLine("kubeconfig")
	dir, _, err := line.parse(args, 0)
	if err != nil {
		return exitCode(err)
	}
	path := dir.AdminKubeconfig()
	if _, err := os.Stat(path); err != nil {
		return exitCode(fmt.Errorf("%s: no control plane here; make one with up", dir))
	}
	fmt.Println(path)
	return exitDone
}

func runVersion(args []string) int {
	facts := struct {
		Kubernetes string `json:"kubernetes"`
		Go         string `json:"go"`
		Platform   string `json:"platform"`
	}{version.Get().GitVersion, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	switch strings.Join(args, " ") {
	case "":
		fmt.Printf("kubernetes %s, %s, %s\n", facts.Kubernetes, facts.Go, facts.Platform)
	case "-o json", "-o=json":
		raw, err := json.Marshal(facts)
		if err != nil {
			return exitCode(err)
		}
		fmt.Println(string(raw))
	default:
		note("version: only -o json is known")
		return exitUsage
	}
	return exitDone
}

func runHelp(_ []string) int {
	fmt.Print(usage)
	return exitDone
}

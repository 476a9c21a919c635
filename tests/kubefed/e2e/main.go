// e2e runs KubeFed's own end-to-end tests, as its module publishes them, and prints TAP.
//
//	e2e --list                the names of all tests, a line each
//	e2e [FLAGS] --run FILE    those whose names are lines of FILE; FLAGS are those of KubeFed's framework
//
// Nothing of the tests is changed. They wait as long as they want to; --single-call-timeout says how long for one step.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"

	"github.com/onsi/ginkgo"
	"github.com/onsi/ginkgo/config"
	"github.com/onsi/ginkgo/types"
	"github.com/onsi/gomega"

	_ "sigs.k8s.io/kubefed/test/e2e"
	"sigs.k8s.io/kubefed/test/e2e/framework"
	"sigs.k8s.io/kubefed/test/e2e/framework/ginkgowrapper"
)

const logLines = 40

// tap reports each test as a line of TAP; that of a failed one is followed by its message and the end of its log.
type tap struct {
	failed, ran int
}

func name(spec *types.SpecSummary) string {
	// The first text is the suite's own.
	return strings.TrimSpace(strings.Join(strings.Fields(strings.Join(spec.ComponentTexts[1:], " ")), " "))
}

func comment(text string) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > logLines {
		lines = lines[len(lines)-logLines:]
	}
	for _, line := range lines {
		fmt.Printf("#   %.600s\n", line)
	}
}

func (t *tap) setup(what string, summary *types.SetupSummary) {
	if !summary.State.IsFailure() {
		return
	}
	t.failed++
	fmt.Printf("not ok - %s\n", what)
	comment(summary.Failure.Message)
	comment(summary.CapturedOutput)
}

func (t *tap) SpecSuiteWillBegin(config.GinkgoConfigType, *types.SuiteSummary) {}
func (t *tap) BeforeSuiteDidRun(summary *types.SetupSummary)                   { t.setup("preparation", summary) }
func (t *tap) AfterSuiteDidRun(summary *types.SetupSummary)                    { t.setup("cleaning up", summary) }
func (t *tap) SpecWillRun(*types.SpecSummary)                                  {}
func (t *tap) SpecSuiteDidEnd(*types.SuiteSummary)                             {}

func (t *tap) SpecDidComplete(spec *types.SpecSummary) {
	switch {
	case spec.State == types.SpecStatePassed:
		fmt.Printf("ok - %s (%d ms)\n", name(spec), spec.RunTime.Milliseconds())
	case spec.HasFailureState():
		t.failed++
		fmt.Printf("not ok - %s (%d ms)\n", name(spec), spec.RunTime.Milliseconds())
		comment(spec.Failure.Location.String() + ": " + spec.Failure.Message + " " + spec.Failure.ForwardedPanic)
		comment(spec.CapturedOutput)
	case spec.Failure.Message != "":
		// The test itself wants to be somewhere else: whoever asked for it made a mistake.
		t.failed++
		fmt.Printf("not ok - %s\n", name(spec))
		comment("skips itself: " + spec.Failure.Message)
	default:
		return
	}
	t.ran++
}

// names collects what a dry run would run.
type names struct {
	tap
	all []string
}

func (n *names) SpecDidComplete(spec *types.SpecSummary) { n.all = append(n.all, name(spec)) }

// failure receives what ginkgo thinks of the whole.
type failure struct{}

func (failure) Fail() {}

func list() int {
	all := &names{}
	config.GinkgoConfig.DryRun = true
	ginkgo.RunSpecsWithCustomReporters(failure{}, "", []ginkgo.Reporter{all})
	sort.Strings(all.all)
	for _, one := range all.all {
		fmt.Println(one)
	}
	return 0
}

// choose makes ginkgo run the named tests; how many that are.
func choose(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	wanted := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, one := range wanted {
		// Ginkgo matches all texts joined by blanks, that of the suite first; some of them end with a blank.
		pattern := strings.Join(strings.Fields(regexp.QuoteMeta(one)), `\s+`)
		config.GinkgoConfig.FocusStrings = append(config.GinkgoConfig.FocusStrings, `^\s*\[Top Level\]\s+`+pattern+`$`)
	}
	return len(wanted), nil
}

func run(file string) int {
	wanted, err := choose(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 2
	}
	report := &tap{}
	ginkgo.RunSpecsWithCustomReporters(failure{}, "", []ginkgo.Reporter{report})
	if report.ran != wanted && report.failed == 0 {
		report.failed++
		fmt.Printf("not ok - %d tests are called %s, %d ran\n", wanted, file, report.ran)
	}
	if report.failed > 0 {
		return 1
	}
	return 0
}

func main() {
	all := flag.Bool("list", false, "print the names of all tests")
	file := flag.String("run", "", "file with the names of the tests to run")

	// The list needs no server, but the framework insists.
	if len(os.Args) == 2 && os.Args[1] == "--list" {
		os.Args = append(os.Args, "--kubeconfig=none")
	}
	framework.ParseFlags()
	gomega.RegisterFailHandler(ginkgowrapper.Fail)
	if *all {
		os.Exit(list())
	}
	os.Exit(run(*file))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// errNotServed makes a case a loud skip: the server has no such resource.
type errNotServed struct{ what string }

func (e errNotServed) Error() string { return e.what + " are not served" }

type testCase struct {
	name   string
	run    func(*world) error
	change []func(*rest.Config)
}

func http1(config *rest.Config) { config.NextProtos = []string{"http/1.1"} }

func allCases() []testCase {
	return []testCase{
		{"client-go: typed informer, protobuf, WatchList", typedInformer, nil},
		{"client-go: dynamic informer, WatchList", dynamicInformer, nil},
		{"client-go: dynamic informer over HTTP/1.1", oldProtocol, []func(*rest.Config){http1}},
		{"client-go: metadata informers", metadataInformer, nil},
		{"client-go: an informer for every typed resource that is served", everyInformer, nil},
		{"client-go: discovery, cached, aggregated and not", discoveryCached, nil},
		{"client-go: OpenAPI v3 of every group, and v2", openAPI, nil},
		{"client-go: pager, also with a stale page", pages, nil},
		{"client-go: server-side apply, dynamic and typed", apply, nil},
		{"client-go: retry on conflict", retryOnConflict, nil},
		{"client-go: errors are the ones that it knows", knownErrors, nil},
		{"client-go: patches, preconditions, dry run, delete collection", writes, nil},
		{"client-go: watch with selectors and a timeout", selectedWatch, nil},
		{"client-go: until an object is so", until, nil},
		{"client-go: event recorders", eventRecorders, nil},
		{"client-go: leader election, the leader is killed", election, nil},
		{"controller-runtime: a controller reconciles, owns, finalizes", controllerStory, nil},
	}
}

type outcome struct {
	err  error
	took time.Duration
	w    *world
}

func perform(c testCase) (o outcome) {
	ctx, cancel := context.WithTimeout(context.Background(), caseTimeout)
	defer cancel()
	started := time.Now()
	defer func() { o.took = time.Since(started) }()
	if o.w, o.err = newWorld(ctx, c.change...); o.err != nil {
		return o
	}
	if o.err = o.w.namespaced(); o.err != nil {
		return o
	}
	o.err = c.run(o.w)
	return o
}

func report(name string, o outcome) bool {
	var absent errNotServed
	switch {
	case o.err == nil:
		fmt.Printf("ok - %s (%d ms)\n", name, o.took.Milliseconds())
		return true
	case errors.As(o.err, &absent):
		fmt.Printf("ok - %s # SKIP %s\n", name, o.err)
		return true
	}
	fmt.Printf("not ok - %s\n#   %s\n", name, strings.ReplaceAll(o.err.Error(), "\n", "\n#   "))
	if o.w != nil {
		for _, line := range o.w.trace.tail(25) {
			fmt.Printf("#   %s\n", line)
		}
	}
	return false
}

// deprecated is what a server says of an old API that is asked for: the informers for every typed resource ask for all.
var deprecated = regexp.MustCompile(`^299 v1 \w+ is deprecated in v1\.\d+\+`)

// quiet fails for any other warning of the server, and for what client-go or controller-runtime logged as a warning or an error.
func quiet(outcomes []outcome) error {
	lines := []string{}
	for _, o := range outcomes {
		if o.w != nil {
			for _, line := range o.w.trace.warnings {
				if !deprecated.MatchString(line) {
					lines = append(lines, line)
				}
			}
		}
	}
	for _, line := range strings.Split(libraryLog.text(), "\n") {
		// A manager that is told to stop gives up its lease, and calls that an error; so is a request that was under way when
		// its case ended.
		if strings.IndexAny(line, "WEF") == 0 && !strings.Contains(line, "leader election lost") &&
			!strings.Contains(line, "context canceled") {
			lines = append(lines, line)
		}
	}
	if len(lines) > 0 {
		return errors.New(strings.Join(lines, "\n"))
	}
	return nil
}

func runCases(args []string) int {
	captureLibraryLog()
	chosen := []testCase{}
	for _, c := range allCases() {
		if len(args) == 0 || strings.HasPrefix(c.name, args[0]) {
			chosen = append(chosen, c)
		}
	}
	outcomes := make([]outcome, len(chosen))
	var all sync.WaitGroup
	for i, c := range chosen {
		all.Add(1)
		go func() {
			defer all.Done()
			outcomes[i] = perform(c)
		}()
	}
	all.Wait()
	code := 0
	for i, c := range chosen {
		if !report(c.name, outcomes[i]) {
			code = 1
		}
	}
	if !report("client-go: the server sent no warning, the libraries logged no error", outcome{err: quiet(outcomes)}) {
		code = 1
	}
	return code
}

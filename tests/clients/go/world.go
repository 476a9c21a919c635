package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const caseTimeout = 60 * time.Second

// world is what one case works with: clients that share a record of their requests, and a namespace.
type world struct {
	context.Context
	config  *rest.Config
	trace   *trace
	ns      string
	typed   kubernetes.Interface
	dynamic dynamic.Interface
	meta    metadata.Interface
}

// trace records requests, warnings of the server, and what client-go logged against them.
type trace struct {
	sync.Mutex
	requests []request
	warnings []string
}

type request struct {
	method, url, body, accept string
	code                      int
	protocol, answer          string
}

func (r request) String() string {
	return fmt.Sprintf("%s %s [%s] [%s] -> %d %s [%s]", r.method, r.url, r.body, r.accept, r.code, r.protocol, r.answer)
}

type recorder struct {
	trace *trace
	next  http.RoundTripper
}

func (r recorder) RoundTrip(asked *http.Request) (*http.Response, error) {
	seen := request{method: asked.Method, url: asked.URL.RequestURI(), body: asked.Header.Get("Content-Type"),
		accept: asked.Header.Get("Accept")}
	answer, err := r.next.RoundTrip(asked)
	if err == nil {
		seen.code, seen.protocol, seen.answer = answer.StatusCode, answer.Proto, answer.Header.Get("Content-Type")
	}
	r.trace.Lock()
	defer r.trace.Unlock()
	r.trace.requests = append(r.trace.requests, seen)
	return answer, err
}

// HandleWarningHeader makes a trace a rest.WarningHandler.
func (t *trace) HandleWarningHeader(code int, _ string, text string) {
	t.Lock()
	defer t.Unlock()
	t.warnings = append(t.warnings, fmt.Sprintf("%d %s", code, text))
}

// count tells how many requests match all the patterns, each against "METHOD URL [BODY] [ACCEPT] -> CODE PROTOCOL [ANSWER]".
func (t *trace) count(patterns ...string) int {
	t.Lock()
	defer t.Unlock()
	n := 0
	for _, r := range t.requests {
		fits := true
		for _, pattern := range patterns {
			fits = fits && regexp.MustCompile(pattern).MatchString(r.String())
		}
		if fits {
			n++
		}
	}
	return n
}

func (t *trace) tail(n int) []string {
	t.Lock()
	defer t.Unlock()
	lines := []string{}
	for _, r := range t.requests[max(0, len(t.requests)-n):] {
		lines = append(lines, r.String())
	}
	return lines
}

func newWorld(ctx context.Context, change ...func(*rest.Config)) (*world, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	w := &world{Context: ctx, config: config, trace: &trace{}}
	config.QPS, config.Burst = -1, -1
	config.WarningHandler = w.trace
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return recorder{w.trace, next} })
	for _, c := range change {
		c(config)
	}
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = runtime.ContentTypeProtobuf
	protobuf.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if w.typed, err = kubernetes.NewForConfig(protobuf); err != nil {
		return nil, err
	}
	if w.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	w.meta, err = metadata.NewForConfig(config)
	return w, err
}

// namespaced gives the world a new namespace.
func (w *world) namespaced() error {
	// Federated, so that the hub has nothing to warn of.
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "clients-", Labels: map[string]string{"federated": "true"}}}
	made, err := w.typed.CoreV1().Namespaces().Create(w, ns, metav1.CreateOptions{})
	if err == nil {
		w.ns = made.Name
	}
	return err
}

// ---- objects that cases write ----

// kind is one kind of the dynamic client, whose objects carry one value.
type kind struct {
	resource schema.GroupVersionResource
	name     string
	path     []string // of the value
	rest     map[string]any
}

// federatedKind goes nowhere. The hub writes its status after each change of its spec, as a controller would.
var federatedKind = kind{schema.GroupVersionResource{Group: "types.kubefed.io", Version: "v1beta1", Resource: "federatedconfigmaps"},
	"FederatedConfigMap", []string{"spec", "template", "data", "value"}, map[string]any{"placement": map[string]any{"clusters": []any{}}}}

// gadgetKind is a custom resource; nobody but the cases writes it.
var gadgetKind = kind{gadgetVersion.WithResource("gadgets"), "Gadget", []string{"spec", "colour"}, map[string]any{}}

func (k kind) object(name, value string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": runtime.DeepCopyJSON(k.rest)}}
	u.SetGroupVersionKind(k.resource.GroupVersion().WithKind(k.name))
	u.SetName(name)
	u.SetLabels(map[string]string{"app": name})
	k.set(u, value)
	return u
}

func (k kind) value(u *unstructured.Unstructured) string {
	value, _, _ := unstructured.NestedString(u.Object, k.path...)
	return value
}

func (k kind) set(u *unstructured.Unstructured, value string) {
	_ = unstructured.SetNestedField(u.Object, value, k.path...)
}

// patch is a merge patch that sets the value.
func (k kind) patch(value string) []byte {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	k.set(u, value)
	text, _ := json.Marshal(u.Object)
	return text
}

func (w *world) objects(k kind) dynamic.ResourceInterface {
	return w.dynamic.Resource(k.resource).Namespace(w.ns)
}

func configMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Data: map[string]string{"value": value}}
}

// ---- waiting and comparing ----

// eventually asks again and again until problem returns "" or the case's time is over.
func eventually(ctx context.Context, problem func() string) error {
	last := ""
	for {
		if last = problem(); last == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %s", last)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func wantEqual(what string, got, want any) error {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		return fmt.Errorf("%s: got %s, wanted %s", what, g, w)
	}
	return nil
}

// ---- client-go's own log ----

// lockedBuffer takes klog's lines; nobody should read any.
type lockedBuffer struct {
	sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.Lock()
	defer b.Unlock()
	return strings.TrimSpace(b.Buffer.String())
}

var libraryLog lockedBuffer

func captureLibraryLog() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Parse([]string{"-logtostderr=false", "-one_output=true", "-stderrthreshold=FATAL"})
	klog.SetOutput(&libraryLog)
}

func libraryLogger() logr.Logger { return klog.Background() }

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
)

// runCompaction is for a server that keeps less history than ballast writes, in memory and on disk.
func runCompaction() int {
	captureLibraryLog()
	code := 0
	for _, c := range []testCase{
		{"client-go: an informer that was cut off is told 410 and lists again", overCompaction, nil},
		{"client-go: the pager goes on with a new list when its pages have expired", expiredPages, nil},
	} {
		if !report(c.name, perform(c)) {
			fmt.Printf("#   client-go's log:\n#   %s\n", strings.ReplaceAll(libraryLog.text(), "\n", "\n#   "))
			code = 1
		}
	}
	return code
}

// gate is a way to the server that can be shut: what is read ends, and who connects is refused. It counts who is told 410,
// which a watch is by an event.
type gate struct {
	sync.Mutex
	shut bool
	next http.RoundTripper
	open map[*gatedBody]bool
	gone atomic.Int64
}

type gatedBody struct {
	io.ReadCloser
	gate *gate
	cut  atomic.Bool
}

func (b *gatedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if bytes.Contains(p[:n], []byte(`"code":410`)) {
		b.gate.gone.Add(1)
	}
	if err != nil && b.cut.Load() {
		err = io.EOF // as when a server ends a watch
	}
	return n, err
}

func (b *gatedBody) Close() error {
	b.gate.Lock()
	delete(b.gate.open, b)
	b.gate.Unlock()
	return b.ReadCloser.Close()
}

func (g *gate) RoundTrip(asked *http.Request) (*http.Response, error) {
	g.Lock()
	shut := g.shut
	g.Unlock()
	if shut {
		return nil, fmt.Errorf("the gate is shut: %w", syscall.ECONNREFUSED)
	}
	answer, err := g.next.RoundTrip(asked)
	if err == nil {
		body := &gatedBody{ReadCloser: answer.Body, gate: g}
		g.Lock()
		g.open[body] = true
		g.Unlock()
		answer.Body = body
	}
	return answer, err
}

func (g *gate) set(shut bool) {
	g.Lock()
	g.shut = shut
	bodies := g.open
	if shut {
		g.open = map[*gatedBody]bool{}
	}
	g.Unlock()
	if shut {
		for body := range bodies {
			body.cut.Store(true)
			_ = body.ReadCloser.Close()
		}
	}
}

// ballast is written until what was before it is forgotten.
const ballastWrites, ballastBytes = 80, 200 << 10

func ballast(w *world, name string) error {
	maps := typedWriter(w)
	err := maps.create(name, strings.Repeat("x", ballastBytes))
	for i := range ballastWrites {
		err = errors.Join(err, maps.update(name, strings.Repeat(string(rune('a'+i%26)), ballastBytes)))
	}
	return errors.Join(err, maps.remove(name))
}

func overCompaction(w *world) error {
	if err := establishGadgets(w); err != nil {
		return err
	}
	way := &gate{open: map[*gatedBody]bool{}}
	config := rest.CopyConfig(w.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		way.next = next
		return way
	})
	gated, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(gated, 0, w.ns, nil)
	followed := &following{factory.ForResource(gadgetKind.resource).Informer()}
	d := newDiary(func(any) string { return "" })
	d.specs = true // an informer tells of what a new list repeats as of an update
	if _, err := followed.informer.AddEventHandler(d.handlers()); err != nil {
		return err
	}
	go followed.informer.RunWithContext(w)
	if !cache.WaitForCacheSync(w.Done(), followed.informer.HasSynced) {
		return errors.New("the informer never synced")
	}
	write := dynamicWriter(w, gadgetKind)
	if err := errors.Join(write.create("kept", "1"), write.create("lost", "1"), write.create("moved", "1"),
		followed.converge(w)); err != nil {
		return err
	}
	way.set(true)
	err = errors.Join(write.remove("lost"), write.update("moved", "2"), write.create("new", "1"), ballast(w, "ballast"))
	way.set(false)
	if err = errors.Join(err, followed.converge(w)); err != nil {
		return err
	}
	if way.gone.Load() == 0 {
		return errors.New("the informer was never told 410: this shows nothing")
	}
	if err := errors.Join(write.update("kept", "2"), followed.converge(w)); err != nil {
		return err
	}
	// Each change is told once; the delta to the new list is found by the informer.
	told := map[string]int{}
	for _, line := range strings.Split(d.text(), ", ") {
		told[line]++
	}
	return wantEqual("told", told, map[string]int{"add kept": 1, "add lost": 1, "add moved": 1, "add new": 1, "delete lost": 1,
		"update moved": 1, "update kept": 1})
}

// inconsistentToken lists the rest after a page that has expired, and gives the token for going on with what there is now.
func inconsistentToken(w *world, token string) (string, error) {
	_, err := w.objects(federatedKind).List(w, metav1.ListOptions{Limit: pageSize, Continue: token})
	var status apierrors.APIStatus
	if !apierrors.IsResourceExpired(err) || !errors.As(err, &status) {
		return "", fmt.Errorf("the next page was answered %v, wanted Expired", err)
	}
	if !strings.HasPrefix(status.Status().Message, "The provided continue parameter is too old") {
		return "", errors.New(status.Status().Message)
	}
	return status.Status().ListMeta.Continue, nil
}

func expiredPages(w *world) error {
	write := dynamicWriter(w, federatedKind)
	for i := range pageObjects {
		if err := write.create(fmt.Sprintf("p%02d", i), "x"); err != nil {
			return err
		}
	}
	objects := w.objects(federatedKind)
	first, err := objects.List(w, metav1.ListOptions{Limit: pageSize})
	if err != nil {
		return err
	}
	pages := 0
	list := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		if pages++; pages == 2 {
			if err := errors.Join(write.remove("p20"), write.create("p21a", "x"), ballast(w, "ballast")); err != nil {
				return nil, err
			}
		}
		return objects.List(ctx, options)
	})
	list.PageSize = pageSize
	all, _, err := list.List(w, metav1.ListOptions{})
	if err != nil {
		return err
	}
	whole, ok := all.(*unstructured.UnstructuredList)
	if !ok || len(whole.Items) != pageObjects || pages != 3 {
		return fmt.Errorf("the pager listed %T in %d calls, wanted a page, a refusal and all %d", all, pages, pageObjects)
	}
	token, err := inconsistentToken(w, first.GetContinue())
	if err != nil {
		return err
	}
	rest, err := objects.List(w, metav1.ListOptions{Continue: token})
	if err != nil {
		return err
	}
	names := []string{}
	for i := range rest.Items {
		names = append(names, rest.Items[i].GetName())
	}
	want := []string{}
	for i := range whole.Items {
		if name := whole.Items[i].GetName(); name > first.Items[pageSize-1].GetName() {
			want = append(want, name)
		}
	}
	return wantEqual("the rest of the list, as it is now", names, want)
}

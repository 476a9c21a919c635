package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// server is the command that acts on the server's process.
type server []string

func (s server) do(ctx context.Context, what string) error {
	out, err := exec.CommandContext(ctx, s[0], append(append([]string{}, s[1:]...), what)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", what, err, bytes.TrimSpace(out))
	}
	return nil
}

func runRestarts(command []string) int {
	if len(command) == 0 {
		return 2
	}
	captureLibraryLog()
	code := 0
	for _, c := range []testCase{
		{"client-go: watches over restarts lose and repeat nothing", func(w *world) error { return overRestarts(w, command) }, nil},
		{"client-go: informers after a restore from an older backup", func(w *world) error { return overRestore(w, command) }, nil},
	} {
		if !report(c.name, perform(c)) {
			fmt.Printf("#   client-go's log:\n#   %s\n", strings.ReplaceAll(libraryLog.text(), "\n", "\n#   "))
			code = 1
		}
	}
	return code
}

// ---- restarts ----

const restartObjects = 5

// steadyWriter numbers its writes; each is repeated until the server has said that it is done.
type steadyWriter struct {
	w     *world
	done  atomic.Int64 // the last number that was acknowledged
	stop  chan struct{}
	ended sync.WaitGroup
	err   error
}

func (s *steadyWriter) name(number int64) string { return fmt.Sprintf("o%d", number%restartObjects) }

// write puts the number into its object. After a lost answer the value tells whether the write was done.
func (s *steadyWriter) write(number int64) error {
	objects := s.w.objects(gadgetKind)
	for s.w.Err() == nil {
		present, err := objects.Get(s.w, s.name(number), metav1.GetOptions{})
		if err == nil && gadgetKind.value(present) == strconv.FormatInt(number, 10) {
			return nil
		}
		if err == nil {
			gadgetKind.set(present, strconv.FormatInt(number, 10))
			_, err = objects.Update(s.w, present, metav1.UpdateOptions{})
		}
		var status apierrors.APIStatus
		if errors.As(err, &status) && !apierrors.IsServiceUnavailable(err) && !apierrors.IsTooManyRequests(err) {
			return fmt.Errorf("write %d: %w", number, err)
		}
		if err != nil {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return s.w.Err()
}

func (s *steadyWriter) start() {
	s.stop = make(chan struct{})
	s.ended.Add(1)
	go func() {
		defer s.ended.Done()
		for s.err == nil {
			select {
			case <-s.stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			if s.err = s.write(s.done.Load() + 1); s.err == nil {
				s.done.Add(1)
			}
		}
	}()
}

func (s *steadyWriter) finish() error {
	close(s.stop)
	s.ended.Wait()
	return s.err
}

// moreWrites waits for n further acknowledged writes.
func (s *steadyWriter) moreWrites(n int64) error {
	target := s.done.Load() + n
	return eventually(s.w, func() string {
		if now := s.done.Load(); now < target {
			return fmt.Sprintf("%d writes, wanted %d", now, target)
		}
		return ""
	})
}

// chronicle is what a RetryWatcher handed over: numbers must come in order, each once, with rising revisions.
type chronicle struct {
	last     atomic.Int64
	problem  atomic.Pointer[string]
	revision uint64
}

func (c *chronicle) take(event watch.Event) {
	u, ok := event.Object.(*unstructured.Unstructured)
	if !ok || event.Type != watch.Modified {
		c.fail("%s %v", event.Type, event.Object)
		return
	}
	number, err := strconv.ParseInt(gadgetKind.value(u), 10, 64)
	revision, err2 := strconv.ParseUint(u.GetResourceVersion(), 10, 64)
	switch {
	case err != nil || err2 != nil:
		c.fail("value %q, resourceVersion %q", gadgetKind.value(u), u.GetResourceVersion())
	case number != c.last.Load()+1:
		c.fail("number %d after %d", number, c.last.Load())
	case revision <= c.revision:
		c.fail("resourceVersion %d after %d", revision, c.revision)
	default:
		c.revision = revision
		c.last.Store(number)
	}
}

func (c *chronicle) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.problem.CompareAndSwap(nil, &text)
}

func overRestarts(w *world, command server) error {
	if err := establishGadgets(w); err != nil {
		return err
	}
	objects := w.objects(gadgetKind)
	for i := range restartObjects {
		if _, err := objects.Create(w, gadgetKind.object(fmt.Sprintf("o%d", i), "0"), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	list, err := objects.List(w, metav1.ListOptions{})
	if err != nil {
		return err
	}
	retrying, err := watchtools.NewRetryWatcherWithContext(w, list.GetResourceVersion(), &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return objects.Watch(ctx, options)
		}})
	if err != nil {
		return err
	}
	seen := &chronicle{}
	go func() {
		for event := range retrying.ResultChan() {
			seen.take(event)
		}
	}()
	followed, err := startDynamic(w)
	if err != nil {
		return err
	}
	streams := w.trace.count("sendInitialEvents=true")
	writer := &steadyWriter{w: w}
	writer.start()
	for _, what := range []string{"restart", "kill", "restart"} {
		if err = errors.Join(writer.moreWrites(20), command.do(w, what), writer.moreWrites(20)); err != nil {
			break
		}
	}
	if err = errors.Join(err, writer.finish()); err != nil {
		return err
	}
	if err = eventually(w, func() string {
		if problem := seen.problem.Load(); problem != nil {
			return ""
		}
		if seen.last.Load() < writer.done.Load() {
			return fmt.Sprintf("the watch has seen %d of %d writes", seen.last.Load(), writer.done.Load())
		}
		return ""
	}); err != nil {
		return err
	}
	if problem := seen.problem.Load(); problem != nil {
		return fmt.Errorf("the watch over %d writes: %s", writer.done.Load(), *problem)
	}
	if err = followed.converge(w); err != nil {
		return err
	}
	return wantEqual("WatchLists that the informer needed", w.trace.count("sendInitialEvents=true"), streams)
}

// ---- informers that must end with what the server has ----

type following struct{ informer cache.SharedIndexInformer }

func startDynamic(w *world) (*following, error) {
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(w.dynamic, 0, w.ns, nil)
	f := &following{factory.ForResource(gadgetKind.resource).Informer()}
	go f.informer.RunWithContext(w)
	if !cache.WaitForCacheSync(w.Done(), f.informer.HasSynced) {
		return nil, errors.New("the informer never synced")
	}
	return f, nil
}

// converge waits until the informer keeps what a list shows, by name and resourceVersion.
func (f *following) converge(w *world) error {
	return eventually(w, func() string {
		list, err := w.objects(gadgetKind).List(w, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		want := map[string]string{}
		for i := range list.Items {
			want[list.Items[i].GetName()] = list.Items[i].GetResourceVersion()
		}
		return f.differs(want)
	})
}

func (f *following) differs(want map[string]string) string {
	got := map[string]string{}
	for _, object := range f.informer.GetStore().List() {
		m, err := meta.Accessor(object)
		if err != nil {
			return err.Error()
		}
		got[m.GetName()] = m.GetResourceVersion()
	}
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		return fmt.Sprintf("the informer keeps %s, the server has %s", g, w)
	}
	return ""
}

// overRestore: what was written after the backup is lost, as the administrator wanted, and informers learn it, although
// the server's revisions begin where those of the informers have long been.
func overRestore(w *world, command server) error {
	if err := establishGadgets(w); err != nil {
		return err
	}
	write := dynamicWriter(w, gadgetKind)
	followed, err := startDynamic(w)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(w.typed, 0, informers.WithNamespace(w.ns))
	maps := &following{factory.Core().V1().ConfigMaps().Informer()}
	go maps.informer.RunWithContext(w)
	err = errors.Join(write.create("kept", "1"), typedWriter(w).create("kept", "1"), command.do(w, "backup"),
		write.create("lost", "1"), write.update("kept", "2"), typedWriter(w).create("lost", "1"))
	for i := range 50 {
		err = errors.Join(err, write.update("lost", fmt.Sprintf("%d", i+2)))
	}
	if err = errors.Join(err, followed.converge(w)); err != nil {
		return err
	}
	if err = errors.Join(command.do(w, "restore"), write.create("new", "1"), typedWriter(w).create("new", "1")); err != nil {
		return err
	}
	if err = followed.converge(w); err != nil {
		return err
	}
	return eventually(w, func() string {
		list, err := w.typed.CoreV1().ConfigMaps(w.ns).List(w, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		want := map[string]string{}
		for i := range list.Items {
			want[list.Items[i].Name] = list.Items[i].ResourceVersion
		}
		return maps.differs(want)
	})
}

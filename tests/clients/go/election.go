package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
)

const leaseName = "election"

// runCandidate takes part in the election until it is killed.
func runCandidate(args []string) int {
	if len(args) != 2 {
		return 2
	}
	ctx := context.Background()
	w, err := newWorld(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	lock := &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: args[0], Name: leaseName},
		Client: w.typed.CoordinationV1(), LockConfig: resourcelock.ResourceLockConfig{Identity: args[1]}}
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{Lock: lock, LeaseDuration: 4 * time.Second,
		RenewDeadline: 3 * time.Second, RetryPeriod: 200 * time.Millisecond,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				fmt.Println("leading")
				<-ctx.Done()
			},
			OnStoppedLeading: func() { fmt.Println("lost") }}})
	return 1
}

// candidate is another process of this program.
type candidate struct {
	process *exec.Cmd
	lines   chan string
}

func startCandidate(w *world, name string) (*candidate, error) {
	c := &candidate{exec.CommandContext(w, os.Args[0], "candidate", w.ns, name), make(chan string, 100)}
	c.process.Stderr = os.Stderr
	out, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.lines <- lines.Text()
		}
		close(c.lines)
	}()
	return c, c.process.Start()
}

func (c *candidate) kill() {
	_ = c.process.Process.Kill()
	_ = c.process.Wait()
}

func (c *candidate) awaitLine(ctx context.Context, want string) error {
	select {
	case line := <-c.lines:
		return wantEqual("candidate said", line, want)
	case <-ctx.Done():
		return fmt.Errorf("the candidate never said %q", want)
	}
}

// served turns "no such resource" into a skip.
func served(w *world, resource schema.GroupVersionResource) error {
	_, err := w.dynamic.Resource(resource).List(w, metav1.ListOptions{Limit: 1})
	if apierrors.IsNotFound(err) {
		return errNotServed{resource.GroupResource().String()}
	}
	return err
}

func election(w *world) error {
	if err := served(w, schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}); err != nil {
		return err
	}
	first, err := startCandidate(w, "first")
	if err != nil {
		return err
	}
	defer first.kill()
	if err = first.awaitLine(w, "leading"); err != nil {
		return err
	}
	second, err := startCandidate(w, "second")
	if err != nil {
		return err
	}
	defer second.kill()
	leases := w.typed.CoordinationV1().Leases(w.ns)
	before, err := leases.Get(w, leaseName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err = eventually(w, func() string {
		now, err := leases.Get(w, leaseName, metav1.GetOptions{})
		if err != nil || !now.Spec.RenewTime.After(before.Spec.RenewTime.Time) {
			return fmt.Sprintf("the lease is not renewed: %v %v", err, now.Spec)
		}
		return ""
	}); err != nil {
		return err
	}
	select {
	case line := <-second.lines:
		return fmt.Errorf("a second leader beside the first: %s", line)
	default:
	}
	first.kill()
	if err = second.awaitLine(w, "leading"); err != nil {
		return err
	}
	after, err := leases.Get(w, leaseName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return wantEqual("holder and transitions", fmt.Sprint(*after.Spec.HolderIdentity, *after.Spec.LeaseTransitions), "second1")
}

// ---- events ----

// eventRecorders: both APIs. The first one counts repetitions with patches.
func eventRecorders(w *world) error {
	if err := typedWriter(w).create("a", "1"); err != nil {
		return err
	}
	about, err := w.typed.CoreV1().ConfigMaps(w.ns).Get(w, "a", metav1.GetOptions{})
	if err != nil {
		return err
	}
	old := record.NewBroadcaster(record.WithContext(w))
	defer old.Shutdown()
	old.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: w.typed.CoreV1().Events(w.ns)})
	recorder := old.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "old"})
	for range 3 {
		recorder.Event(about, corev1.EventTypeNormal, "Old", "happened")
	}
	if err = recorded(w, "reason=Old", func(e *corev1.Event) bool {
		return e.Count == 3 && e.InvolvedObject.UID == about.UID && e.Source.Component == "old"
	}); err != nil {
		return err
	}
	if err = served(w, schema.GroupVersionResource{Group: "events.k8s.io", Version: "v1", Resource: "events"}); err != nil {
		return err
	}
	return newRecorder(w, about)
}

func newRecorder(w *world, about runtime.Object) error {
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: w.typed.EventsV1()})
	defer broadcaster.Shutdown()
	// What is still being written when the case has seen enough is not to be cut off.
	if err := broadcaster.StartRecordingToSinkWithContext(context.WithoutCancel(w)); err != nil {
		return err
	}
	recorder := broadcaster.NewRecorder(scheme.Scheme, "clients.fedlet.io/new")
	for range 2 {
		recorder.Eventf(about, nil, corev1.EventTypeWarning, "New", "Testing", "number %d", 7)
	}
	return recorded(w, "reason=New", func(e *corev1.Event) bool {
		return e.Message == "number 7" && e.Action == "Testing" && e.ReportingController == "clients.fedlet.io/new"
	})
}

func recorded(w *world, selector string, right func(*corev1.Event) bool) error {
	return eventually(w, func() string {
		list, err := w.typed.CoreV1().Events(w.ns).List(w, metav1.ListOptions{FieldSelector: selector + ",involvedObject.name=a"})
		if err != nil {
			return err.Error()
		}
		if len(list.Items) == 1 && right(&list.Items[0]) {
			return ""
		}
		text := []string{}
		for i := range list.Items {
			text = append(text, list.Items[i].String())
		}
		return selector + ": " + strings.Join(text, "\n")
	})
}

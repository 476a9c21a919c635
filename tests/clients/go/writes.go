package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"
)

// ---- paging ----

const pageObjects, pageSize = 25, 7

func pages(w *world) error {
	write := dynamicWriter(w, federatedKind)
	for i := range pageObjects {
		if err := write.create(fmt.Sprintf("p%02d", i), "x"); err != nil {
			return err
		}
	}
	objects := w.objects(federatedKind)
	list := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return objects.List(ctx, options)
	})
	list.PageSize = pageSize
	names := []string{}
	if err := list.EachListItem(w, metav1.ListOptions{}, func(object runtime.Object) error {
		names = append(names, object.(*unstructured.Unstructured).GetName())
		return nil
	}); err != nil {
		return err
	}
	if len(names) != pageObjects || !sort.StringsAreSorted(names) {
		return fmt.Errorf("paged through %v", names)
	}
	if n := w.trace.count("^GET ", "limit="+strconv.Itoa(pageSize)); n != 4 {
		return fmt.Errorf("%d pages, wanted 4", n)
	}
	first, err := objects.List(w, metav1.ListOptions{Limit: pageSize})
	if err != nil {
		return err
	}
	if rest := first.GetRemainingItemCount(); rest == nil || *rest != pageObjects-pageSize {
		return fmt.Errorf("remainingItemCount is wrong")
	}
	return stalePage(w, first)
}

// stalePage goes on after objects of the pages to come changed: a page shows the state of the first, or says Expired.
func stalePage(w *world, first *unstructured.UnstructuredList) error {
	write := dynamicWriter(w, federatedKind)
	if err := errors.Join(write.remove("p20"), write.create("p21a", "x")); err != nil {
		return err
	}
	next, err := w.objects(federatedKind).List(w,
		metav1.ListOptions{Continue: first.GetContinue()})
	if apierrors.IsResourceExpired(err) {
		return nil
	}
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for i := range next.Items {
		names[next.Items[i].GetName()] = true
	}
	if names["p21a"] || !names["p20"] || len(names) != pageObjects-pageSize {
		return fmt.Errorf("the next page is of another state than the first: %v", names)
	}
	return wantEqual("resourceVersion of the next page", next.GetResourceVersion(), first.GetResourceVersion())
}

// ---- server-side apply ----

func apply(w *world) error {
	if err := establishGadgets(w); err != nil {
		return err
	}
	objects := w.objects(gadgetKind)
	first, err := objects.Apply(w, "a", gadgetKind.object("a", "1"), metav1.ApplyOptions{FieldManager: "one"})
	if err != nil {
		return err
	}
	same, err := objects.Apply(w, "a", gadgetKind.object("a", "1"), metav1.ApplyOptions{FieldManager: "one"})
	if err != nil {
		return err
	}
	if err = wantEqual("resourceVersion after applying the same", same.GetResourceVersion(), first.GetResourceVersion()); err != nil {
		return err
	}
	_, err = objects.Apply(w, "a", gadgetKind.object("a", "2"), metav1.ApplyOptions{FieldManager: "two"})
	var status apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &status) || len(status.Status().Details.Causes) != 1 {
		return fmt.Errorf("wanted one conflict, got %v", err)
	}
	cause := status.Status().Details.Causes[0]
	if cause.Type != metav1.CauseTypeFieldManagerConflict || cause.Field != ".spec.colour" {
		return fmt.Errorf("cause %+v", cause)
	}
	forced, err := objects.Apply(w, "a", gadgetKind.object("a", "2"), metav1.ApplyOptions{FieldManager: "two", Force: true})
	if err != nil {
		return err
	}
	if err = wantEqual("forced value", gadgetKind.value(forced), "2"); err != nil {
		return err
	}
	return errors.Join(applyRemoves(w), applyTyped(w))
}

// applyRemoves: what a manager no longer applies goes, unless another one has it too.
func applyRemoves(w *world) error {
	objects := w.objects(gadgetKind)
	bare := gadgetKind.object("a", "")
	unstructured.RemoveNestedField(bare.Object, "spec", "colour")
	_ = unstructured.SetNestedField(bare.Object, int64(9), "spec", "size")
	unstructured.RemoveNestedField(bare.Object, "metadata", "labels")
	after, err := objects.Apply(w, "a", bare, metav1.ApplyOptions{FieldManager: "two"})
	if err != nil {
		return err
	}
	if err = wantEqual("value that nobody applies", gadgetKind.value(after), ""); err != nil {
		return err
	}
	managers := []string{}
	for _, entry := range after.GetManagedFields() {
		managers = append(managers, entry.Manager+" "+string(entry.Operation)+" "+entry.Subresource)
	}
	sort.Strings(managers)
	if len(managers) < 2 || managers[0] != "one Apply " || managers[1] != "two Apply " {
		return fmt.Errorf("managers %q", managers)
	}
	return wantEqual("label of the other manager", after.GetLabels()["app"], "a")
}

func applyTyped(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.ns)
	wanted := applycorev1.ConfigMap("typed", w.ns).WithLabels(map[string]string{"a": "b"}).WithData(map[string]string{"k": "v"})
	made, err := maps.Apply(w, wanted, metav1.ApplyOptions{FieldManager: "typed"})
	if err != nil {
		return err
	}
	extracted, err := applycorev1.ExtractConfigMap(made, "typed")
	if err != nil {
		return err
	}
	got, err := json.Marshal(extracted)
	if err != nil {
		return err
	}
	want, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	return wantEqual("extracted", string(got), string(want))
}

// ---- updates ----

func retryOnConflict(w *world) error {
	const writers, rounds = 6, 5
	if err := dynamicWriter(w, federatedKind).create("counter", "0"); err != nil {
		return err
	}
	objects := w.objects(federatedKind)
	patient := retry.DefaultRetry
	patient.Steps = 200
	var all sync.WaitGroup
	failures := make([]error, writers)
	for i := range writers {
		all.Add(1)
		go func() {
			defer all.Done()
			for range rounds {
				failures[i] = errors.Join(failures[i], retry.RetryOnConflict(patient, func() error {
					present, err := objects.Get(w, "counter", metav1.GetOptions{})
					if err != nil {
						return err
					}
					n, err := strconv.Atoi(federatedKind.value(present))
					if err != nil {
						return err
					}
					federatedKind.set(present, strconv.Itoa(n+1))
					_, err = objects.Update(w, present, metav1.UpdateOptions{})
					return err
				}))
			}
		}()
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	last, err := objects.Get(w, "counter", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if w.trace.count("^PUT ", "-> 409") == 0 {
		return fmt.Errorf("no conflict came up, nothing was tested")
	}
	return errors.Join(wantEqual("counter", federatedKind.value(last), writers*rounds),
		wantEqual("generation", last.GetGeneration(), writers*rounds+1))
}

func knownErrors(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.ns)
	objects := w.objects(federatedKind)
	if err := typedWriter(w).create("a", "1"); err != nil {
		return err
	}
	stale, err := maps.Get(w, "a", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err = typedWriter(w).update("a", "2"); err != nil {
		return err
	}
	problems := []error{}
	check := func(what string, is func(error) bool, err error) {
		if !is(err) {
			problems = append(problems, fmt.Errorf("%s: %v", what, err))
		}
	}
	_, err = maps.Create(w, configMap("a", "1"), metav1.CreateOptions{})
	check("already there", apierrors.IsAlreadyExists, err)
	_, err = maps.Get(w, "nothing", metav1.GetOptions{})
	check("not there", apierrors.IsNotFound, err)
	_, err = maps.Update(w, stale, metav1.UpdateOptions{})
	check("stale", apierrors.IsConflict, err)
	_, err = maps.Create(w, configMap("Not_A_Name", "1"), metav1.CreateOptions{})
	check("name", apierrors.IsInvalid, err)
	_, err = w.typed.CoreV1().ConfigMaps("no-such-namespace").Create(w, configMap("a", "1"), metav1.CreateOptions{})
	check("namespace", apierrors.IsNotFound, err)
	_, err = objects.Patch(w, "a", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{})
	check("patch type", apierrors.IsUnsupportedMediaType, err)
	_, err = objects.Create(w, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "types.kubefed.io/v1beta1",
		"kind": "FederatedConfigMap", "metadata": map[string]any{"name": "b"}, "spec": "x"}}, metav1.CreateOptions{})
	check("schema", apierrors.IsInvalid, err)
	unknown := federatedKind.object("b", "1")
	unknown.Object["zork"] = "x"
	_, err = objects.Create(w, unknown, metav1.CreateOptions{FieldValidation: "Strict"})
	check("strict", apierrors.IsBadRequest, err)
	_, err = maps.List(w, metav1.ListOptions{FieldSelector: "data.value=1"})
	check("field selector", apierrors.IsBadRequest, err)
	_, err = maps.List(w, metav1.ListOptions{Continue: "rubbish"})
	check("continue", apierrors.IsBadRequest, err)
	uid := types.UID("another")
	err = maps.Delete(w, "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	check("precondition", apierrors.IsConflict, err)
	future := metav1.ListOptions{ResourceVersion: "9223372036854775000", ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}
	err = w.typed.CoreV1().RESTClient().Get().Resource("configmaps").Namespace(w.ns).MaxRetries(0).
		VersionedParams(&future, scheme.ParameterCodec).Do(w).Error()
	check("resource version of the future", func(err error) bool {
		return apierrors.IsTimeout(err) && apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
	}, err)
	return errors.Join(problems...)
}

func writes(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.ns)
	made, err := maps.Create(w, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "made-"},
		BinaryData: map[string][]byte{"b": {0, 255}}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if !strings.HasPrefix(made.Name, "made-") || len(made.Name) != len("made-")+5 || string(made.BinaryData["b"]) != "\x00\xff" {
		return fmt.Errorf("made %s with %v", made.Name, made.BinaryData)
	}
	type step struct {
		kind  types.PatchType
		patch string
	}
	for i, s := range []step{
		{types.StrategicMergePatchType, `{"data":{"x":"0"},"metadata":{"finalizers":["clients.fedlet.io/wait"]}}`},
		{types.MergePatchType, `{"data":{"x":"1"}}`},
		{types.JSONPatchType, `[{"op":"test","path":"/data/x","value":"1"},{"op":"replace","path":"/data/x","value":"2"}]`},
	} {
		patched, err := maps.Patch(w, made.Name, s.kind, []byte(s.patch), metav1.PatchOptions{})
		if err != nil {
			return fmt.Errorf("%s: %w", s.kind, err)
		}
		if err = wantEqual(string(s.kind), patched.Data["x"], i); err != nil {
			return err
		}
	}
	dry, err := maps.Patch(w, made.Name, types.MergePatchType, []byte(`{"data":{"x":"dry"}}`),
		metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return err
	}
	present, err := maps.Get(w, made.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if dry.Data["x"] != "dry" || present.Data["x"] != "2" || dry.ResourceVersion != present.ResourceVersion {
		return fmt.Errorf("dry run: answered %v, stored %v", dry, present)
	}
	return errors.Join(finalized(w, present), collectionDeleted(w))
}

// finalized: a delete waits for the finalizer, and takes effect when that goes.
func finalized(w *world, object *corev1.ConfigMap) error {
	maps := w.typed.CoreV1().ConfigMaps(w.ns)
	uid := object.UID
	if err := maps.Delete(w, object.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}); err != nil {
		return err
	}
	held, err := maps.Get(w, object.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if held.DeletionTimestamp == nil {
		return fmt.Errorf("no deletionTimestamp: %v", held)
	}
	held.Finalizers = nil
	if _, err = maps.Update(w, held, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if _, err = maps.Get(w, object.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("still there without finalizers: %v", err)
	}
	return nil
}

func collectionDeleted(w *world) error {
	write := dynamicWriter(w, federatedKind)
	if err := errors.Join(write.create("x", "1"), write.create("y", "1"), write.create("z", "1")); err != nil {
		return err
	}
	objects := w.objects(federatedKind)
	if err := objects.DeleteCollection(w, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app in (x,z)"}); err != nil {
		return err
	}
	return eventually(w, func() string {
		left, err := objects.List(w, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		if len(left.Items) != 1 || left.Items[0].GetName() != "y" {
			return fmt.Sprintf("%d left", len(left.Items))
		}
		return ""
	})
}

// ---- watches ----

// selectedWatch: an object that comes to fit is ADDED, one that no longer fits DELETED as it last did; the stream ends when
// it is to.
func selectedWatch(w *world) error {
	maps := w.typed.CoreV1().ConfigMaps(w.ns)
	if err := typedWriter(w).create("a", "1"); err != nil {
		return err
	}
	seconds := int64(2)
	started := time.Now()
	stream, err := maps.Watch(w, metav1.ListOptions{LabelSelector: "x=y", FieldSelector: "metadata.name=a", TimeoutSeconds: &seconds})
	if err != nil {
		return err
	}
	for _, patch := range []string{`{"metadata":{"labels":{"x":"y"}}}`, `{"data":{"value":"2"}}`, `{"data":{"value":"3"},"metadata":{"labels":{"x":"z"}}}`} {
		if _, err := maps.Patch(w, "a", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	got := []string{}
	for event := range stream.ResultChan() {
		m, ok := event.Object.(*corev1.ConfigMap)
		if !ok {
			return fmt.Errorf("%s %v", event.Type, event.Object)
		}
		got = append(got, string(event.Type)+" "+m.Data["value"])
	}
	if took := time.Since(started); took < time.Second || took > 10*time.Second {
		return fmt.Errorf("a watch of 2 s took %s", took)
	}
	return wantEqual("events", got, []string{"ADDED 1", "MODIFIED 2", "DELETED 2"})
}

func until(w *world) error {
	if err := typedWriter(w).create("a", "1"); err != nil {
		return err
	}
	one := fields.OneTermEqualSelector("metadata.name", "a")
	source := cache.NewListWatchFromClient(w.typed.CoreV1().RESTClient(), "configmaps", w.ns, one)
	ready := make(chan struct{})
	go func() {
		<-ready
		for _, value := range []string{"2", "3"} {
			_ = typedWriter(w).update("a", value)
		}
	}()
	event, err := watchtools.UntilWithSync(w, source, &corev1.ConfigMap{}, func(store cache.Store) (bool, error) {
		close(ready)
		return false, nil
	}, func(event watch.Event) (bool, error) {
		return event.Object.(*corev1.ConfigMap).Data["value"] == "3", nil
	})
	if err != nil {
		return err
	}
	return wantEqual("type", event.Type, watch.Modified)
}

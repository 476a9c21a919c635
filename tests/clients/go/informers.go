package main

import (
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// diary notes what an informer's handlers are told.
type diary struct {
	sync.Mutex
	lines  []string
	value  func(any) string
	ignore map[string]bool // names of objects that the server makes by itself
	specs  bool            // updates of the status, and those that begin a deletion, are a controller's business
}

func (d *diary) note(verb string, object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	m, err := meta.Accessor(object)
	d.Lock()
	defer d.Unlock()
	if err != nil {
		d.lines = append(d.lines, "error "+err.Error())
	} else if !d.ignore[m.GetName()] {
		d.lines = append(d.lines, strings.TrimSpace(verb+" "+m.GetName()+" "+d.value(object)))
	}
}

func (d *diary) handlers() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { d.note("add", object) },
		UpdateFunc: func(before, object any) {
			if !d.specs || respecified(before, object) {
				d.note("update", object)
			}
		},
		DeleteFunc: func(object any) { d.note("delete", object) },
	}
}

func respecified(before, after any) bool {
	old, err := meta.Accessor(before)
	if err != nil {
		return true
	}
	now, err := meta.Accessor(after)
	return err != nil || now.GetDeletionTimestamp() == nil && old.GetGeneration() != now.GetGeneration()
}

func (d *diary) text() string {
	d.Lock()
	defer d.Unlock()
	return strings.Join(d.lines, ", ")
}

func newDiary(value func(any) string) *diary {
	return &diary{value: value, ignore: map[string]bool{"kube-root-ca.crt": true}}
}

// writer is one way to write the objects that an informer is told of.
type writer struct {
	create, update func(name, value string) error
	remove         func(name string) error
}

// follow writes before and after the informer starts, and compares what it was told and what it keeps.
func follow(w *world, informer cache.SharedIndexInformer, d *diary, write writer, bare bool) error {
	if _, err := informer.AddEventHandler(d.handlers()); err != nil {
		return err
	}
	if err := write.create("a", "1"); err != nil {
		return err
	}
	go informer.RunWithContext(w)
	if !cache.WaitForCacheSync(w.Done(), informer.HasSynced) {
		return fmt.Errorf("never synced; told: %s", d.text())
	}
	for _, step := range []func() error{
		func() error { return write.create("b", "1") },
		func() error { return write.update("a", "2") },
		func() error { return write.remove("b") },
		func() error { return write.update("a", "3") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	want := "add a 1, add b 1, update a 2, delete b 1, update a 3"
	if bare {
		want = "add a, add b, update a, delete b, update a"
	}
	if err := eventually(w, func() string {
		if got := d.text(); got != want {
			return fmt.Sprintf("told %s, wanted %s", got, want)
		}
		return ""
	}); err != nil {
		return err
	}
	kept := []string{}
	for _, key := range informer.GetStore().ListKeys() {
		if !strings.HasSuffix(key, "/kube-root-ca.crt") {
			kept = append(kept, key)
		}
	}
	return wantEqual("kept", kept, []string{w.ns + "/a"})
}

// streamed checks that the informer began with a WatchList and never fell back to a list.
func streamed(w *world, resource string) error {
	path := "/" + resource + `\?`
	if w.trace.count("^GET ", path, "sendInitialEvents=true", "-> 200") == 0 {
		return fmt.Errorf("no WatchList of %s was answered", resource)
	}
	if all, watches := w.trace.count("^GET ", path), w.trace.count("^GET ", path, "watch=true"); all != watches {
		return fmt.Errorf("%d lists of %s besides the WatchList", all-watches, resource)
	}
	return nil
}

func typedWriter(w *world) writer {
	maps := w.typed.CoreV1().ConfigMaps(w.ns)
	return writer{
		create: func(name, value string) error {
			_, err := maps.Create(w, configMap(name, value), metav1.CreateOptions{})
			return err
		},
		update: func(name, value string) error {
			present, err := maps.Get(w, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			present.Data["value"] = value
			_, err = maps.Update(w, present, metav1.UpdateOptions{})
			return err
		},
		remove: func(name string) error { return maps.Delete(w, name, metav1.DeleteOptions{}) },
	}
}

func dynamicWriter(w *world, k kind) writer {
	return writer{
		create: func(name, value string) error {
			_, err := w.objects(k).Create(w, k.object(name, value), metav1.CreateOptions{})
			return err
		},
		update: func(name, value string) error {
			_, err := w.objects(k).Patch(w, name, types.MergePatchType, k.patch(value), metav1.PatchOptions{})
			return err
		},
		remove: func(name string) error { return w.objects(k).Delete(w, name, metav1.DeleteOptions{}) },
	}
}

func typedInformer(w *world) error {
	factory := informers.NewSharedInformerFactoryWithOptions(w.typed, 0, informers.WithNamespace(w.ns))
	informer := factory.Core().V1().ConfigMaps().Informer()
	d := newDiary(func(object any) string { return object.(*corev1.ConfigMap).Data["value"] })
	if err := follow(w, informer, d, typedWriter(w), false); err != nil {
		return err
	}
	if w.trace.count("^POST .*/configmaps", "protobuf") == 0 {
		return fmt.Errorf("no protobuf body was sent")
	}
	return streamed(w, "configmaps")
}

func dynamicInformer(w *world) error {
	if err := establishGadgets(w); err != nil {
		return err
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(w.dynamic, 0, w.ns, nil)
	for _, k := range []kind{gadgetKind, federatedKind} {
		d := newDiary(func(object any) string { return k.value(object.(*unstructured.Unstructured)) })
		d.specs = k.name == federatedKind.name
		if err := follow(w, factory.ForResource(k.resource).Informer(), d, dynamicWriter(w, k), false); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		if err := streamed(w, k.resource.Resource); err != nil {
			return err
		}
	}
	return nil
}

// oldProtocol is the same story without HTTP/2.
func oldProtocol(w *world) error {
	err := dynamicInformer(w)
	if n := w.trace.count("HTTP/2"); n > 0 {
		return fmt.Errorf("%d answers came over HTTP/2", n)
	}
	return err
}

func metadataInformer(w *world) error {
	if err := establishGadgets(w); err != nil {
		return err
	}
	factory := metadatainformer.NewFilteredSharedInformerFactory(w.meta, 0, w.ns, nil)
	labelled := func(object any) string {
		if m := object.(*metav1.PartialObjectMetadata); m.Labels["app"] != m.Name || m.UID == "" {
			return "without its metadata"
		}
		return ""
	}
	for resource, write := range map[schema.GroupVersionResource]writer{
		gadgetKind.resource: dynamicWriter(w, gadgetKind),
		corev1.SchemeGroupVersion.WithResource("configmaps"): typedWriter(w),
	} {
		if err := follow(w, factory.ForResource(resource).Informer(), newDiary(labelled), write, true); err != nil {
			return fmt.Errorf("%s: %w", resource.Resource, err)
		}
		if err := streamed(w, resource.Resource); err != nil {
			return err
		}
	}
	return nil
}

// everyInformer starts the typed informer of each resource that discovery names and client-go has a type for.
func everyInformer(w *world) error {
	lists, err := discovery.ServerPreferredResources(w.typed.Discovery())
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(w.typed, 0)
	started := []schema.GroupVersionResource{}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "watch"}}, lists) {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return err
		}
		for _, resource := range list.APIResources {
			if informer, err := factory.ForResource(group.WithResource(resource.Name)); err == nil {
				informer.Informer()
				started = append(started, group.WithResource(resource.Name))
			}
		}
	}
	if len(started) < 4 {
		return fmt.Errorf("only %v are typed and served", started)
	}
	factory.StartWithContext(w)
	synced := factory.WaitForCacheSyncWithContext(w)
	if synced.Err != nil {
		return synced.Err
	}
	for _, resource := range started {
		if err := streamed(w, resource.Resource); err != nil {
			return err
		}
	}
	return nil
}

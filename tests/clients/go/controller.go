package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// ---- the kind: a Gadget wants a ConfigMap with its colour ----

const gadgetGroup, gadgetFinalizer = "clients.fedlet.io", "clients.fedlet.io/farewell"

var gadgetVersion = schema.GroupVersion{Group: gadgetGroup, Version: "v1"}

type gadget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              gadgetSpec   `json:"spec"`
	Status            gadgetStatus `json:"status,omitempty"`
}
type gadgetSpec struct {
	Colour string `json:"colour"`
	Size   int64  `json:"size,omitempty"`
}
type gadgetStatus struct {
	ObservedGeneration int64  `json:"observedGeneration,omitempty"`
	Colour             string `json:"colour,omitempty"`
}
type gadgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []gadget `json:"items"`
}

func (g *gadget) DeepCopyObject() runtime.Object {
	c := *g
	g.ObjectMeta.DeepCopyInto(&c.ObjectMeta)
	return &c
}

func (l *gadgetList) DeepCopyObject() runtime.Object {
	c := gadgetList{TypeMeta: l.TypeMeta}
	l.ListMeta.DeepCopyInto(&c.ListMeta)
	for i := range l.Items {
		c.Items = append(c.Items, *l.Items[i].DeepCopyObject().(*gadget))
	}
	return &c
}

func gadgetDefinition() *unstructured.Unstructured {
	text := map[string]any{"type": "string"}
	number := map[string]any{"type": "integer", "format": "int64"}
	object := func(required []any, properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "required": required, "properties": properties}
	}
	size := map[string]any{"type": "integer", "format": "int64", "default": int64(7), "minimum": int64(1)}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "gadgets." + gadgetGroup},
		"spec": map[string]any{"group": gadgetGroup, "scope": "Namespaced",
			"names": map[string]any{"kind": "Gadget", "listKind": "GadgetList", "plural": "gadgets", "singular": "gadget"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true,
				"subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": object([]any{"spec"}, map[string]any{
					"spec":   object([]any{}, map[string]any{"colour": text, "size": size}),
					"status": object([]any{}, map[string]any{"observedGeneration": number, "colour": text})})}}}}}}
}

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

func establishGadgets(w *world) error {
	if err := served(w, crds); err != nil {
		return err
	}
	definitions := w.dynamic.Resource(crds)
	_, err := definitions.Create(w, gadgetDefinition(), metav1.CreateOptions{})
	if apierrors.IsMethodNotSupported(err) {
		return errNotServed{"writable customresourcedefinitions"}
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return eventually(w, func() string {
		present, err := definitions.Get(w, "gadgets."+gadgetGroup, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		conditions, _, _ := unstructured.NestedSlice(present.Object, "status", "conditions")
		for _, c := range conditions {
			if m, ok := c.(map[string]any); ok && m["type"] == "Established" && m["status"] == "True" {
				return ""
			}
		}
		return fmt.Sprintf("not established: %v", conditions)
	})
}

// ---- the controller ----

type gadgetReconciler struct {
	client.Client
	scheme *runtime.Scheme
	events events.EventRecorder
}

func (r *gadgetReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	g := &gadget{}
	if err := r.Get(ctx, request.NamespacedName, g); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !g.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.sayFarewell(ctx, g)
	}
	if controllerutil.AddFinalizer(g, gadgetFinalizer) {
		return ctrl.Result{}, r.Update(ctx, g)
	}
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: g.Name}}
	done, err := controllerutil.CreateOrUpdate(ctx, r.Client, owned, func() error {
		owned.Data = map[string]string{"colour": g.Spec.Colour}
		return controllerutil.SetControllerReference(g, owned, r.scheme)
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	if done != controllerutil.OperationResultNone {
		r.events.Eventf(g, owned, corev1.EventTypeNormal, "Painted", "Painting", "%s in %s", done, g.Spec.Colour)
	}
	before := g.DeepCopyObject().(*gadget)
	g.Status = gadgetStatus{ObservedGeneration: g.Generation, Colour: g.Spec.Colour}
	if g.Status == before.Status {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.Status().Patch(ctx, g, client.MergeFrom(before))
}

// sayFarewell leaves a sign that it ran, and lets the gadget go.
func (r *gadgetReconciler) sayFarewell(ctx context.Context, g *gadget) error {
	sign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: g.Name + "-farewell"}}
	if err := r.Create(ctx, sign); client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	if controllerutil.RemoveFinalizer(g, gadgetFinalizer) {
		return client.IgnoreNotFound(r.Update(ctx, g))
	}
	return nil
}

func gadgetScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(gadgetVersion.WithKind("Gadget"), &gadget{})
	scheme.AddKnownTypeWithName(gadgetVersion.WithKind("GadgetList"), &gadgetList{})
	metav1.AddToGroupVersion(scheme, gadgetVersion)
	return scheme, clientscheme.AddToScheme(scheme)
}

func gadgetManager(w *world) (ctrl.Manager, error) {
	ctrl.SetLogger(libraryLogger())
	scheme, err := gadgetScheme()
	if err != nil {
		return nil, err
	}
	lease, renew, again := 10*time.Second, 8*time.Second, 200*time.Millisecond
	manager, err := ctrl.NewManager(w.config, ctrl.Options{Scheme: scheme,
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		LeaderElection: true, LeaderElectionID: "gadgets", LeaderElectionNamespace: w.ns,
		LeaderElectionReleaseOnCancel: true, LeaseDuration: &lease, RenewDeadline: &renew, RetryPeriod: &again,
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{w.ns: {}}}})
	if err != nil {
		return nil, err
	}
	reconciler := &gadgetReconciler{manager.GetClient(), scheme, manager.GetEventRecorder("gadgets")}
	return manager, ctrl.NewControllerManagedBy(manager).For(&gadget{}).Owns(&corev1.ConfigMap{}).Complete(reconciler)
}

// ---- the story ----

func controllerStory(w *world) error {
	if err := served(w, schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}); err != nil {
		return err
	}
	if err := establishGadgets(w); err != nil {
		return err
	}
	manager, err := gadgetManager(w)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(w)
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	err = gadgetLife(w, manager.GetScheme())
	stop()
	if problem := <-ended; problem != nil {
		err = errors.Join(err, fmt.Errorf("the manager: %w", problem))
	}
	if err != nil {
		return err
	}
	lease, err := w.typed.CoordinationV1().Leases(w.ns).Get(w, "gadgets", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "" {
		return fmt.Errorf("the lease is still held by %s", *lease.Spec.HolderIdentity)
	}
	return nil
}

func gadgetLife(w *world, scheme *runtime.Scheme) error {
	direct, err := client.New(w.config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	g := &gadget{ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: "g"}, Spec: gadgetSpec{Colour: "red"}}
	if err = direct.Create(w, g); err != nil {
		return err
	}
	if g.Spec.Size != 7 {
		return fmt.Errorf("size %d was not defaulted", g.Spec.Size)
	}
	if err = painted(w, direct, g, "red"); err != nil {
		return err
	}
	before := g.DeepCopyObject().(*gadget)
	g.Spec.Colour = "blue"
	if err = direct.Patch(w, g, client.MergeFrom(before)); err != nil {
		return err
	}
	if err = painted(w, direct, g, "blue"); err != nil {
		return err
	}
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: "g"}}
	if err = direct.Delete(w, owned); err != nil {
		return err
	}
	if err = painted(w, direct, g, "blue"); err != nil {
		return fmt.Errorf("its ConfigMap was deleted: %w", err)
	}
	if err = recordedPainting(w); err != nil {
		return err
	}
	return goneWithAll(w, direct, g)
}

// painted waits until the ConfigMap and the status have the colour, and the ConfigMap its owner.
func painted(w *world, direct client.Client, g *gadget, colour string) error {
	return eventually(w, func() string {
		owned := &corev1.ConfigMap{}
		if err := direct.Get(w, client.ObjectKeyFromObject(g), owned); err != nil {
			return err.Error()
		}
		if err := direct.Get(w, client.ObjectKeyFromObject(g), g); err != nil {
			return err.Error()
		}
		if owned.Data["colour"] != colour || g.Status.Colour != colour || g.Status.ObservedGeneration != g.Generation {
			return fmt.Sprintf("ConfigMap %v, status %+v, generation %d, wanted %s", owned.Data, g.Status, g.Generation, colour)
		}
		if !metav1.IsControlledBy(owned, g) {
			return fmt.Sprintf("owners %v", owned.OwnerReferences)
		}
		return ""
	})
}

func recordedPainting(w *world) error {
	return eventually(w, func() string {
		list, err := w.typed.CoreV1().Events(w.ns).List(w, metav1.ListOptions{FieldSelector: "involvedObject.kind=Gadget,involvedObject.name=g,reason=Painted"})
		if err != nil {
			return err.Error()
		}
		if len(list.Items) < 2 {
			return fmt.Sprintf("%d events", len(list.Items))
		}
		return ""
	})
}

// goneWithAll: the finalizer runs, the gadget goes, and the server collects what it owned.
func goneWithAll(w *world, direct client.Client, g *gadget) error {
	if err := direct.Delete(w, g); err != nil {
		return err
	}
	return eventually(w, func() string {
		if err := direct.Get(w, client.ObjectKeyFromObject(g), &gadget{}); !apierrors.IsNotFound(err) {
			return fmt.Sprintf("the gadget: %v", err)
		}
		sign := client.ObjectKey{Namespace: w.ns, Name: "g-farewell"}
		if err := direct.Get(w, sign, &corev1.ConfigMap{}); err != nil {
			return fmt.Sprintf("the finalizer's sign: %v", err)
		}
		if err := direct.Get(w, client.ObjectKeyFromObject(g), &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
			return fmt.Sprintf("what the gadget owned: %v", err)
		}
		return ""
	})
}

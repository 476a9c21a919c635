package main

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

// A Job's pod runs this long, so that whoever watches sees it run.
const jobRuntime = 200 * time.Millisecond

// What a pod does, when it is not to run and be ready: crash (again and again), hang (runs, never ready), pull (its
// image is not there), fail (for good), or ready-after=DURATION.
const behaviourAnnotation = "fake-kubelet/does"

// No registry has an image of this tag: a pod with it waits for its image, as with `pull`. For texts that people follow
// on clusters of their own, where no annotation makes a pod fail.
const missingTag = ":no-such-tag"

// kubelet reports that the pods bound to its node run, and runs none: no container, no network, no volume.
type kubelet struct {
	client kubernetes.Interface
	node   string
	pods   cache.Store
	queue  workqueue.TypedRateLimitingInterface[string]
}

// runKubelet is the fake kubelet of one node that exists already.
func runKubelet(args []string) int {
	flags := flag.NewFlagSet("kubelet", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	node := flags.String("node", "", "name of the node")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || *node == "" {
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := serveKubelet(ctx, *kubeconfig, *node); err != nil {
		fmt.Fprintf(os.Stderr, "kubelet: %v\n", err)
		return exitFailed
	}
	return exitDone
}

func serveKubelet(ctx context.Context, kubeconfig, node string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 500
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	k := &kubelet{client: client, node: node, queue: workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[string](10*time.Millisecond, 5*time.Second))}
	informer := k.watchPods()
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil
	}
	if err := k.reportNode(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	for range 4 {
		go k.work(ctx)
	}
	<-ctx.Done()
	k.queue.ShutDown()
	return nil
}

func (k *kubelet) watchPods() cache.Controller {
	enqueue := func(pod any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(pod); err == nil {
			k.queue.Add(key)
		}
	}
	store, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(k.client.CoreV1().RESTClient(), "pods", metav1.NamespaceAll,
			fields.OneTermEqualSelector("spec.nodeName", k.node)),
		ObjectType: &corev1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    enqueue,
			UpdateFunc: func(_, pod any) { enqueue(pod) },
		},
	})
	k.pods = store
	return informer
}

// reportNode says that the node is ready, as soon as somebody has made it. Once is enough: the controller that
// doubts silent nodes does not run.
func (k *kubelet) reportNode(ctx context.Context) error {
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		err := k.reportNodeOnce(ctx)
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return false, nil
		}
		return err == nil, err
	})
}

func (k *kubelet) reportNodeOnce(ctx context.Context) error {
	node, err := k.client.CoreV1().Nodes().Get(ctx, k.node, metav1.GetOptions{})
	if err != nil {
		return err
	}
	now := metav1.Now()
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
		Message: "fake kubelet", LastHeartbeatTime: now, LastTransitionTime: now,
	}}
	node.Status.Addresses = []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}, {Type: corev1.NodeHostName, Address: k.node},
	}
	node.Status.NodeInfo.OperatingSystem = "linux"
	node.Status.NodeInfo.KubeletVersion = "fake"
	_, err = k.client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
	return err
}

func (k *kubelet) work(ctx context.Context) {
	for {
		key, ending := k.queue.Get()
		if ending {
			return
		}
		err := k.sync(ctx, key)
		switch {
		case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err): // a newer pod is on its way
			k.queue.Forget(key)
		default:
			fmt.Fprintf(os.Stderr, "kubelet: %s: %v\n", key, err)
			k.queue.AddRateLimited(key)
		}
		k.queue.Done(key)
	}
}

func (k *kubelet) sync(ctx context.Context, key string) error {
	item, exists, err := k.pods.GetByKey(key)
	if err != nil || !exists {
		return err
	}
	pod := item.(*corev1.Pod)
	if pod.DeletionTimestamp != nil {
		return k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: new(int64), Preconditions: &metav1.Preconditions{UID: &pod.UID}})
	}
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil
	}
	next := running(pod)
	if rest := misbehave(pod, next); rest > 0 {
		k.queue.AddAfter(key, rest)
	}
	if pod.Status.Phase == corev1.PodRunning && ofJob(pod) {
		if rest := time.Until(pod.Status.StartTime.Add(jobRuntime)); rest > 0 {
			k.queue.AddAfter(key, rest)
		} else {
			next = succeeded(pod)
		}
	}
	if equality.Semantic.DeepEqual(&pod.Status, next) {
		return nil
	}
	changed := pod.DeepCopy()
	changed.Status = *next
	_, err = k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	return err
}

// misbehave changes the status to that of a pod that does not do well, by its annotation. It returns after how long it
// will do better, 0 for never.
func misbehave(pod *corev1.Pod, status *corev1.PodStatus) time.Duration {
	what := pod.Annotations[behaviourAnnotation]
	if what == "" && lacksImage(pod) {
		what = "pull"
	}
	if after, late := strings.CutPrefix(what, "ready-after="); late {
		wait, err := time.ParseDuration(after)
		rest := time.Until(status.StartTime.Add(wait))
		if err != nil || rest <= 0 {
			return 0
		}
		notReady(status, nil)
		return rest
	}
	switch what {
	case "hang":
		notReady(status, nil)
	case "crash":
		notReady(status, &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff",
			Message: "back-off 40s restarting failed container"})
	case "pull":
		status.Phase = corev1.PodPending
		notReady(status, &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff",
			Message: "Back-off pulling image: not found"})
	case "fail":
		status.Phase = corev1.PodFailed
		status.Reason, status.Message = "Evicted", "The node was low on resource: memory."
		notReady(status, nil)
	}
	return 0
}

func lacksImage(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(container corev1.Container) bool {
		return strings.HasSuffix(container.Image, missingTag)
	})
}

// notReady takes the readiness of all containers away; with waiting they do not run either.
func notReady(status *corev1.PodStatus, waiting *corev1.ContainerStateWaiting) {
	for i := range status.ContainerStatuses {
		container := &status.ContainerStatuses[i]
		container.Ready = false
		if waiting == nil {
			continue
		}
		container.State = corev1.ContainerState{Waiting: waiting}
		container.Started = new(bool)
		if waiting.Reason == "CrashLoopBackOff" {
			container.RestartCount = 4
			container.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Reason: "Error", ExitCode: 1, ContainerID: container.ContainerID}}
		}
	}
	setCondition(status, corev1.ContainersReady, corev1.ConditionFalse, "ContainersNotReady")
	setCondition(status, corev1.PodReady, corev1.ConditionFalse, "ContainersNotReady")
}

func ofJob(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.Kind == "Job"
}

// running is the status of a pod all of whose containers run.
func running(pod *corev1.Pod) *corev1.PodStatus {
	status := pod.Status.DeepCopy()
	status.Phase = corev1.PodRunning
	if status.StartTime == nil {
		now := metav1.Now()
		status.StartTime = &now
	}
	if status.PodIP == "" {
		status.HostIP, status.HostIPs = "127.0.0.1", []corev1.HostIP{{IP: "127.0.0.1"}}
		status.PodIP = address(pod.UID)
		status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	}
	status.InitContainerStatuses = containers(pod, pod.Spec.InitContainers, status.InitContainerStatuses)
	for i := range status.InitContainerStatuses {
		if policy := pod.Spec.InitContainers[i].RestartPolicy; policy == nil || *policy != corev1.ContainerRestartPolicyAlways {
			complete(&status.InitContainerStatuses[i])
		}
	}
	status.ContainerStatuses = containers(pod, pod.Spec.Containers, status.ContainerStatuses)
	for _, kind := range []corev1.PodConditionType{
		corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady} {
		setCondition(status, kind, corev1.ConditionTrue, "")
	}
	setCondition(status, corev1.PodReady, gates(pod), "")
	return status
}

// succeeded is the status of a pod all of whose containers ended well.
func succeeded(pod *corev1.Pod) *corev1.PodStatus {
	status := pod.Status.DeepCopy()
	status.Phase = corev1.PodSucceeded
	for i := range status.ContainerStatuses {
		complete(&status.ContainerStatuses[i])
		status.ContainerStatuses[i].Ready = false
	}
	setCondition(status, corev1.ContainersReady, corev1.ConditionFalse, "PodCompleted")
	setCondition(status, corev1.PodReady, corev1.ConditionFalse, "PodCompleted")
	return status
}

// gates says whether the pod's readiness gates, which others answer, let it be ready.
func gates(pod *corev1.Pod) corev1.ConditionStatus {
	for _, gate := range pod.Spec.ReadinessGates {
		open := false
		for _, condition := range pod.Status.Conditions {
			open = open || condition.Type == gate.ConditionType && condition.Status == corev1.ConditionTrue
		}
		if !open {
			return corev1.ConditionFalse
		}
	}
	return corev1.ConditionTrue
}

// containers keeps the status of a container as long as its image stays.
func containers(pod *corev1.Pod, specs []corev1.Container, old []corev1.ContainerStatus) []corev1.ContainerStatus {
	var all []corev1.ContainerStatus
	started := true
	for _, spec := range specs {
		one := corev1.ContainerStatus{
			Name: spec.Name, Image: spec.Image, ImageID: spec.Image, Ready: true, Started: &started,
			ContainerID: fmt.Sprintf("fake://%s/%s", pod.UID, spec.Name),
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		}
		for _, before := range old {
			if before.Name == spec.Name && before.Image == spec.Image && before.ContainerID != "" &&
				before.State.Waiting == nil {
				one = before
				one.Ready = true
			}
		}
		all = append(all, one)
	}
	return all
}

func complete(container *corev1.ContainerStatus) {
	if run := container.State.Running; run != nil {
		container.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			Reason: "Completed", StartedAt: run.StartedAt, FinishedAt: metav1.Now(),
			ContainerID: container.ContainerID}}
	}
}

func setCondition(
	status *corev1.PodStatus, kind corev1.PodConditionType, value corev1.ConditionStatus, reason string) {
	for i := range status.Conditions {
		if c := &status.Conditions[i]; c.Type == kind {
			if c.Status != value || c.Reason != reason {
				c.Status, c.Reason, c.LastTransitionTime = value, reason, metav1.Now()
			}
			return
		}
	}
	status.Conditions = append(status.Conditions, corev1.PodCondition{
		Type: kind, Status: value, Reason: reason, LastTransitionTime: metav1.Now()})
}

// address is one of 10.244.0.0/16 where nothing listens; two pods rarely share one, and nobody minds.
func address(uid types.UID) string {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(uid))
	sum := hash.Sum32()
	return fmt.Sprintf("10.244.%d.%d", sum>>8&0xff, 1+sum%254)
}

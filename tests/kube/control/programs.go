package control

import (
	"fmt"
	"strings"
)

// The programs, by the name of their subcommand, log and pid file.
const (
	Etcd              = "etcd"
	APIServer         = "apiserver"
	ControllerManager = "controller-manager"
	Scheduler         = "scheduler"
	Kubelet           = "kubelet"
)

// startOrder is also the reverse of the order in which they end.
var startOrder = []string{Etcd, APIServer, ControllerManager, Scheduler, Kubelet}

// users have a client certificate and a kubeconfig each, so that managedFields and audit tell them apart.
var users = []struct{ file, name string }{
	{adminUser, "kubernetes-admin"},
	{ControllerManager, "system:kube-controller-manager"},
	{Scheduler, "system:kube-scheduler"},
	{Kubelet, "system:kubelet"},
}

// wanted lists the programs of a control plane in starting order.
func wanted(s State) []string {
	if s.Pods {
		return startOrder
	}
	return startOrder[:3]
}

// leftOut are the controllers that serve real nodes, volumes and cloud machines, or need a signing key;
// everything that acts on workloads, services, accounts, quotas and garbage stays.
var leftOut = []string{
	"node-ipam-controller", "node-lifecycle-controller", "taint-eviction-controller", "ttl-controller",
	"horizontal-pod-autoscaler-controller", "certificatesigningrequest-signing-controller",
	"certificatesigningrequest-approving-controller", "certificatesigningrequest-cleaner-controller",
	"podcertificaterequest-cleaner-controller", "persistentvolume-attach-detach-controller",
	"persistentvolume-expander-controller", "ephemeral-volume-controller", "resourceclaim-controller",
	"legacy-serviceaccount-token-cleaner-controller", "endpointslice-mirroring-controller",
	"storageversion-garbage-collector-controller", "token-cleaner-controller",
}

// arguments is the command line of one program. Paths are relative: programs run inside the folder.
// Only the API server listens on a port: etcd has a socket file, the others serve nothing.
func arguments(program string, s State) []string {
	switch program {
	case Etcd:
		return []string{
			"--data-dir=etcd", "--socket=etcd.sock:0", "--peer-socket=etcd-peer.sock:0",
			fmt.Sprintf("--sync=%t", s.Sync),
		}
	case APIServer:
		return apiServerArguments(s.Port)
	case ControllerManager:
		return []string{
			"--kubeconfig=kubeconfig/" + ControllerManager,
			"--service-account-private-key-file=pki/service-account.key",
			"--root-ca-file=pki/ca.crt",
			"--use-service-account-credentials=false",
			"--leader-elect=false",
			"--secure-port=0",
			"--controllers=*,-" + strings.Join(leftOut, ",-"),
		}
	case Scheduler:
		return []string{"--kubeconfig=kubeconfig/" + Scheduler, "--leader-elect=false", "--secure-port=0"}
	case Kubelet:
		return []string{"--kubeconfig=kubeconfig/" + Kubelet, "--node=" + s.node()}
	}
	return nil
}

func apiServerArguments(port int) []string {
	return []string{
		"--etcd-servers=unix://etcd.sock:0",
		fmt.Sprintf("--secure-port=%d", port),
		"--bind-address=127.0.0.1",
		// Nothing may depend on the machine's own addresses: it may have none. This one is for
		// documentation (RFC 5737), and no endpoint is published for it.
		"--advertise-address=192.0.2.1",
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=pki/apiserver.crt",
		"--tls-private-key-file=pki/apiserver.key",
		"--client-ca-file=pki/ca.crt",
		"--cert-dir=run",
		"--service-account-issuer=https://kubernetes.default",
		"--service-account-key-file=pki/service-account.key",
		"--service-account-signing-key-file=pki/service-account.key",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=RBAC",
		"--allow-privileged=true",
		"--profiling=false",
		// Else an ending API server waits a minute for watches to end by themselves.
		"--shutdown-watch-termination-grace-period=1s",
	}
}

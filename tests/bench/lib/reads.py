"""Reading a hub of ten thousand clusters: their list, the status of one object in all of them, its version."""

import contextlib
import json
import os
import time

from . import proc
from .kube import JSON, Api, ApiError
from .results import percentile
from .world import CLUSTERS, ROOT, Hub, run

N_CLUSTERS = 10000
PAGE = 500
READS = 60
OBJECT = "/apis/types.kubefed.io/v1beta1/namespaces/fleet/federatedconfigmaps/settings"
VERSION = "/apis/core.kubefed.io/v1alpha1/namespaces/fleet/propagatedversions/configmap-settings"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"  # as kubectl get asks


@contextlib.contextmanager
def large_fleet(fleet, name):
    """A ready hub that has ten thousand clusters in its store, and one object in all of them."""
    run("ninja", "-C", os.path.join(ROOT, "build", "release"), "fedhub", "fedctl", "fleet_rows", cwd=ROOT)
    hub = Hub(fleet, name)
    hub.wait_ready()
    _federate(hub.api)
    hub.stop()
    run(fleet.release("fleet_rows"), os.path.join(hub.dir, "hub.db"), str(N_CLUSTERS))
    os.truncate(fleet.log(name), 0)  # its addresses are new
    hub = Hub(fleet, name)
    hub.wait_ready()
    try:
        _check(hub.api)
        yield hub
    finally:
        hub.stop()


def fleet_read(fleet, results):
    """Status of one object in ten thousand clusters, and their list."""
    with large_fleet(fleet, "fleet-hub") as hub:
        _measure(results, hub, "fleet_read_object", OBJECT, JSON, 20)
        _measure(results, hub, "fleet_read_version", VERSION, JSON, None)
        _measure(results, hub, "fleet_read_clusters_page", f"{CLUSTERS}?limit={PAGE}", TABLE, 50)
        results.add("fleet_read_rss", proc.rss_mib(hub.pid), "MiB")


def _federate(api):
    everywhere = {"placement": {"clusterSelector": {}}}
    types = "/apis/types.kubefed.io/v1beta1/namespaces/fleet"
    api.call("POST", "/api/v1/namespaces",
             {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fleet"}})
    for plural, kind, name, template in (
            ("federatednamespaces", "FederatedNamespace", "fleet", {}),
            ("federatedconfigmaps", "FederatedConfigMap", "settings", {"data": {"a": "b"}})):
        api.call("POST", f"{types}/{plural}",
                 {"apiVersion": "types.kubefed.io/v1beta1", "kind": kind,
                  "metadata": {"name": name, "namespace": "fleet"}, "spec": {**everywhere, "template": template}})


def _check(api):
    """That what is read is what was meant."""
    status = api.call("GET", OBJECT)["status"]
    versions = api.call("GET", VERSION)["status"]["clusterVersions"]
    if (len(status["clusters"]) != N_CLUSTERS or len(versions) != N_CLUSTERS
            or status["conditions"][0]["status"] != "True"):
        raise RuntimeError(f"the fleet is not as it should be: {json.dumps(status)[:300]}")


def _read(api, path, accept):
    status, answer = api.send("GET", path, None, accept=accept)
    if status != 200:
        raise ApiError("GET", path, status, answer)
    return answer


def _measure(results, hub, name, path, accept, budget_ms):
    """Sequential reads on one connection. At the server: its processor time, for there is one thread; the other figure
    is what a client on the same machine waits."""
    api = Api(hub.kubeconfig)
    waits = []
    size = 0
    _read(api, path, accept)
    before = proc.cpu_s(hub.pid)
    for _ in range(READS):
        then = time.monotonic()
        size = len(_read(api, path, accept))
        waits.append((time.monotonic() - then) * 1000)
    results.add(f"{name}_server", (proc.cpu_s(hub.pid) - before) * 1000 / READS, "ms", budget_ms)
    results.add(f"{name}_client_p50", percentile(waits, 50), "ms")
    results.add(f"{name}_bytes", size, "bytes")

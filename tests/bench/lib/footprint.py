"""What the agent takes from the gateway that it lives on: with 1,000 works, over 10,000 changes, and from its API server."""

import json
import os
import threading
import time

from . import proc, workload
from .kube import MERGE_PATCH, Marks
from .peers import peers
from .results import note
from .world import wait_for

WORKS = 1000
MEASURED_S = 250      # scaled to an hour
CHANGES = 10000
WARM_CHANGES = 2000   # before the first look: by then every buffer has been as large as it gets
STEP = 1000           # between two looks
AT_ONCE = 20
SETTLE_S = 5
QUIET_S = 60          # with fewer requests of the agent than QUIET_REQUESTS: watches are renewed, no more
QUIET_REQUESTS = 20
QUIET_WITHIN_S = 600
ACCOUNT = "fedlet"
NAMESPACE = "kube-system"


def _own_account(member):
    """An account for the agent, whose requests the API server counts apart from all others: a FlowSchema of its own.
    Returns the path of its kubeconfig."""
    api = member.api
    api.call("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
             {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}})
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    api.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [subject]})
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    api.call("POST", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": {"name": ACCOUNT},
        "spec": {"priorityLevelConfiguration": {"name": "workload-high"}, "matchingPrecedence": 2,
                 "rules": [{"subjects": [{"kind": "ServiceAccount", "serviceAccount":
                                          {"name": ACCOUNT, "namespace": NAMESPACE}}],
                            "resourceRules": [everything],
                            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}]}})
    token = api.call("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": 86400}})["status"]["token"]
    return _kubeconfig(member, token)


def _kubeconfig(member, token):
    with open(member.kubeconfig, encoding="utf-8") as source:
        lines = source.read().splitlines()
    found = {key: line.split(":", 1)[1].strip().strip('"') for line in lines
             for key in ("server", "certificate-authority-data") if line.strip().startswith(f"{key}:")}
    path = os.path.join(member.dir, "account.kubeconfig")
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                   "clusters": [{"name": "c", "cluster": found}],
                   "users": [{"name": "u", "user": {"token": token}}],
                   "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}, out)
    return path


def _requests(member):
    """How many of the account's requests the API server has begun so far."""
    status, text = member.api.send("GET", "/metrics", None, accept="text/plain")
    if status != 200:
        raise RuntimeError(f"the member's metrics: {status}")
    return sum(float(line.rsplit(b" ", 1)[1]) for line in text.splitlines()
               if line.startswith(b"apiserver_flowcontrol_dispatched_requests_total") and
               f'flow_schema="{ACCOUNT}"'.encode() in line)


class _Versions:
    """Waits until ConfigMaps of a member hold a value, from one watch on all of them."""

    def __init__(self, member, namespace):
        self._marks = Marks()
        self._watch = member.api.watch(f"/api/v1/namespaces/{namespace}/configmaps", self._seen)

    def _seen(self, at_s, line):
        obj = json.loads(line)["object"]
        self._marks.put((obj["metadata"]["name"], obj.get("data", {}).get("turn")), at_s)

    def wait(self, names, turn):
        self._marks.wait([(name, turn) for name in names])

    def close(self):
        self._watch.close()


def _change(fleet, member, first, count):
    """count changes, AT_ONCE objects at a time: the next ones when those are in the member."""
    path = workload.hub_path("ConfigMap", "thousand")
    names = [f"configmap-{i:02}" for i in range(AT_ONCE)]
    seen = _Versions(member, "thousand")
    for turn in range(first, first + count // AT_ONCE):
        for name in names:
            fleet.hub.api.call("PATCH", f"{path}/{name}", {"spec": {"template": {"data": {"turn": str(turn)}}}},
                               MERGE_PATCH)
        seen.wait(names, str(turn))
    seen.close()
    time.sleep(SETTLE_S)


def _first(fleet, member, objs):
    """The agent's start until the first object is in the member, and until all are; in ms."""
    came = threading.Event()
    at = []

    def seen(at_s, _line):
        at.append(at_s)
        came.set()

    watch = member.api.watch("/api/v1/namespaces?labelSelector=kubefed.io/managed=true", seen)
    marks, names, end = fleet.expect(member, objs)
    started = member.agent_start(fleet.hub.coap_port)
    applied = marks.wait(names, 180)
    end()
    came.wait(10)
    watch.close()
    return (min(at) - started) * 1000, (applied - started) * 1000


def footprint(fleet, results):
    """1,000 works on 8 kinds: memory, requests to the agent's own API server, start, growth over 10,000 changes. And the
    agents of Karmada and OCM beside ours, with the 100 objects that they had."""
    member = fleet.member("thousand")
    member.kubeconfig_of_agent = _own_account(member)
    member.join(fleet.hub)
    objs = workload.objects("thousand", WORKS)
    note(f"loading {len(objs)} objects")
    fleet.hub.load("thousand", objs)
    fleet.hub.place(member.name, "thousand")
    first_ms, all_ms = _first(fleet, member, objs)
    results.add("start_to_first_apply", first_ms, "ms")
    results.add("delivery_1000_time", all_ms, "ms")
    results.add("agent_peak_1000_works", proc.peak_mib(member.pid), "MiB")
    wait_for("the cluster to be ready", lambda: fleet.hub.cluster_ready(member.name))
    time.sleep(SETTLE_S)
    _idle(member, results)
    _growth(fleet, member, results)
    fleet.forget(member)
    peers(fleet, results)


def _wait_quiet(member):
    """Until the agent has nothing to ask. Members of the benchmarks run no pods, so that workloads take minutes to turn
    from progressing to failed, and are looked at meanwhile."""
    looks = [_requests(member)]
    steps = QUIET_S // SETTLE_S
    while len(looks) * SETTLE_S < QUIET_WITHIN_S:
        time.sleep(SETTLE_S)
        looks.append(_requests(member))
        if len(looks) > steps and looks[-1] - looks[-1 - steps] < QUIET_REQUESTS:
            return


def _idle(member, results):
    _wait_quiet(member)
    note(f"idling for {MEASURED_S} s")
    before, cpu_s, files = _requests(member), proc.cpu_s(member.pid), proc.files_state(member.state_dir)
    time.sleep(MEASURED_S)
    scale = 3600 / MEASURED_S
    results.add("agent_requests_per_idle_hour", (_requests(member) - before) * scale, "requests")
    results.add("idle_cpu_per_hour_1000_works", (proc.cpu_s(member.pid) - cpu_s) * scale, "s")
    results.add("idle_files_written_1000_works", int(proc.files_state(member.state_dir) != files),
                "files", 0)
    results.add("agent_rss_1000_works", proc.rss_mib(member.pid), "MiB")


def _looks(fleet, member, first):
    """Half of the changes, in steps. After each: memory in KiB and bytes of files, the smallest of each. What one
    allocation more or less makes of a page goes up and down; what grows does not come down again."""
    looks = []
    for step in range(first, first + CHANGES // 2, STEP):
        _change(fleet, member, step // AT_ONCE, STEP)
        files = sum(size for size, _ in proc.files_state(member.state_dir).values())
        looks.append((proc.rss_mib(member.pid) * 1024, files))
    return [min(column) for column in zip(*looks)]


def _growth(fleet, member, results):
    note(f"{WARM_CHANGES} changes, then {CHANGES} more")
    _change(fleet, member, 0, WARM_CHANGES)
    open_files = len(os.listdir(f"/proc/{member.pid}/fd"))
    memory, files = _looks(fleet, member, WARM_CHANGES)
    later, grown = _looks(fleet, member, WARM_CHANGES + CHANGES // 2)
    results.add("growth_10000_changes_memory", max(0, later - memory), "KiB", 0)
    results.add("growth_10000_changes_files", grown - files, "bytes")
    results.add("growth_10000_changes_descriptors", len(os.listdir(f"/proc/{member.pid}/fd")) - open_files, "files", 0)

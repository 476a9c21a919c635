"""The hub as a Kubernetes API server, side by side with kube-apiserver and etcd that sync to disk as the hub does.

Both serve the same definition and get the same requests from tests/bench/load.c, in turns. Where a request can be
repeated there are several short rounds, and the median counts."""

import json
import os
import statistics
import subprocess
import time

from . import proc
from .kube import Api
from .world import ROOT, Hub, run, wait_for

COUNT = 10000
CLIENTS = 8
ROUNDS = 3
ROUND_S = 1.0
WATCHERS = 1000
WATCH_CONNECTIONS = 10
BURST = 200
OBJECT_BYTES = 1400
AHEAD = 5    # times as fast as the peer
SMALLER = 20  # times as small
NAMESPACE = "bench"
GROUP = "bench.fedlet.io"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LIST = f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/shops"
START_LIMIT_S = 60
POLL_S = 0.002


def _definition():
    text = {"type": "string", "maxLength": 4096}
    spec = {"type": "object", "required": ["owner"], "properties": {
        "owner": text,
        "replicas": {"type": "integer", "minimum": 0, "maximum": 100, "default": 1},
        "settings": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                     "items": {"type": "object", "required": ["name"], "properties": {"name": text, "value": text}}}}}
    version = {"name": "v1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"shops.{GROUP}"},
            "spec": {"group": GROUP, "scope": "Namespaced", "versions": [version],
                     "names": {"plural": "shops", "singular": "shop", "kind": "Shop", "listKind": "ShopList"}}}


def _object(name):
    """1.4 KB of JSON with places that load fills in."""
    settings = []
    obj = {"apiVersion": f"{GROUP}/v1", "kind": "Shop",
           "metadata": {"name": name, "namespace": NAMESPACE,
                        "labels": {"app": "shop", "group": "g@G@", "team": "tide", "release": "2026.11"},
                        "annotations": {"shop.example/note": "of the api benchmark"}},
           "spec": {"owner": "@T@", "settings": settings}}
    while (left := OBJECT_BYTES - len(_text(obj))) > 60:
        settings.append({"name": f"setting-{len(settings):02}",
                         "value": ("grey-mill-road-amber-quay-" * 6)[:min(120, left - 36)]})
    return obj


def _text(obj):
    return json.dumps(obj, separators=(",", ":"))


class HubServer:
    """The release hub in a folder of its own."""

    name = "hub"

    def __init__(self, fleet):
        self._fleet = fleet
        self._hub = Hub(fleet, "api-hub")
        self._hub.wait_ready()
        self.kubeconfig = self._hub.kubeconfig

    def pids(self):
        return [self._hub.pid]

    def restart(self, ready):
        """Ends it and starts it again; the time from the start until ready() says so."""
        self._hub.stop()
        before = time.monotonic()
        self._hub = Hub(self._fleet, "api-hub")
        wait_for("the hub", ready, START_LIMIT_S, POLL_S)
        return time.monotonic() - before

    def stop(self):
        self._hub.stop()


class Peer:
    """kube-apiserver and etcd alone: the controllers have made the ServiceAccount and are stopped."""

    name = "peer"

    def __init__(self, fleet):
        self._dir = os.path.join(fleet.dir, "peer")
        self.kubeconfig = self._kube("up", "--sync").splitlines()[-1]
        self._kube("stop", "controller-manager")

    def _command(self, command, *words):
        return [os.path.join(ROOT, "build", "kube"), command, "--dir", self._dir, *words]

    def _kube(self, *words):
        return run(*self._command(*words))

    def pids(self):
        out = []
        for program in ("apiserver", "etcd"):
            with open(os.path.join(self._dir, "run", f"{program}.json"), encoding="utf-8") as state:
                out.append(json.load(state)["pid"])
        return out

    def restart(self, ready):
        self._kube("stop", "apiserver")
        self._kube("stop", "etcd")
        before = time.monotonic()
        self._kube("start", "etcd")
        with subprocess.Popen(self._command("start", "apiserver"), stderr=subprocess.DEVNULL) as start:
            wait_for("the peer", ready, START_LIMIT_S, POLL_S)
            took_s = time.monotonic() - before
            start.wait()
        return took_s

    def stop(self):
        self._kube("down", "--purge")


class Bench:
    def __init__(self, fleet, results):
        self.results = results
        self._fleet = fleet
        self._load = os.path.join(ROOT, "build", "release", "bin", "load")
        self._lines = []
        self.servers = []

    def file(self, name, obj):
        path = os.path.join(self._fleet.dir, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(_text(obj))
        return path

    def load(self, server, mode, *words):
        """One run; its facts and the server's processor time."""
        before = [proc.cpu_all_s(pid) for pid in server.pids()]
        facts = json.loads(run(self._load, mode, "--kubeconfig", server.kubeconfig, "--connections", str(CLIENTS),
                               *words))
        after = [proc.cpu_all_s(pid) for pid in server.pids()]
        facts["server_cpu_s"] = sum(after) - sum(before)
        return facts

    def once(self, name, mode, *words, rate="per_second"):
        self._add(name, [[self.load(server, mode, *words)] for server in self.servers], rate)

    def rounds(self, name, *words, seconds=ROUND_S):
        runs = [[], []]
        for _ in range(ROUNDS):
            for i, server in enumerate(self.servers):
                runs[i].append(self.load(server, "requests", "--seconds", str(seconds), *words))
        self._add(name, runs, "per_second")

    def _add(self, name, runs, rate):
        medians = [sorted(r, key=lambda f: f[rate])[len(r) // 2] for r in runs]
        for server, facts in zip(self.servers, medians):
            self.results.add(f"api_{name}_{server.name}", facts[rate], "/s")
        self.results.add(f"api_{name}_time_to_peer", medians[1][rate] / medians[0][rate], "ratio", 1 / AHEAD)
        self._lines.append((name, rate, medians))

    def sizes(self, name):
        sizes = [sum(proc.rss_mib(pid) for pid in server.pids()) for server in self.servers]
        for server, size in zip(self.servers, sizes):
            self.results.add(f"api_{name}_{server.name}", size, "MiB")
        self.results.add(f"api_{name}_to_peer", sizes[0] / sizes[1], "ratio", 1 / SMALLER)
        self._lines.append((name, None, sizes))

    def starts(self, name, target, marker, markers):
        times = [[], []]
        for _ in range(ROUNDS):
            for i, server in enumerate(self.servers):
                times[i].append(1000 * server.restart(lambda s=server: _answers(s, target, marker, markers)))
        medians = [statistics.median(t) for t in times]
        for server, ms in zip(self.servers, medians):
            self.results.add(f"api_{name}_{server.name}", ms, "ms")
        self.results.add(f"api_{name}_to_peer", medians[0] / medians[1], "ratio", 1 / AHEAD)
        self._lines.append((name, None, medians))

    def print_table(self):
        print(f"{'api':<14} {'hub':>12} {'peer':>12} {'times':>7}   {'hub p50/p99 ms':>16} {'peer p50/p99 ms':>16}   "
              f"{'cpu ms hub':>10} {'peer':>7}   load's cpu")
        for name, rate, (hub, peer) in self._lines:
            if rate is None:
                print(f"{name:<14} {hub:>12,.1f} {peer:>12,.1f} {peer / hub:>7.1f}")
                continue
            print(f"{name:<14} {hub[rate]:>12,.1f} {peer[rate]:>12,.1f} {hub[rate] / peer[rate]:>7.1f}   "
                  f"{_latency(hub):>16} {_latency(peer):>16}   {_cpu_ms(hub):>10.3f} {_cpu_ms(peer):>7.3f}   "
                  f"{_share(hub):.0%} {_share(peer):.0%}")


def _latency(facts):
    return f"{facts['p50_ms']:.2f}/{facts['p99_ms']:.2f}"


def _cpu_ms(facts):
    return facts["server_cpu_s"] * 1000 / (facts.get("events") or facts["requests"])


def _share(facts):
    return facts["cpu_s"] / facts["seconds"]


def _answers(server, target, marker, markers):
    try:
        status, body = Api(server.kubeconfig).send("GET", target, None)
    except OSError:
        return False
    return status == 200 and body.count(marker.encode()) == markers


def _watch_burst(bench):
    """Watchers from now on, then a burst of creates: from the first request to the last watcher's last event."""
    path = bench.file("burst.json", _object("later-@N@"))
    runs = []
    for server in bench.servers:
        revision = Api(server.kubeconfig).call("GET", f"{LIST}?limit=1")["metadata"]["resourceVersion"]
        runs.append([bench.load(
            server, "watch", "--watch-target", f"{LIST}?watch=true&resourceVersion={revision}", "--watchers",
            str(WATCHERS), "--watch-connections", str(WATCH_CONNECTIONS), "--method", "POST", "--target", LIST,
            "--body", path, "--status", "201", "--count", str(BURST))])
    bench._add("watch_events", runs, "events_per_second")


def _measure(bench):
    whole = bench.file("object.json", _object("item-@N@"))
    merge = bench.file("merge.json", {"spec": {"owner": "@T@"}})
    one = f"{LIST}/item-@N@"
    marker = '"name":"item-'
    spread = ("--range", str(COUNT), "--shuffle")
    for server in bench.servers:
        client = Api(server.kubeconfig)
        client.call("POST", "/api/v1/namespaces", {
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        client.call("POST", DEFINITIONS, _definition())
        wait_for("the definition to be served", lambda c=client: c.send("GET", LIST, None)[0] == 200)
    bench.once("create", "requests", "--method", "POST", "--target", LIST, "--body", whole, "--status", "201",
               "--count", str(COUNT))
    bench.sizes("rss_10000")
    bench.rounds("get", "--target", one, *spread)
    bench.rounds("list_all", "--target", LIST, "--marker", marker, "--markers", str(COUNT), seconds=2)
    bench.rounds("list_all_gzip", "--gzip", "--target", LIST, "--marker", marker, "--markers", str(COUNT), seconds=2)
    bench.rounds("list_page_500", "--target", f"{LIST}?limit=500", "--marker", marker, "--markers", "500")
    bench.rounds("list_by_label", "--target", f"{LIST}?labelSelector=group%3Dg@G@", "--range", "100", "--marker",
                 marker, "--markers", str(COUNT // 100))
    bench.rounds("patch_merge", "--method", "PATCH", "--type", "application/merge-patch+json", "--body", merge,
                 "--target", one, *spread)
    bench.rounds("patch_apply", "--method", "PATCH", "--type", "application/apply-patch+yaml", "--body", whole,
                 "--target", f"{one}?fieldManager=bench&force=true", *spread)
    _watch_burst(bench)
    bench.sizes("rss_after")
    bench.starts("start", f"{LIST}?limit=500", marker, 500)
    bench.once("delete", "requests", "--method", "DELETE", "--target", one, "--count", str(COUNT))


def api(fleet, results):
    """The API side by side with kube-apiserver and etcd, both syncing to disk: 10,000 objects of 1.4 KB, 8 clients."""
    bench = Bench(fleet, results)
    run("ninja", "-C", os.path.join(ROOT, "build", "release"), "load", "fedhub", cwd=ROOT)
    try:
        for make in (HubServer, Peer):
            bench.servers.append(make(fleet))
        _measure(bench)
    finally:
        for server in bench.servers:
            server.stop()
    bench.print_table()

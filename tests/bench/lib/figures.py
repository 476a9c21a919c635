"""The figures: one function per group, in the order in which they run. Each adds rows to the results."""

import os
import re
import shutil
import statistics
import tempfile
import threading
import time

from . import proc, workload
from .api import api
from .blocks import blocks
from .console import console
from .consoles import GROUPS as CONSOLES, console_reports
from .fleets import GROUPS as FLEETS, swarm_https
from .footprint import footprint
from .kube import APPLY_PATCH, Api, Marks
from .reads import fleet_read
from .relay import bursts, payload, wire
from .results import note, percentile
from .world import ROOT, ensure_agent, run, wait_for

MIB = 1 << 20
TARGETS = {"x86_64": None, "aarch64": int(1.25 * MIB), "armv7": int(0.9 * MIB), "riscv64": None}
CHANGES = 20
LATENCY_CHANGES = 200
RESTARTS = 3
IDLE_WINDOW_S = 250
IN_FLIGHT = 8         # requests that an agent has under way in its member
SETTLE_S = 4          # without a datagram: reports wait at most a second for company
BURST_GAP_S = 0.4
REPORT_LIMIT_S = 30
WEB = "deployment-00"  # the Deployment whose image changes


def size(_fleet, results):
    """The static agent of each target, stripped."""
    for preset, budget in TARGETS.items():
        note(f"building the agent for {preset}")
        folder = ensure_agent(preset)
        stripped = os.path.join(folder, "fedlet.stripped")
        shutil.copyfile(os.path.join(folder, "bin", "fedlet"), stripped)
        run(_cache_value(folder, "FEDLET_STRIP"), "--strip-all", stripped)
        results.add(f"agent_size_{preset}", os.path.getsize(stripped), "bytes", budget)


def _cache_value(folder, key):
    with open(os.path.join(folder, "CMakeCache.txt"), encoding="utf-8") as cache:
        found = re.search(rf"^{key}:[A-Z]+=(.*)$", cache.read(), re.MULTILINE)
    return found.group(1)


def proto(_fleet, results):
    """Frames alone, without network and disk."""
    folder = os.path.join(ROOT, "build", "release")
    run("ninja", "-C", folder, "proto_bench", cwd=ROOT)
    objs = os.path.join(folder, "proto_bench.jsonl")
    with open(objs, "wb") as out:
        out.write(workload.to_jsonl(workload.objects("bench")) + b"\n")
    for line in run(os.path.join(folder, "bin", "proto_bench"), objs).splitlines():
        name, value, unit = line.split()
        results.add(name, float(value) if "." in value else int(value), unit)


PLAN_BUDGETS = {"plan_full_1000x1000": 10000, "plan_bytes_per_pair_1000x1000": 100, "plan_label_change": 10,
                "plan_label_pairs": 10, "plan_change_10000": 50}


def plan(_fleet, results):
    """The plan alone, on a real store: from nothing, one change for 10,000 clusters, one cluster's label."""
    folder = os.path.join(ROOT, "build", "release")
    run("ninja", "-C", folder, "plan_bench", cwd=ROOT)
    with tempfile.TemporaryDirectory() as store:
        for line in run(os.path.join(folder, "bin", "plan_bench"), store).splitlines():
            name, value, unit = line.split()
            results.add(name, float(value) if "." in value else int(value), unit, PLAN_BUDGETS.get(name))


ROLLOUT_BUDGETS = {"rollout_step": 20, "rollout_step_longest": 20, "rollout_commit_longest": 20, "rollout_flap_longest": 20}


def rollout_step(_fleet, results):
    """The engine of rollouts alone, 10,000 clusters in five waves; the controller with its commits; clusters that flap."""
    folder = os.path.join(ROOT, "build", "release")
    run("ninja", "-C", folder, "rollout_engine_bench", "rollouts_bench", cwd=ROOT)
    lines = run(os.path.join(folder, "bin", "rollout_engine_bench")).splitlines()
    for more in ("10000",), ("1000", "flap"):
        with tempfile.TemporaryDirectory() as store:
            lines += run(os.path.join(folder, "bin", "rollouts_bench"), store, *more).splitlines()
    for line in lines:
        name, value, unit = line.split()
        if name.startswith("rollout"):
            results.add(name, float(value) if "." in value else int(value), unit, ROLLOUT_BUDGETS.get(name))


def session(_fleet, results):
    """A connected agent's memory in a gateway worker; sessions saved and gone on with."""
    folder = os.path.join(ROOT, "build", "release")
    run("ninja", "-C", folder, "session_bench", cwd=ROOT)
    for line in run(os.path.join(folder, "bin", "session_bench")).splitlines():
        name, value, unit = line.split()
        results.add(name, float(value) if "." in value else int(value), unit,
                    {"session_bytes": 16384, "session_bytes_restored": 16384}.get(name))


def hub(fleet, results):
    """Memory of a hub that has nothing to do, its gateway workers included."""
    assert not fleet.loaded, "measured before the hub gets objects"
    pid = fleet.hub.pid
    time.sleep(SETTLE_S)
    results.add("hub_rss_empty", proc.service_mib(pid), "MiB")
    fleet.edge.agent_start(fleet.relay.port)
    wait_for("the cluster to be ready", lambda: fleet.hub.cluster_ready(fleet.EDGE))
    fleet.relay.wait_quiet(SETTLE_S, 60)
    results.add("hub_rss_one_agent", proc.service_mib(fleet.hub.pid), "MiB", 12)
    fleet.edge.agent_stop()


def delivery(fleet, results):
    """First delivery: a connected agent without works gets all objects at once. Reports are counted."""
    edge = fleet.edge
    edge.agent_stop()
    edge.agent_start(fleet.relay.port)
    wait_for("the cluster to be ready", lambda: fleet.hub.cluster_ready(fleet.EDGE))
    fleet.load()
    direct_s = _apply_directly(edge, fleet.objects)
    fleet.relay.wait_quiet(SETTLE_S, 60)
    marks, names, end = fleet.expect(edge, fleet.objects)
    mark = fleet.relay.mark()
    accepted = fleet.hub.place(edge.name, "bench")
    applied = marks.wait(names, 120)
    end()
    fleet.relay.wait_quiet(SETTLE_S, 60)
    passed = fleet.relay.since(mark)
    deflated = workload.deflated_size(fleet.objects)
    results.add("delivery_objects_json", sum(len(workload.to_json(o)) for o in fleet.objects), "bytes")
    results.add("delivery_zlib9", deflated, "bytes")
    results.add("delivery_payload", payload(passed), "bytes")
    results.add("delivery_down_wire", wire([d for d in passed if not d.up]), "bytes")
    results.add("delivery_up_wire", wire([d for d in passed if d.up]), "bytes")
    results.add("delivery_wire_to_zlib9", wire(passed) / deflated, "ratio", 1.2)
    results.add("delivery_time", (applied - accepted) * 1000, "ms", 1500)
    results.add("delivery_direct_apply_time", direct_s * 1000, "ms")
    results.add("delivery_time_to_direct", (applied - accepted) / direct_s, "ratio")
    results.add("delivery_agent_peak", proc.peak_mib(edge.pid), "MiB")


def _apply_directly(edge, objs):
    """The same objects into another namespace of the member, on as many connections as the agent has requests under
    way: what of the delivery is the member's own time. They are deleted afterwards."""
    edge.api.call("POST", "/api/v1/namespaces",
                  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "direct"}})
    waiting = [dict(o, metadata=dict(o["metadata"], namespace="direct")) for o in reversed(objs)]

    def work():
        api = Api(edge.kubeconfig)
        while waiting:
            obj = waiting.pop()
            api.call("PATCH", f"{workload.member_path(obj)}/{obj['metadata']['name']}?fieldManager=bench&force=true",
                     obj, APPLY_PATCH)

    threads = [threading.Thread(target=work) for _ in range(IN_FLIGHT)]
    before = time.monotonic()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    direct_s = time.monotonic() - before
    edge.api.call("DELETE", "/api/v1/namespaces/direct")
    wait_for("the namespace to be gone", lambda: _is_gone(edge.api, "/api/v1/namespaces/direct"))
    return direct_s


def _is_gone(api, path):
    return api.send("GET", path, None)[0] == 404


class Images:
    """Sees each new image of the namespace's Deployments in the member, and when."""

    def __init__(self, edge):
        self._marks = Marks()
        self._tag = 0
        self._watch = edge.api.watch("/apis/apps/v1/namespaces/bench/deployments", self._seen)

    def _seen(self, at_s, line):
        for image in set(re.findall(rb'"image":"([^"]*)"', line)):
            self._marks.put(image.decode(), at_s)

    def next(self):
        self._tag += 1
        return f"{workload.IMAGE}:{time.time_ns() // 1000000 % 10**9}-{self._tag}"

    def wait(self, image, limit_s=60):
        return self._marks.wait([image], limit_s)

    def close(self):
        self._watch.close()


def change(fleet, results):
    """Bytes of one changed image tag: everything until the report that it was applied, then the health reports."""
    edge = fleet.running()
    images = Images(edge)
    changes, reports, datagrams, payloads = [], [], [], []
    for _ in range(CHANGES):
        mark = fleet.relay.mark()
        image = images.next()
        fleet.hub.change_image("bench", WEB, image)
        images.wait(image)
        fleet.relay.wait_quiet(SETTLE_S, REPORT_LIMIT_S)
        first, *later = bursts(fleet.relay.since(mark), BURST_GAP_S)
        changes.append(wire(first))
        payloads.append(payload(first))
        datagrams.append(len(first))
        reports += [wire(burst) for burst in later]
        note(f"  change: {[('up' if d.up else 'down', d.size) for d in first]}, then "
             f"{[[('up' if d.up else 'down', d.size) for d in burst] for burst in later]}")
    images.close()
    results.add("change_wire", statistics.median(changes), "bytes", 400)
    results.add("change_payload", statistics.median(payloads), "bytes")
    results.add("change_datagrams", statistics.median(datagrams), "datagrams")
    if reports:
        results.add("health_report_wire", statistics.median(reports), "bytes", 170)
        results.add("health_reports_per_change", len(reports) / CHANGES, "reports")


def flash(fleet, results):
    """Bytes that one changed image tag writes to the state directory, and those of a new session."""
    edge = fleet.running()
    images = Images(edge)
    before = proc.written_bytes(edge.pid)
    for _ in range(CHANGES):
        image = images.next()
        fleet.hub.change_image("bench", WEB, image)
        images.wait(image)
        fleet.relay.wait_quiet(SETTLE_S, REPORT_LIMIT_S)
    results.add("flash_bytes_per_change", (proc.written_bytes(edge.pid) - before) / CHANGES, "bytes", 65536)
    images.close()
    edge.agent_stop()
    edge.agent_start(fleet.relay.port)
    wait_for("the cluster to be ready", lambda: fleet.hub.cluster_ready(fleet.EDGE))
    fleet.relay.wait_quiet(SETTLE_S, REPORT_LIMIT_S)
    results.add("flash_bytes_per_start", proc.written_bytes(edge.pid), "bytes")


def idle(fleet, results):
    """Nothing changes: traffic, processor time, memory, writes."""
    edge = fleet.running()
    note(f"idling for {IDLE_WINDOW_S} s")
    mark, cpu_before, files_before = fleet.relay.mark(), proc.cpu_s(edge.pid), proc.files_state(edge.state_dir)
    time.sleep(IDLE_WINDOW_S)
    cpu_s = proc.cpu_s(edge.pid) - cpu_before
    files_after = proc.files_state(edge.state_dir)
    passed = fleet.relay.since(mark)
    note(f"  idle: {[(round(d.at - passed[0].at, 1), 'up' if d.up else 'down', d.size) for d in passed]}")
    results.add("idle_wire_per_hour", _per_hour(passed, IDLE_WINDOW_S), "bytes", 6000)
    results.add("idle_cpu_per_hour", cpu_s * 3600 / IDLE_WINDOW_S, "s", 0.5)
    results.add("idle_files_written", sum(files_after.get(k) != v for k, v in files_before.items()) +
                len(files_after.keys() - files_before.keys()), "files", 0)
    results.add("agent_rss_idle", proc.rss_mib(edge.pid), "MiB", 2.5)
    results.add("agent_private_dirty_idle", proc.private_dirty_mib(edge.pid), "MiB")
    results.add("hub_rss_100_objects", proc.service_mib(fleet.hub.pid), "MiB")


def _per_hour(passed, window_s):
    """From one heartbeat to a later one where there are two, because a window holds no whole number of periods."""
    beats = bursts(passed, 5)
    if len(beats) < 2:
        return round(wire(passed) * 3600 / window_s)
    counted = [d for burst in beats[:-1] for d in burst]
    return round(wire(counted) * 3600 / (beats[-1][0].at - beats[0][0].at))


def restart(fleet, results):
    """The agent was away, one change waits: from the start of its process to the change in the member."""
    edge = fleet.running()
    times, wires = [], []
    images = Images(edge)
    for _ in range(RESTARTS):
        edge.agent_stop()
        image = images.next()
        fleet.hub.change_image("bench", WEB, image)
        mark = fleet.relay.mark()
        started = edge.agent_start(fleet.relay.port)
        times.append((images.wait(image) - started) * 1000)
        fleet.relay.wait_quiet(SETTLE_S, REPORT_LIMIT_S)
        passed = fleet.relay.since(mark)
        wires.append(wire(passed))
        note(f"  restart: {times[-1]:.0f} ms, "
             f"{[[('up' if d.up else 'down', d.size) for d in burst] for burst in bursts(passed, BURST_GAP_S)]}")
    images.close()
    results.add("restart_time", statistics.median(times), "ms", 1000)
    results.add("restart_wire", statistics.median(wires), "bytes", 2000)


def latency(fleet, results):
    """From the hub's answer to the object in the member, and beside it the same change applied directly.

    The Deployments are paused: hundreds of rollouts in a minute would measure the member's controllers instead."""
    edge = fleet.running(through_relay=False)
    fleet.hub.pause("bench", WEB)
    images = Images(edge)
    path = "/apis/apps/v1/namespaces/bench/deployments"
    direct = workload.make_object("Deployment", 99, "bench")
    direct["spec"]["paused"] = True
    container = direct["spec"]["template"]["spec"]["containers"][0]
    through, beside = [], []
    agent_before, hub_before = proc.cpu_s(edge.pid), proc.cpu_s(fleet.hub.pid)
    for _ in range(LATENCY_CHANGES):
        image = images.next()
        accepted = fleet.hub.change_image("bench", WEB, image)
        through.append((images.wait(image) - accepted) * 1000)
        time.sleep(0.15)
        container["image"] = images.next()
        sent = time.monotonic()
        edge.api.call("PATCH", f"{path}/{direct['metadata']['name']}?fieldManager=bench&force=true", direct,
                      APPLY_PATCH)
        beside.append((images.wait(container["image"]) - sent) * 1000)
        time.sleep(0.15)
    agent_s, hub_s = proc.cpu_s(edge.pid) - agent_before, proc.cpu_s(fleet.hub.pid) - hub_before
    images.close()
    edge.api.call("DELETE", f"{path}/{direct['metadata']['name']}")
    results.add("accept_to_applied_p50", percentile(through, 50), "ms", 8)
    results.add("accept_to_applied_p99", percentile(through, 99), "ms", 60)
    results.add("direct_apply_p50", percentile(beside, 50), "ms")
    results.add("direct_apply_p99", percentile(beside, 99), "ms")
    results.add("accept_to_applied_to_direct_p50", percentile(through, 50) / percentile(beside, 50), "ratio")
    results.add("agent_cpu_per_change", agent_s * 1000 / LATENCY_CHANGES, "ms")
    results.add("hub_cpu_per_change", hub_s * 1000 / LATENCY_CHANGES, "ms")


def peak(fleet, results):
    """Memory of an agent that gets a bundle of 1 MiB at once, in a member of its own."""
    member = fleet.member("big")
    member.join(fleet.hub)
    objs = workload.objects("big", 440)
    objs = objs[:_count_of(objs, MIB)]
    note(f"loading {len(objs)} objects, 1 MiB")
    fleet.hub.load("big", objs)
    fleet.hub.place(member.name, "big")
    marks, names, end = fleet.expect(member, objs)
    started = member.agent_start(fleet.hub.coap_port)
    applied = marks.wait(names, 120)
    end()
    time.sleep(SETTLE_S)
    results.add("agent_peak_1mib_bundle", proc.peak_mib(member.pid), "MiB", 8)
    results.add("agent_rss_after_1mib_bundle", proc.rss_mib(member.pid), "MiB")
    results.add("delivery_1mib_time", (applied - started) * 1000, "ms")
    fleet.forget(member)


def _count_of(objs, wanted):
    """How many of them, from the first, are that many bytes of JSON."""
    total = 0
    for i, obj in enumerate(objs):
        total += len(workload.to_json(obj))
        if total >= wanted:
            return i + 1
    raise RuntimeError(f"all of them are only {total} bytes")


# In this order: an empty hub comes before a full one, the first delivery before all that needs it.
GROUPS = {f.__name__: f for f in (size, proto, plan, rollout_step, session, hub, delivery, change, flash, idle, restart, latency, peak, footprint,
                                  blocks, fleet_read, console, api, console_reports, *FLEETS, *CONSOLES, swarm_https)}

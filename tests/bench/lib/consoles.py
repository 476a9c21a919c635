"""Consoles that listen to a hub of thousands of agents while those report: how soon, at what cost, and what the API's
clients wait meanwhile."""

import json
import os
import random
import statistics
import subprocess
import threading
import time

from . import proc, workload
from .console import browser
from .fleets import CROWDS, LARGE, NAME, SMALL
from .kube import Api
from .results import note, percentile
from .world import CLUSTERS, ROOT, run

CONSOLES = 20
TICK_S = 0.5
REST_S = 12         # longer than the stream gathers at most
PIXELS = 40         # single reports
WAVES = 5
CHANGES = 3
CHURN_S = 30
CHURN = 500         # clusters whose state turns over, once a second
BURSTS = 40
BURST_EVERY_S = 0.5
WINDOW_S = 5
ROLLOUTS = "/apis/fedlet.io/v1alpha1/rollouts"


class Listener:
    """A page without its pictures: the stream, the fleet again when it is told so, the rollouts when they are touched, as
    seldom as a page asks for them."""

    def __init__(self, kubeconfig):
        self.events = []  # (time, name, bytes), of the monotonic clock
        self.fetched = 0
        self.error = None
        self._kubeconfig = kubeconfig
        self._api = Api(kubeconfig)
        self._touched = threading.Event()
        self._ended = False
        version = self._fleet()
        self._conn = self._api._open(60)
        self._conn.request("GET", f"/console/stream?since={version}")
        self._answer = self._conn.getresponse()
        if self._answer.status != 200:
            raise RuntimeError(f"the stream: {self._answer.status}")
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._listen, self._follow)]
        for thread in self._threads:
            thread.start()

    def _fleet(self):
        self.fetched += 1
        return self._api.call("GET", "/console/fleet")["version"]

    def _listen(self):
        size, name = 0, ""
        try:
            for line in self._answer:
                size += len(line)
                if line.startswith(b"event: "):
                    name = line[7:-1].decode()
                elif line == b"\n":
                    self.events.append((time.monotonic(), name, size))
                    if name == "reset" or (name == "touched" and b"rollouts" in data):
                        self._touched.set()
                    size, name = 0, ""
                elif line.startswith(b"data"):
                    data = line
        except (OSError, ValueError, AttributeError) as error:
            if not self._ended:
                self.error = error

    def _follow(self):
        api = Api(self._kubeconfig)
        while not self._ended:
            self._touched.wait()
            self._touched.clear()
            then = time.monotonic()
            if not self._ended:
                api.call("GET", ROLLOUTS)
            time.sleep(max(TICK_S, 3 * (time.monotonic() - then)))

    def close(self):
        self._ended = True
        self._touched.set()
        self._conn.sock.close()
        if self.error:
            raise RuntimeError(f"a stream was cut: {self.error}")

    def bytes_between(self, since, until):
        return sum(size for at, _, size in self.events if since <= at < until)

    def fastest(self, since, until):
        """Most bytes in a second over a window from one event to another: those of the first to the last but one."""
        events = [(at, size) for at, _, size in self.events if since <= at < until]
        most = 0.0
        for i, (begin, _) in enumerate(events):
            total = 0
            for (_, size), (end, _) in zip(events[i:], events[i + 1:]):
                total += size
                if end - begin >= WINDOW_S:
                    most = max(most, total / (end - begin))
        return most


class Listeners:
    def __init__(self, kubeconfig, n):
        self.all = []
        try:
            for _ in range(n):
                self.all.append(Listener(kubeconfig))
        except BaseException:
            self.close()
            raise

    def close(self):
        for one in self.all:
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- how soon ----

class Page:
    """The grid in a browser, which says when a pixel of it is another one."""

    def __init__(self, fleet, hub, program):
        code = run(fleet.release("fedctl"), "--kubeconfig", hub.kubeconfig, "console", "--print").strip().split("code=")[1]
        self._child = subprocess.Popen(
            ["node", os.path.join(ROOT, "tests", "bench", "console_pixel.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "BASE": f"https://127.0.0.1:{hub.api_port}", "CODE": code, "BROWSER": program}, text=True)
        self._hear("ready")

    def _hear(self, name):
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"the browser ended: {self._child.wait()}")
        said = json.loads(line)
        if said["event"] != name:
            raise RuntimeError(f"the browser says {line}, not {name}")
        return said

    def arm(self):
        self._child.stdin.write("watch\n")
        self._child.stdin.flush()
        self._hear("armed")

    def painted_s(self):
        """Of the monotonic clock."""
        return self._hear("painted")["unix_ms"] / 1000 - time.time() + time.monotonic()

    def close(self):
        self._child.stdin.close()
        self._child.wait(30)


def console_pixel(fleet, results):
    """From a report or a change that the hub took to the cell that shows it, 10,000 agents, one page."""
    program = browser()
    if not program:
        note("console_pixel: not measured: no Chromium or no Node.js")
        return
    crowd = CROWDS.get(fleet, LARGE)
    page = Page(fleet, crowd.hub, program)
    try:
        waits = [_report_to_pixel(crowd, page, agent) for agent in random.Random(1).sample(range(crowd.agents), PIXELS)]
        results.add("console_report_to_pixel_p50", percentile(waits, 50), "ms")
        results.add("console_report_to_pixel_p95", percentile(waits, 95), "ms", 1000)
        waits = [_change_to_pixel(crowd, page) for _ in range(CHANGES)]
        results.add("console_change_to_pixel_worst", max(waits), "ms", 1000)
    finally:
        page.close()
        crowd.swarm.say(f"mend 0 {crowd.agents}")
        crowd.swarm.event("met")


def _report_to_pixel(crowd, page, agent):
    time.sleep(random.random() * TICK_S)  # each at another time of the tick
    page.arm()
    crowd.swarm.say(f"fail {agent} 1")
    event = crowd.swarm.event("met")
    taken_s = event["asked_s"] + event["told_last_ms"] / 1000
    return (page.painted_s() - taken_s) * 1000


def _change_to_pixel(crowd, page):
    time.sleep(REST_S)
    page.arm()
    crowd.count += 1
    crowd.swarm.expect(f"{workload.IMAGE}:to-pixel-{crowd.count}.")
    before = time.monotonic()
    taken_s = crowd.hub.change_image("crowd", NAME, f"{workload.IMAGE}:to-pixel-{crowd.count}.")
    wait_ms = (page.painted_s() - taken_s) * 1000
    crowd.swarm.met(before)
    return wait_ms


# ---- at what cost ----

def consoles(fleet, results):
    """Twenty consoles at a hub of 10,000 agents: in a wave to all of them, and while 500 a second turn over."""
    crowd = CROWDS.get(fleet, LARGE)
    for _ in range(2):  # what is there once is not theirs
        crowd.change()
    alone_wave, wave_s = _waves(crowd)
    alone_churn, _, _ = _churn(crowd)
    before_mib = proc.pss_mib(crowd.hub.pid)
    with Listeners(crowd.hub.kubeconfig, CONSOLES) as listeners:
        begun = time.monotonic()
        with_wave, _ = _waves(crowd)
        with_churn, since, until = _churn(crowd)
        added_mib = proc.pss_mib(crowd.hub.pid) - before_mib
        resets = sum(name == "reset" for one in listeners.all for _, name, _ in one.events)
    results.add(f"consoles_{CONSOLES}_wave_hub_cpu", with_wave - alone_wave, "s")
    results.add(f"consoles_{CONSOLES}_wave_hub_core", (with_wave - alone_wave) / wave_s * 100, "%", 10)
    results.add(f"consoles_{CONSOLES}_churn_hub_core", (with_churn - alone_churn) / CHURN_S * 100, "%", 10)
    results.add(f"consoles_{CONSOLES}_hub_memory", added_mib, "MiB")
    rates = [one.bytes_between(since, until) / (until - since) for one in listeners.all]
    results.add("consoles_stream_rate_churn", statistics.mean(rates), "B/s", 50_000)
    results.add("consoles_stream_rate_fastest", listeners.all[0].fastest(begun, until), "B/s", 50_000)
    results.add("consoles_resets", resets, "resets", 0)


def _waves(crowd):
    """The hub's processor time of a wave with what it tells of it, and how long it took until all had reported."""
    took, cost = [], []
    time.sleep(REST_S)
    for _ in range(WAVES):
        before = proc.cpu_family_s(crowd.hub.pid)
        took.append(crowd.change()["told_last"])
        time.sleep(REST_S)
        cost.append(proc.cpu_family_s(crowd.hub.pid) - before)
    return statistics.median(cost), statistics.median(took)


def _churn(crowd):
    """So many clusters a second report that their works fail, and later that they do not."""
    time.sleep(REST_S)
    before, since = proc.cpu_family_s(crowd.hub.pid), time.monotonic()
    for i in range(CHURN_S):
        first = i // 2 * CHURN % (crowd.agents - CHURN + 1)
        crowd.swarm.say(f"{'mend' if i % 2 else 'fail'} {first} {CHURN}")
        crowd.swarm.event("met")
        time.sleep(max(0.0, since + i + 1 - time.monotonic()))
    return proc.cpu_family_s(crowd.hub.pid) - before, since, time.monotonic()


# ---- what others wait ----

class Reader:
    """A client that reads from the API all the time."""

    def __init__(self, kubeconfig, path):
        self._waits = []  # when it asked, when it was answered
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(Api(kubeconfig), path))
        self._thread.start()

    def _read(self, api, path):
        while not self._end.is_set():
            then = time.monotonic()
            api.call("GET", path)
            self._waits.append((then, time.monotonic()))
            time.sleep(0.002)

    def waits_in(self, times):
        """In ms, of what was under way in one of the times: what is read in between waits for nobody."""
        return [(end - begin) * 1000 for begin, end in self._waits
                if any(begin < until and end > since for since, until in times)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def console_reports(fleet, results):
    """A thousand agents report at once, twice a second: what the API and a console wait."""
    crowd = CROWDS.get(fleet, SMALL)
    kubeconfig = crowd.hub.kubeconfig
    bursts = []
    with Listeners(kubeconfig, 1) as listeners:
        since = time.monotonic()
        with Reader(kubeconfig, f"{CLUSTERS}?limit=1") as api, Reader(kubeconfig, "/console/search?q=swarm-0001*") as page:
            for i in range(BURSTS):
                before = time.monotonic()
                crowd.swarm.say(f"{'mend' if i % 2 else 'fail'} 0 {crowd.agents}")
                bursts.append((before, before + crowd.swarm.met(before)["told_last"]))
                time.sleep(max(0.0, before + BURST_EVERY_S - time.monotonic()))
        times = [at for at, name, _ in listeners.all[0].events if name == "fleet" and at >= since]
    gaps = [(b - a) * 1000 for a, b in zip(times, times[1:])]
    results.add(f"console_reports_{crowd.agents}_taken_p50", percentile([end - begin for begin, end in bursts], 50), "s")
    for name, reader, budget in (("get", api, 100), ("search", page, 150)):
        waits = reader.waits_in(bursts)
        results.add(f"console_reports_{crowd.agents}_{name}_p50", percentile(waits, 50), "ms")
        results.add(f"console_reports_{crowd.agents}_{name}_p99", percentile(waits, 99), "ms", budget)
        results.add(f"console_reports_{crowd.agents}_{name}_worst", max(waits), "ms")
    results.add(f"console_reports_{crowd.agents}_stream_events", len(times), "events")
    results.add(f"console_reports_{crowd.agents}_stream_gap_worst", max(gaps, default=float("inf")), "ms", 2000)


GROUPS = (console_pixel, consoles)

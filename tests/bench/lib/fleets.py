"""Large fleets: the agents of tests/swarm on a hub of their own. Agents and hub share the processors."""

import os
import statistics
import threading
import time

from . import proc, workload
from .kube import Api
from .results import note, percentile
from .swarm import Swarm
from .world import CLUSTERS, ROOT, Hub, run

SMALL = 1000
LARGE = int(os.environ.get("SWARM_LARGE", "10000"))  # how many; the names of the figures say it
MIDDLE = 4000       # by HTTPS, where each has a connection
CHANGES = 5
IDLE_S = 130        # more than one heartbeat of each
REST_S = 2
NAME = "deployment-00"
EVERYWHERE = {"clusterSelector": {}}
PER_AGENT_KIB = {"coap": 16, "https": 40}


class Crowd:
    """A hub, and so many agents that are connected and hold one Deployment."""

    def __init__(self, fleet, agents, link="coap"):
        self.agents = agents
        self.hub = Hub(fleet, f"{link}-{agents}")
        self.hub.wait_ready()
        self.swarm = None
        self.count = 0
        self.image = ""
        note(f"{agents} agents join and connect by {link}")
        try:
            self._begin(fleet, link)
        except BaseException:
            self.close()
            raise

    def _begin(self, fleet, link):
        hub = self.hub
        self.empty_mib = proc.pss_mib(hub.pid)
        url = f"coaps://127.0.0.1:{hub.coap_port}" if link == "coap" else f"https://127.0.0.1:{hub.agents_port}"
        self.swarm = Swarm(fleet.release("swarm"), fleet.log(f"swarm-{link}-{self.agents}"), url, self.agents,
                           os.path.join(hub.dir, "swarm.state"), hub.token(self.agents),
                           os.path.join(ROOT, "build", "swarm.keys"))
        self.joined_s = self.swarm.event("enrolled")["took_ms"] / 1000
        self.joined_mib = proc.pss_mib(hub.pid)
        before = proc.cpu_family_s(hub.pid)
        self.connected_s = self.swarm.ready()["took_ms"] / 1000
        self.connected_cpu_s = proc.cpu_family_s(hub.pid) - before
        self._federate()

    def _federate(self):
        api = self.hub.api
        deployment = workload.federated(workload.make_object("Deployment", 0, "crowd"), "crowd")
        deployment["spec"]["placement"] = EVERYWHERE
        api.call("POST", "/api/v1/namespaces",
                 {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "crowd"}})
        api.call("POST", "/apis/types.kubefed.io/v1beta1/namespaces/crowd/federatednamespaces",
                 {"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedNamespace",
                  "metadata": {"name": "crowd", "namespace": "crowd"}, "spec": {"placement": EVERYWHERE}})
        self.swarm.expect(f"{workload.IMAGE}:t0")
        api.call("POST", workload.hub_path("Deployment", "crowd"), deployment)
        self.swarm.met(time.monotonic())

    def change(self):
        """Changes the image. From before the request to the hub until the agents have it, and until the hub has their
        word."""
        self.count += 1
        self.swarm.expect(f"{workload.IMAGE}:change-{self.count}.")
        before = time.monotonic()
        self.hub.change_image("crowd", NAME, f"{workload.IMAGE}:change-{self.count}.")
        return self.swarm.met(before)

    def close(self):
        if self.swarm:
            self.swarm.stop()
        self.hub.stop()


class Crowds:
    """Made when first asked for, one at a time: a larger one replaces a smaller one."""

    def __init__(self):
        self._crowd = None
        self._key = None

    def get(self, fleet, agents, link="coap"):
        if self._key != (agents, link):
            self.close()
            run("ninja", "-C", os.path.join(ROOT, "build", "release"), "fedhub", "fedctl", "swarm", cwd=ROOT)
            self._crowd = Crowd(fleet, agents, link)
            self._key = (agents, link)
        self._crowd.swarm.check()
        return self._crowd

    def close(self):
        if self._crowd:
            self._crowd.close()
        self._crowd = self._key = None


CROWDS = Crowds()


def handshakes(fleet, results):
    """A thousand agents join and connect: X.509 on both sides, hello, observation, first report."""
    crowd = CROWDS.get(fleet, SMALL)
    results.add("joins_per_second", crowd.agents / crowd.joined_s, "/s")
    results.add("handshakes_per_second", crowd.agents / crowd.connected_s, "/s")
    results.add("handshake_hub_cpu", crowd.connected_cpu_s * 1000 / crowd.agents, "ms")
    results.add("handshakes_per_second_and_hub_core", crowd.agents / crowd.connected_cpu_s, "/s")
    before, sessions = proc.cpu_family_s(crowd.hub.pid), crowd.swarm.stats()["sessions"]
    crowd.swarm.say("stop")
    crowd.swarm.say("start")
    again_s = crowd.swarm.ready()["took_ms"] / 1000
    made = crowd.swarm.stats()["sessions"] - sessions
    results.add("second_handshakes_per_second", made / again_s, "/s")
    results.add("second_handshake_hub_cpu", (proc.cpu_family_s(crowd.hub.pid) - before) * 1000 / made, "ms")


def swarm_change(fleet, results):
    """One image tag changed for 1,000 and for 10,000 agents, until the last one has it."""
    for agents, budget in ((SMALL, 1), (LARGE, 8)):
        crowd = CROWDS.get(fleet, agents)
        time.sleep(REST_S)
        before = proc.cpu_family_s(crowd.hub.pid)
        seen = [crowd.change() for _ in range(CHANGES)]
        cpu = proc.cpu_family_s(crowd.hub.pid) - before
        for key, limit in (("met_p50", None), ("met_last", budget), ("told_last", None)):
            what = {"met_p50": "taken_p50", "met_last": "taken_last", "told_last": "reported_last"}[key]
            results.add(f"swarm_change_{agents}_{what}", statistics.median(one[key] for one in seen), "s", limit)
        results.add(f"swarm_change_{agents}_hub_cpu", cpu / CHANGES, "s")


def swarm_reports(fleet, results):
    """What a reader of the API waits while ten thousand full reports come in."""
    crowd = CROWDS.get(fleet, LARGE)
    waits = []
    end = threading.Event()

    def read():
        api = Api(crowd.hub.kubeconfig)
        while not end.is_set():
            then = time.monotonic()
            api.call("GET", f"{CLUSTERS}?limit=1")
            waits.append((time.monotonic() - then) * 1000)
            time.sleep(0.002)

    reader = threading.Thread(target=read)
    reader.start()
    before = time.monotonic()
    try:
        crowd.swarm.say("report")
        seen = crowd.swarm.met(before)
    finally:
        end.set()
        reader.join()
    results.add("swarm_reports_taken", seen["told_last"], "s")
    results.add("swarm_reports_get_p50", percentile(waits, 50), "ms")
    results.add("swarm_reports_get_p99", percentile(waits, 99), "ms")
    results.add("swarm_reports_get_worst", max(waits), "ms")


ROLLOUTS = "/apis/fedlet.io/v1alpha1/namespaces/crowd/rollouts"
POLICIES = "/apis/fedlet.io/v1alpha1/namespaces/crowd/rolloutpolicies"
WAVES = (("first", "1%"), ("second", "9%"), ("third", "20%"), ("fourth", "30%"))  # and the rest


def rollout_swarm(fleet, results):
    """One image tag changed for ten thousand agents in five waves without soak, until the rollout is complete."""
    crowd = CROWDS.get(fleet, LARGE)
    api = crowd.hub.api
    api.call("POST", POLICIES, {
        "apiVersion": "fedlet.io/v1alpha1", "kind": "RolloutPolicy", "metadata": {"name": "waves", "namespace": "crowd"},
        "spec": {"selector": {}, "waves": [{"name": name, "clusters": {"size": size}} for name, size in WAVES]}})
    try:
        time.sleep(REST_S)
        cpu, before = proc.cpu_family_s(crowd.hub.pid), time.monotonic()
        seen = crowd.change()
        status = _complete(api)
        took = time.monotonic() - before
    finally:
        api.call("DELETE", f"{POLICIES}/waves")
    done = [wave for wave in status["waves"] if wave["phase"] == "Done" and wave["total"]]
    if len(done) != len(WAVES) + 1 or status["clusters"]["healthy"] != crowd.agents:
        raise RuntimeError(f"not as it should be: {status}")
    results.add(f"rollout_swarm_{crowd.agents}_complete", took, "s", 30)
    results.add(f"rollout_swarm_{crowd.agents}_taken_last", seen["met_last"], "s")
    results.add(f"rollout_swarm_{crowd.agents}_hub_cpu", proc.cpu_family_s(crowd.hub.pid) - cpu, "s")


def _complete(api, limit_s=120):
    """The status of the only rollout, once it is complete."""
    end = time.monotonic() + limit_s
    while True:
        statuses = [one.get("status", {}) for one in api.call("GET", ROLLOUTS)["items"]]
        newest = max(statuses, key=lambda status: status.get("startTime", ""), default={})
        if newest.get("phase") == "Complete":
            return newest
        if time.monotonic() >= end:
            raise TimeoutError(f"not complete within {limit_s} s: {newest}")
        time.sleep(0.05)


def swarm_memory(fleet, results):
    """The hub's memory per connected agent, of its whole process family."""
    crowd = CROWDS.get(fleet, LARGE)
    _memory(results, crowd, "swarm_memory", PER_AGENT_KIB["coap"])


def _memory(results, crowd, name, budget_kib):
    """Connected, with a bundle and a status, against only joined; and all of it, the record of the joins included."""
    now = proc.pss_mib(crowd.hub.pid)
    results.add(f"{name}_per_agent", (now - crowd.joined_mib) * 1024 / crowd.agents, "KiB", budget_kib)
    results.add(f"{name}_per_agent_all_in", (now - crowd.empty_mib) * 1024 / crowd.agents, "KiB")
    results.add(f"{name}_{crowd.agents}", now, "MiB")


def swarm_idle(fleet, results):
    """The hub's processor time while ten thousand agents do nothing but live."""
    crowd = CROWDS.get(fleet, LARGE)
    time.sleep(REST_S)
    before, then, stats = proc.cpu_family_s(crowd.hub.pid), time.monotonic(), crowd.swarm.stats()
    time.sleep(IDLE_S)
    hours = (time.monotonic() - then) / 3600
    after = crowd.swarm.stats()
    results.add("swarm_idle_hub_cpu", (proc.cpu_family_s(crowd.hub.pid) - before) / hours, "s/h")
    results.add("swarm_idle_pings", (after["pings"] - stats["pings"]) / hours / crowd.agents, "/h")
    results.add("swarm_idle_lost", after["lost"] - stats["lost"], "sessions", 0)


def swarm_reconnect(fleet, results):
    """Ten thousand agents after the hub's restart: in order, and after a crash."""
    crowd = CROWDS.get(fleet, LARGE)
    for crash, name, key, budget in ((False, "stop", "met_last", 10), (True, "crash", "met_p99", 30)):
        sessions = crowd.swarm.stats()["sessions"]
        swarm_cpu = proc.cpu_family_s(crowd.swarm.pid)
        ready_s, ended_s = crowd.hub.restart(crash)
        shift = time.monotonic() - ready_s
        seen = crowd.change()
        made = crowd.swarm.stats()["sessions"] - sessions
        results.add(f"swarm_reconnect_{name}_served_p50", seen["met_p50"] + shift, "s")
        results.add(f"swarm_reconnect_{name}_served_p99", seen["met_p99"] + shift, "s",
                    budget if key == "met_p99" else None)
        results.add(f"swarm_reconnect_{name}_served_last", seen["met_last"] + shift, "s",
                    budget if key == "met_last" else None)
        results.add(f"swarm_reconnect_{name}_handshakes", made, "handshakes", None if crash else 0)
        results.add(f"swarm_reconnect_{name}_hub_cpu", proc.cpu_family_s(crowd.hub.pid), "s")
        results.add(f"swarm_reconnect_{name}_swarm_cpu", proc.cpu_family_s(crowd.swarm.pid) - swarm_cpu, "s")
        if not crash:
            results.add("swarm_reconnect_stop_took", ended_s, "s")


def swarm_https(fleet, results):
    """Four thousand agents by HTTPS: handshakes, a change, memory, and a crash of the hub."""
    crowd = CROWDS.get(fleet, MIDDLE, "https")
    results.add("https_handshakes_per_second", crowd.agents / crowd.connected_s, "/s")
    results.add("https_handshake_hub_cpu", crowd.connected_cpu_s * 1000 / crowd.agents, "ms")
    seen = [crowd.change() for _ in range(CHANGES)]
    for key, what in (("met_p50", "taken_p50"), ("met_last", "taken_last"), ("told_last", "reported_last")):
        results.add(f"swarm_https_change_{crowd.agents}_{what}", statistics.median(one[key] for one in seen), "s")
    _memory(results, crowd, "swarm_https_memory", PER_AGENT_KIB["https"])
    ready_s, _ = crowd.hub.restart(True)
    shift = time.monotonic() - ready_s
    results.add("swarm_https_crash_served_p99", crowd.change()["met_p99"] + shift, "s", 30)


GROUPS = (handshakes, swarm_change, rollout_swarm, swarm_memory, swarm_reports, swarm_idle, swarm_reconnect)

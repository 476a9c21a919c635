"""A hub, member control planes and agents on loopback: started, brought to a state, ended by process id."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from . import workload
from .kube import JSON_PATCH, MERGE_PATCH, Api, ApiError, Marks
from .relay import LOOPBACK, Relay
from .results import note

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SYSTEM = "kube-federation-system"
START_LIMIT_S = 30
CLUSTERS = f"/apis/core.kubefed.io/v1beta1/namespaces/{SYSTEM}/kubefedclusters"


def run(*command, **options):
    """Runs a command to its end; its output is in the error when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} ended with {done.returncode}: "
                           f"{(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout.strip()


def wait_for(what, check, limit_s=60.0, step_s=0.05):
    end = time.monotonic() + limit_s
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {limit_s} s for {what}")
        time.sleep(step_s)


def ensure_agent(preset):
    """Builds the static agent of a preset when that is needed; returns the folder of the build."""
    folder = os.path.join(ROOT, "build", preset)
    run(os.path.join(ROOT, "toolchains", "build"), f"{preset}-musl", cwd=ROOT)
    run("cmake", "--preset", preset, cwd=ROOT)
    run("ninja", "-C", folder, "fedlet", cwd=ROOT)
    return folder


class Process:
    """A program of ours whose output goes into a log file."""

    def __init__(self, command, log):
        self._log = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          start_new_session=True)
        self.pid = self.child.pid

    def check(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"{self._log}: ended with {self.child.returncode}: {self.log_end()}")

    def log_text(self):
        with open(self._log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def log_end(self):
        return "\n".join(self.log_text().splitlines()[-8:])

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        self.child.kill()
        self.child.wait()


class Hub:
    """Started, but not yet ready."""

    def __init__(self, fleet, name="hub"):
        self.name = name
        self.dir = os.path.join(fleet.dir, name)
        self._fleet = fleet
        self.kubeconfig = os.path.join(self.dir, "admin.kubeconfig")
        self._start(0, 0, 0)

    def _start(self, api, coap, agents):
        self._process = Process(
            [self._fleet.release("fedhub"), "serve", "--data-dir", self.dir, "--listen", f"{LOOPBACK}:{api}",
             "--coap-listen", f"{LOOPBACK}:{coap}", "--agent-listen", f"{LOOPBACK}:{agents}", "--advertise", LOOPBACK],
            self._fleet.log(self.name))
        self.pid = self._process.pid

    def wait_ready(self):
        wait_for("fedhub to be ready", self._is_ready, START_LIMIT_S, 0.01)
        ports = dict(re.findall(r"(api|coap|agents)=[a-z]+://[^ ]*:(\d+)", self._process.log_text()))
        self.api_port, self.coap_port = int(ports["api"]), int(ports["coap"])
        self.agents_port = int(ports.get("agents", 0))
        self.api = Api(self.kubeconfig)

    def restart(self, crash):
        """Ends it, by a signal to stop or by one that it cannot hear, and starts it at the same addresses. Returns the
        time at which it was ready, and how long it took to end."""
        before = time.monotonic()
        if crash:
            self._process.kill()
        else:
            self._process.stop()
        ended = time.monotonic() - before
        os.truncate(self._fleet.log(self.name), 0)
        self._start(self.api_port, self.coap_port, self.agents_port)
        self.wait_ready()
        return time.monotonic(), ended

    def _is_ready(self):
        self._process.check()
        return "fedhub: ready" in self._process.log_text()

    def token(self, uses=1):
        return run(self._fleet.release("fedctl"), "--kubeconfig", self.kubeconfig, "token", "create", "--uses", str(uses))

    def cluster_ready(self, name):
        try:
            cluster = self.api.call("GET", f"{CLUSTERS}/{name}")
        except ApiError:
            return False
        conditions = cluster.get("status", {}).get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def load(self, namespace, objs):
        """A namespace and the objects in it, federated to the clusters whose site is the namespace's name."""
        self.api.call("POST", "/api/v1/namespaces",
                      {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        self.api.call("POST", f"/apis/types.kubefed.io/v1beta1/namespaces/{namespace}/federatednamespaces",
                      {"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedNamespace",
                       "metadata": {"name": namespace, "namespace": namespace},
                       "spec": {"placement": workload.placement(namespace)}})
        for obj in objs:
            self.api.call("POST", workload.hub_path(obj["kind"], namespace), workload.federated(obj, namespace))

    def place(self, cluster, namespace):
        """Lets the objects of load() go to a cluster, all at once; returns the time of the hub's answer."""
        self.api.call("PATCH", f"{CLUSTERS}/{cluster}", {"metadata": {"labels": {"site": namespace}}}, MERGE_PATCH)
        return time.monotonic()

    def change_image(self, namespace, name, image):
        """Returns the time of the hub's answer."""
        self.api.call("PATCH", f"{workload.hub_path('Deployment', namespace)}/{name}",
                      [{"op": "replace", "path": "/spec/template/spec/template/spec/containers/0/image",
                        "value": image}], JSON_PATCH)
        return time.monotonic()

    def pause(self, namespace, name):
        """From now on changes of a Deployment start no pods."""
        self.api.call("PATCH", f"{workload.hub_path('Deployment', namespace)}/{name}",
                      {"spec": {"template": {"spec": {"paused": True}}}}, MERGE_PATCH)

    def stop(self):
        self._process.stop()


class Member:
    """A real control plane, and one agent beside it."""

    SCHEMES = {"coap": "coaps", "https": "https"}

    def __init__(self, fleet, name, *flags):
        self.name = name
        self.dir = os.path.join(fleet.dir, name)
        self._fleet = fleet
        self._kube = os.path.join(ROOT, "build", "kube")
        self._agent = None
        os.makedirs(self.dir)
        self.kubeconfig = run(self._kube, "up", "--dir", os.path.join(self.dir, "kube"), *flags).splitlines()[-1]
        self.api = Api(self.kubeconfig)
        self.kubeconfig_of_agent = self.kubeconfig
        self.state_dir = os.path.join(self.dir, "state")

    def join(self, hub):
        run(self._fleet.agent, "join", hub.token(), "--name", self.name, "--state-dir", self.state_dir,
            "--kubeconfig", self.kubeconfig_of_agent)

    def agent_start(self, port, link="coap"):
        """port: of the hub or of a relay before it. Returns the time just before the start."""
        before = time.monotonic()
        self._agent = Process([self._fleet.agent, "run", "--state-dir", self.state_dir, "--kubeconfig",
                               self.kubeconfig_of_agent, "--link", link, "--hub", f"{self.SCHEMES[link]}://{LOOPBACK}:{port}"],
                              self._fleet.log(f"{self.name}-agent"))
        return before

    def has_link(self, link):
        """An agent without the binding says so, before it looks whether it has joined."""
        done = subprocess.run([self._fleet.agent, "run", "--link", link, "--state-dir", os.path.join(self.dir, "none")],
                              capture_output=True, text=True, check=False)
        return "not available" not in done.stderr

    def is_connected(self):
        self._agent.check()
        done = subprocess.run([self._fleet.agent, "status", "--state-dir", self.state_dir, "-o", "json"],
                              capture_output=True, text=True, check=False)
        return done.returncode == 0 and json.loads(done.stdout)["connected"]

    @property
    def pid(self):
        self._agent.check()
        return self._agent.pid

    def agent_stop(self):
        if self._agent:
            self._agent.stop()
            self._agent = None

    def down(self):
        self.agent_stop()
        run(self._kube, "down", "--dir", os.path.join(self.dir, "kube"), "--purge")


class Fleet:
    """The folder of one run, with a hub and members that are made when first asked for."""

    EDGE = "edge"

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="fedlet-bench.")
        self.logs = os.path.join(self.dir, "logs")
        os.makedirs(self.logs)
        self.agent = None
        self.objects = workload.objects("bench")
        self._hub = self._edge = self._relay = None
        self._members = []
        self.loaded = False

    def log(self, name):
        return os.path.join(self.logs, f"{name}.log")

    @staticmethod
    def release(program):
        return os.path.join(ROOT, "build", "release", "bin", program)

    @property
    def hub(self):
        if not self._hub:
            self._hub = Hub(self)
            self._hub.wait_ready()
        return self._hub

    @property
    def relay(self):
        if not self._relay:
            self._relay = Relay(self.hub.coap_port)
        return self._relay

    def member(self, name, *flags):
        note(f"starting the control plane {name}")
        if not self.agent:
            self.agent = os.path.join(ensure_agent("x86_64"), "bin", "fedlet")
        member = Member(self, name, *flags)
        self._members.append(member)
        return member

    @property
    def edge(self):
        """A member with pods whose agent has joined; the agent may run or not."""
        if not self._edge:
            self._edge = self.member(self.EDGE, "--pods")
            self._edge.join(self.hub)
        return self._edge

    def running(self, through_relay=True):
        """The agent of edge, freshly started with the hub or the relay, has everything, and nothing is under way."""
        edge = self.edge
        edge.agent_stop()
        if not self.loaded:
            self.load()
            self.hub.place(edge.name, "bench")
        mark = self.relay.mark()
        edge.agent_start(self.relay.port if through_relay else self.hub.coap_port)
        self.wait_applied(edge, self.objects)
        if through_relay:
            wait_for("the agent's connection", lambda: self.relay.since(mark), START_LIMIT_S)
            self.relay.wait_quiet(4, 60)
        else:
            wait_for("the agent's connection", lambda: self.hub.cluster_ready(edge.name), START_LIMIT_S)
            time.sleep(4)
        return edge

    def load(self):
        note(f"loading {len(self.objects)} objects into the hub")
        self.hub.load("bench", self.objects)
        self.loaded = True

    @staticmethod
    def expect(member, objs):
        """Watches the kinds of the objects in a member; returns the marks, their names and a function that ends it."""
        marks = Marks()

        def watch(kind, path):
            def seen(at_s, line):
                found = re.search(rb'"name":"([^"]*)"', line)
                if found:
                    marks.put((kind, found.group(1).decode()), at_s)
            return member.api.watch(path, seen)

        paths = {o["kind"]: workload.member_path(o) for o in objs}
        watches = [watch(kind, path) for kind, path in paths.items()]
        names = [(o["kind"], o["metadata"]["name"]) for o in objs]
        return marks, names, lambda: [w.close() for w in watches]

    def wait_applied(self, member, objs, limit_s=60):
        marks, names, end = self.expect(member, objs)
        try:
            return marks.wait(names, limit_s)
        finally:
            end()

    def forget(self, member):
        """Ends a member that is no longer needed, so that it takes no processor time from the others."""
        member.down()
        self._members.remove(member)

    def close(self, keep_files):
        for member in list(self._members):
            try:
                member.down()
            except RuntimeError as error:
                note(f"ending {member.name}: {error}")
        if self._relay:
            self._relay.close()
        if self._hub:
            self._hub.stop()
        if keep_files:
            note(f"logs are in {self.logs}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

"""Large bodies over bad networks: from the hub's acceptance of a placement to the last of its objects in the member.

Of HTTPS these are lower bounds: the relay ends its connections, so no congestion window has to grow over the long path."""

import base64
import random
import statistics
import subprocess

from .results import note
from .world import LOOPBACK, ROOT, run, wait_for

FAULTNET = f"{ROOT}/tests/faultnet/faultnet"
KIB, MIB = 1 << 10, 1 << 20
PART = 128 * KIB
LINKS = ("coap", "https")

# name, bytes, rules, runs, budget in ms. A round trip is twice the delay; losses are of each direction.
PATHS = (
    ("100k_loopback", 100 * KIB, (), 3, None),
    ("100k_200ms", 100 * KIB, ("delay 100ms",), 3, None),
    ("100k_200ms_2", 100 * KIB, ("delay 100ms", "loss 2%"), 5, None),
    ("1m_600ms_20", MIB, ("delay 300ms", "loss 20%"), 3, 180000),
)


class Faultnet:
    """A relay of both bindings, with a seed."""

    def __init__(self, fleet, seed):
        self._control = f"{fleet.dir}/faultnet-{seed}"
        self._process = subprocess.Popen(
            [FAULTNET, "--udp", f"0={LOOPBACK}:{fleet.hub.coap_port}", "--tcp", f"0={LOOPBACK}:{fleet.hub.agents_port}",
             "--seed", str(seed), "--control", self._control], stdout=subprocess.PIPE, text=True)
        words = dict(word.split("=") for word in self._process.stdout.readline().split()[2:])
        self.ports = {"coap": int(words["udp"].rsplit(":", 1)[1]), "https": int(words["tcp"].rsplit(":", 1)[1])}

    def rule(self, text):
        run(FAULTNET, "ctl", self._control, *text.split())

    def close(self):
        self._process.terminate()
        self._process.wait(10)
        self._process.stdout.close()


def _objects(namespace, size):
    """ConfigMaps of random content: the frame's deflate takes the base64 back, and no more."""
    rng = random.Random(namespace)
    out = []
    while size > 0:
        part = min(size, PART)
        out.append({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": f"part-{len(out)}", "namespace": namespace},
                    "data": {"k": base64.b64encode(rng.randbytes(part)).decode()}})
        size -= part
    return out


def _one(fleet, member, net, link, namespace, size, rules):
    """Milliseconds of one transfer over one network."""
    objs = _objects(namespace, size)
    fleet.hub.load(namespace, objs)
    net.rule("clear")
    member.agent_start(net.ports[link], link)
    wait_for("the agent's connection", member.is_connected)
    for rule in rules:
        net.rule(rule)
    marks, names, end = fleet.expect(member, objs)
    try:
        placed = fleet.hub.place(member.name, namespace)
        return (marks.wait(names, 300) - placed) * 1000
    finally:
        end()
        net.rule("clear")
        member.agent_stop()


def blocks(fleet, results):
    """100 KB and 1 MiB that cannot be compressed, at 200 and 600 ms with and without losses, over both bindings."""
    member = fleet.member("blocks")
    member.join(fleet.hub)
    for link in LINKS:
        if not member.has_link(link):
            note(f"this agent has no {link}")
            continue
        for name, size, rules, runs, budget in PATHS:
            times = []
            for seed in range(runs):
                net = Faultnet(fleet, f"{seed}")
                try:
                    times.append(_one(fleet, member, net, link, f"{link}-{name}-{seed}".replace("_", "-"), size, rules))
                finally:
                    net.close()
            note(f"  {link} {name}: {' '.join(f'{t:.0f}' for t in times)} ms")
            results.add(f"blocks_{name}_{link}", round(statistics.median(times)), "ms", budget)
    fleet.forget(member)

"""Beside ours: the agents of Karmada and OCM, as they were measured once with the same 100 objects (peers.json says how)."""

import json
import os
import time

from . import proc, workload
from .results import note
from .world import wait_for

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers.json")
SETTLE_S = 30  # theirs had ten minutes; ours is as small as it gets by then


def read():
    with open(DATA, encoding="utf-8") as source:
        return json.load(source)


def _objects(mix, namespace):
    return [workload.make_object(kind, i, namespace) for kind, count in mix.items() for i in range(count)]


def peers(fleet, results):
    """Memory with the objects that the peers had, and all figures that both have, with their ratio."""
    data = read()
    member = fleet.member("mixed")
    member.join(fleet.hub)
    objs = _objects(data["objects"], "mixed")
    fleet.hub.load("mixed", objs)
    fleet.hub.place(member.name, "mixed")
    marks, names, end = fleet.expect(member, objs)
    member.agent_start(fleet.hub.coap_port)
    marks.wait(names, 180)
    end()
    wait_for("the cluster to be ready", lambda: fleet.hub.cluster_ready(member.name))
    time.sleep(SETTLE_S)
    results.add("agent_rss_peers_objects", proc.rss_mib(member.pid), "MiB", 2.5)
    fleet.forget(member)
    for line in table(data, {row["name"]: row["value"] for row in results.rows}):
        note(line)


def table(data, ours):
    """Those of ours that were measured in this run; how many times as much the peers need."""
    agents = data["agents"]
    yield "  beside it, as measured " + data["measured"] + ":"
    for figure in data["figures"]:
        value = ours.get(figure["ours"])
        if not value:
            continue
        said = ", ".join(f"{name} {agents[name]['version']} {figure[name]:,} ({figure[name] / value:,.0f} x)" for name in agents)
        yield f"  {figure['what']}, {figure['unit']}: fedlet {value:,}; {said}"

#!/usr/bin/env python3
"""fields_oracle.py - the hub's server-side apply next to a real kube-apiserver, write by write.

Scripted and seeded random writes (apply, forced apply, PUT, merge patch, on the object and on its status) go to a real
API server and to hub_fields_driver, which calls hub/api/managed_fields.c. After every write the object, who owns what
and the conflicts must be the same. Times are compared as "has one" in random runs, because the clocks of the two sides
are not the same; the scripted runs wait between writes and compare which times moved and the order of the entries.

    build/kube up --dir /tmp/oracle
    tests/e2e/fields_oracle.py --kubeconfig /tmp/oracle/admin.kubeconfig --driver build/dev/bin/hub_fields_driver

Exit codes: 0 no difference, 1 differences (printed with the seed that gives them again), 2 could not run.
"""
import argparse
import base64
import copy
import http.client
import json
import os
import random
import re
import ssl
import subprocess
import sys
import tempfile
import time

STRING = {"type": "string"}
INTEGER = {"type": "integer", "format": "int64"}
CONDITIONS = {
    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
    "items": {"type": "object", "required": ["type"], "properties": {"type": STRING, "status": STRING}}}
SPEC = {"type": "object", "properties": {
    "replicas": INTEGER, "image": STRING, "flag": {"type": "boolean"},
    "size": {"type": "integer", "default": 3}, "ratio": {"type": "number"},
    "labels": {"type": "object", "additionalProperties": STRING},
    "selector": {"type": "object", "additionalProperties": STRING, "x-kubernetes-map-type": "atomic"},
    "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": STRING},
    "numbers": {"type": "array", "x-kubernetes-list-type": "set", "items": INTEGER},
    "args": {"type": "array", "items": STRING},
    "items": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
              "items": {"type": "object", "required": ["name"], "properties": {
                  "name": STRING, "value": STRING, "kind": {"type": "string", "default": "plain"},
                  "inner": {"type": "object", "properties": {"a": INTEGER, "b": INTEGER}},
                  "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": STRING}}}},
    "ports": {"type": "array", "x-kubernetes-list-type": "map",
              "x-kubernetes-list-map-keys": ["port", "protocol"],
              "items": {"type": "object", "required": ["port"], "properties": {
                  "port": INTEGER, "protocol": {"type": "string", "default": "TCP"},
                  "target": {"x-kubernetes-int-or-string": True}}}},
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
    "maybe": {"type": "string", "nullable": True},
    "nothing": {"type": "object", "nullable": True, "properties": {"x": INTEGER}},
    "nested": {"type": "object", "properties": {
        "deep": {"type": "object", "properties": {"x": INTEGER, "y": INTEGER}},
        "objects": {"type": "object", "additionalProperties": {
            "type": "object", "properties": {"p": INTEGER, "q": INTEGER}}}}}}}
THING_SCHEMA = {"type": "object", "properties": {
    "spec": SPEC,
    "status": {"type": "object", "properties": {
        "phase": STRING, "count": INTEGER, "conditions": CONDITIONS}}}}
CONFIGMAP_SCHEMA = {"type": "object", "properties": {
    "data": {"type": "object", "additionalProperties": STRING},
    "binaryData": {"type": "object", "additionalProperties": STRING},
    "immutable": {"type": "boolean"}}}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.oracle.example.io"},
    "spec": {"group": "oracle.example.io", "scope": "Namespaced",
             "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
             "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                           "schema": {"openAPIV3Schema": THING_SCHEMA}}]}}
KINDS = {
    "Thing": {"apiVersion": "oracle.example.io/v1", "schema": THING_SCHEMA,
              "path": "/apis/oracle.example.io/v1/namespaces/default/things"},
    "ConfigMap": {"apiVersion": "v1", "schema": CONFIGMAP_SCHEMA,
                  "path": "/api/v1/namespaces/default/configmaps"},
}
SERVER_FIELDS = ("uid", "creationTimestamp", "generation", "resourceVersion", "selfLink")


class Server:
    """One kept connection to the API server of a kubeconfig with embedded certificates."""

    def __init__(self, kubeconfig):
        text = open(kubeconfig, encoding="utf-8").read()
        host = re.search(r"server: https://([^\s]+)", text).group(1)
        files = {}
        for key in ("certificate-authority-data", "client-certificate-data", "client-key-data"):
            handle, files[key] = tempfile.mkstemp()
            os.write(handle, base64.b64decode(re.search(key + r": (\S+)", text).group(1)))
            os.close(handle)
        context = ssl.create_default_context(cafile=files["certificate-authority-data"])
        context.load_cert_chain(files["client-certificate-data"], files["client-key-data"])
        for name in files.values():
            os.unlink(name)
        self.connection = http.client.HTTPSConnection(host, context=context, timeout=30)

    def call(self, method, path, body=None, content_type="application/json"):
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, text, {"Content-Type": content_type})
        answer = self.connection.getresponse()
        text = answer.read()
        if "json" not in answer.getheader("Content-Type", ""):
            return answer.status, {}  # "404 page not found", while a CRD is young
        return answer.status, json.loads(text)


class Driver:
    """hub_fields_driver as a process."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the driver ended")
        return json.loads(line)


def merge_patch(target, patch):
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def without_empty(item):
    """As a Go struct with omitempty holds it: empty maps and nulls are absent."""
    out = {}
    for key, value in item.items():
        if isinstance(value, dict):
            value = without_empty(value)
        if value is not None and value != {} and value != []:
            out[key] = value
    return out


def entries(fields, ranks):
    """managedFields made comparable: times as their rank among times, or as whether there is one."""
    times = sorted({entry["time"] for entry in fields if "time" in entry})
    out = []
    for entry in fields:
        entry = dict(entry)
        if "time" in entry:
            entry["time"] = times.index(entry["time"]) if ranks else True
        out.append(entry)
    if not ranks:
        out.sort(key=lambda e: (e["operation"], e.get("manager", ""), e["apiVersion"], e.get("subresource", "")))
    return out


def plain(item):
    """The object alone, without what only a server writes."""
    item = copy.deepcopy(item)
    for key in SERVER_FIELDS + ("managedFields",):
        item["metadata"].pop(key, None)
    return item


def causes_of(answer):
    return sorted((c["message"], c["field"]) for c in answer)


class Pair:
    """One object on both sides."""

    def __init__(self, server, driver, kind, name, ranks=False):
        self.server, self.driver, self.kind, self.name, self.ranks = server, driver, kind, name, ranks
        self.there = None  # as the API server has it
        self.here = None   # as ours
        self.writes = 0
        self.refused = 0
        self.clock = 1000

    def head(self, body):
        out = {"apiVersion": KINDS[self.kind]["apiVersion"], "kind": self.kind}
        out.update(copy.deepcopy(body))
        out["metadata"] = dict(out.get("metadata", {}), name=self.name, namespace="default")
        return out

    def ours(self, op, manager, item, force, sub):
        return self.driver.ask(op=op, manager=manager, object=item, live=self.here, force=force,
                               apiVersion=KINDS[self.kind]["apiVersion"], subresource=sub, now=self.clock)

    def check(self, code, theirs, mine, what):
        """None, or what differs."""
        self.writes += 1
        if code == 409 and theirs.get("reason") == "Conflict":
            expected = causes_of(theirs["details"].get("causes", []))
            if "error" not in mine or causes_of(mine["causes"]) != expected:
                return {"write": what, "theirs": expected, "ours": mine.get("causes", "no conflict")}
            return None
        if code >= 400:
            self.refused += 1
            return None  # validation, which other code does here
        if "error" in mine:
            return {"write": what, "theirs": "accepted", "ours": mine}
        before = (self.there, self.here)
        self.there, self.here = theirs, self.held(mine["object"])
        for key in SERVER_FIELDS:
            self.here["metadata"].pop(key, None)
            if key in theirs["metadata"]:
                self.here["metadata"][key] = theirs["metadata"][key]
        theirs_entries = entries(theirs["metadata"].get("managedFields", []), self.ranks)
        our_entries = entries(self.here["metadata"].get("managedFields", []), self.ranks)
        if plain(self.there) != plain(self.here):
            return {"write": what, "before": before[0], "theirs": plain(self.there), "ours": plain(self.here)}
        if theirs_entries != our_entries:
            return {"write": what, "before": before[0], "theirs": theirs_entries, "ours": our_entries}
        return None

    def path(self, sub, **query):
        path = KINDS[self.kind]["path"] + "/" + self.name + ("/" + sub if sub else "")
        return path + "?" + "&".join("%s=%s" % pair for pair in query.items())

    def tick(self):
        self.clock += 1
        if self.ranks:
            time.sleep(1.02 - time.time() % 1)

    def apply(self, manager, body, force=False, sub=""):
        self.tick()
        if sub and self.there is None:
            return None
        item = self.head(body)
        code, theirs = self.server.call(
            "PATCH", self.path(sub, fieldManager=manager, force=str(force).lower()), item,
            "application/apply-patch+yaml")
        for key in list(item):
            if key not in ("apiVersion", "kind", "metadata") and (key == "status") != (sub == "status"):
                del item[key]
        mine = self.ours("apply", manager, item, force, sub)
        return self.check(code, theirs, mine, ["apply", manager, body, force, sub])

    def put(self, manager, body, sub="", fields=None):
        self.tick()
        if sub and self.there is None:
            return None
        item = self.head(body)
        item["metadata"].pop("resourceVersion", None)
        if fields is not None:
            item["metadata"]["managedFields"] = fields
        if self.there is None:
            code, theirs = self.server.call(
                "POST", KINDS[self.kind]["path"] + "?fieldManager=" + manager, item)
        else:
            code, theirs = self.server.call("PUT", self.path(sub, fieldManager=manager), item)
        mine = self.ours("update", manager, self.kept(item, sub), False, sub)
        return self.check(code, theirs, mine, ["put", manager, body, sub, fields])

    def held(self, item):
        """What Go structs cannot hold is not there: metadata is one for every kind, the rest for built-in kinds."""
        fields = item["metadata"].pop("managedFields", None)
        item = dict(item, metadata=without_empty(item["metadata"])) if self.kind == "Thing" else without_empty(item)
        if fields is not None:
            item["metadata"]["managedFields"] = fields
        return item

    def kept(self, item, sub):
        """What the hub's write path has done when it comes to managedFields: the other half is the stored one."""
        item = self.held(copy.deepcopy(item))
        if self.kind != "Thing":
            return item
        stored = self.here or {}
        if sub == "status":
            out = copy.deepcopy(stored)
            out.pop("status", None)
            if "status" in item:
                out["status"] = item["status"]
            return out
        item.pop("status", None)
        if "status" in stored:
            item["status"] = copy.deepcopy(stored["status"])
        return item

    def patch(self, manager, body, sub=""):
        if self.there is None:
            return None
        self.tick()
        code, theirs = self.server.call(
            "PATCH", self.path(sub, fieldManager=manager), body, "application/merge-patch+json")
        item = merge_patch(self.here, body)
        mine = self.ours("update", manager, self.kept(item, sub), False, sub)
        return self.check(code, theirs, mine, ["patch", manager, body, sub])

    def remove(self):
        self.server.call("DELETE", self.path(""))


# ---- random writes ----

def some(rng, make, low=0, high=3):
    return [make() for _ in range(rng.randint(low, high))]


def distinct(rng, values, high=3):
    return rng.sample(values, rng.randint(0, min(high, len(values))))


def text_map(rng):
    return {k: rng.choice("12") for k in distinct(rng, ["a", "b", "c", "d/e"])}


def any_value(rng, depth=0):
    pick = rng.randint(0, 6 if depth < 2 else 3)
    if pick == 0:
        return rng.choice(["x", "y", ""])
    if pick == 1:
        return rng.randint(0, 2)
    if pick == 2:
        return rng.choice([True, 1.5])
    if pick == 3:
        return some(rng, lambda: rng.choice(["x", 1]), 0, 2)
    return {k: any_value(rng, depth + 1) for k in distinct(rng, ["k", "l", "m"])}


def make_item(rng, name):
    item = {"name": name}
    if rng.random() < 0.6:
        item["value"] = rng.choice("12")
    if rng.random() < 0.2:
        item["kind"] = rng.choice(["plain", "odd"])
    if rng.random() < 0.3:
        item["inner"] = {k: rng.randint(0, 1) for k in distinct(rng, ["a", "b"])}
    if rng.random() < 0.3:
        item["tags"] = distinct(rng, ["t", "u", "v"])
    return item


def make_port(rng, key):
    port = {"port": key[0]}
    if key[1] != "TCP" or rng.random() < 0.5:
        port["protocol"] = key[1]
    if rng.random() < 0.5:
        port["target"] = rng.choice([1, 2, "web"])
    return port


PORT_KEYS = [(80, "TCP"), (80, "UDP"), (443, "TCP"), (8080, "TCP")]
SPEC_MAKERS = {
    "replicas": lambda r: r.randint(0, 2), "image": lambda r: r.choice(["x", "y"]),
    "flag": lambda r: r.random() < 0.5, "size": lambda r: r.randint(2, 4), "ratio": lambda r: r.choice([1, 1.5, 2]),
    "labels": text_map, "selector": text_map,
    "tags": lambda r: distinct(r, ["a", "b", "c", "d<e", "f g"], 4),
    "numbers": lambda r: distinct(r, [1, 2, 10, 33], 4),
    "args": lambda r: some(r, lambda: r.choice("pq")),
    "items": lambda r: [make_item(r, n) for n in distinct(r, ["a", "b", "c", "d e"], 4)],
    "ports": lambda r: [make_port(r, k) for k in distinct(r, PORT_KEYS, 4)],
    "free": lambda r: {k: any_value(r) for k in distinct(r, ["k", "l", "m"])},
    "any": any_value, "maybe": lambda r: r.choice([None, "s", "t"]),
    "nothing": lambda r: r.choice([None, {}, {"x": 1}, {"x": 2}]),
    "nested": lambda r: {k: v for k, v in (
        ("deep", {k: r.randint(0, 1) for k in distinct(r, ["x", "y"])}),
        ("objects", {k: {m: r.randint(0, 1) for m in distinct(r, ["p", "q"])} for k in distinct(r, ["k1", "k2"])}))
        if r.random() < 0.7},
}


def make_metadata(rng):
    out = {}
    if rng.random() < 0.3:
        out["labels"] = {k: rng.choice("12") for k in distinct(rng, ["l1", "l2"])}
    if rng.random() < 0.2:
        out["annotations"] = {k: rng.choice("12") for k in distinct(rng, ["a1", "a2"])}
    if rng.random() < 0.1:
        out["ownerReferences"] = [
            {"apiVersion": "absent.example.io/v1", "kind": "Absent", "name": rng.choice("no"), "uid": uid}
            for uid in distinct(rng, ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"])]
    return out


def make_status(rng):
    out = {}
    if rng.random() < 0.6:
        out["phase"] = rng.choice(["Ready", "Busy"])
    if rng.random() < 0.4:
        out["count"] = rng.randint(0, 2)
    if rng.random() < 0.6:
        out["conditions"] = [{"type": t, "status": rng.choice(["True", "False"])} for t in distinct(rng, ["A", "B"])]
    return {"status": out}


def make_body(rng, kind):
    body = {}
    metadata = make_metadata(rng)
    if metadata:
        body["metadata"] = metadata
    if kind == "ConfigMap":
        if rng.random() < 0.9:
            body["data"] = text_map_plain(rng)
        if rng.random() < 0.2:
            body["binaryData"] = {k: rng.choice(["YQ==", "Yg=="]) for k in distinct(rng, ["x", "y"])}
        return body
    if rng.random() < 0.97:
        body["spec"] = {k: SPEC_MAKERS[k](rng) for k in distinct(rng, sorted(SPEC_MAKERS), 5)}
    return body


def text_map_plain(rng):
    return {k: rng.choice("12") for k in distinct(rng, ["a", "b", "c", "d.e"])}


def mutate(rng, pair):
    """The stored object with something made anew and something gone."""
    item = plain(pair.there)
    item.pop("status", None)
    fresh = make_body(rng, pair.kind)
    for part in ("metadata", "spec", "data"):
        have = item.setdefault(part, {}) if part in fresh or part in item else None
        for key in list(have or {}):
            if key not in ("name", "namespace") and rng.random() < 0.25:
                del have[key]
        if have is not None:
            have.update(fresh.get(part, {}))
    for part in ("binaryData",):
        if part in fresh:
            item[part] = fresh[part]
    return item


def given_fields(rng, pair):
    stored = copy.deepcopy(pair.there["metadata"].get("managedFields", []))
    pick = rng.randint(0, 4)
    if pick == 0:
        return []
    if pick == 1:
        return [{}]
    if pick == 2 and stored:
        del stored[rng.randrange(len(stored))]
    elif pick == 3 and stored:
        stored[0]["operation"] = "Guess"
    return stored


def random_write(rng, pair):
    manager = rng.choice("abc")
    if rng.random() < 0.02:
        manager = "u%d" % rng.randint(0, 14)
    kind = rng.random()
    if pair.kind == "Thing" and pair.there is not None and kind < 0.15:
        body = make_status(rng)
        how = rng.randint(0, 2)
        if how == 0:
            return pair.apply(manager, body, rng.random() < 0.3, "status")
        if how == 1:
            return pair.put(manager, dict(plain(pair.there), **body), "status")
        return pair.patch(manager, body, "status")
    if kind < 0.65:
        return pair.apply(manager, make_body(rng, pair.kind), rng.random() < 0.4)
    if pair.there is None:
        return pair.put(manager, make_body(rng, pair.kind))
    if kind < 0.85:
        fields = given_fields(rng, pair) if rng.random() < 0.06 else None
        return pair.put(manager, mutate(rng, pair), fields=fields)
    return pair.patch(manager, make_body(rng, pair.kind))


def run_random(server, driver, options):
    counts = {"writes": 0, "refused": 0, "differences": 0}
    for number in range(options.sequences):
        seed = options.seed + number
        rng = random.Random(seed)
        kind = "ConfigMap" if rng.random() < 0.25 else "Thing"
        driver.ask(op="schema", schema=KINDS[kind]["schema"])
        pair = Pair(server, driver, kind, "o%d" % seed)
        pair.remove()
        for _ in range(options.writes):
            difference = random_write(rng, pair)
            if difference:
                counts["differences"] += 1
                print("seed %d (%s):" % (seed, kind))
                for key, value in difference.items():
                    print("  %s: %s" % (key, json.dumps(value, sort_keys=True)))
                break
        counts["writes"] += pair.writes
        counts["refused"] += pair.refused
        pair.remove()
        if counts["differences"] >= options.stop:
            break
    return counts


# ---- scripted writes: each list starts with a new object ----

def spec(**fields):
    return {"spec": fields}


def item(name, **fields):
    return dict(name=name, **fields)


def A(manager, body, force=False, sub=""):
    return ("apply", manager, body, force, sub)


def P(manager, body, sub="", fields=None):
    return ("put", manager, body, sub, fields)


def M(manager, body, sub=""):
    return ("patch", manager, body, sub)


def labels(**fields):
    return {"metadata": {"labels": fields}}


SCRIPTS = [
    # one manager
    ("Thing", [A("a", spec(replicas=1)), A("a", spec(replicas=1)), A("a", spec(replicas=2)), A("a", spec())]),
    ("Thing", [A("a", spec(image="x", replicas=1)), A("a", spec(image="x")), A("a", {})]),
    ("Thing", [P("a", spec(image="x")), P("a", spec(image="y")), P("a", spec(image="y")), P("a", spec())]),
    ("Thing", [P("a", spec(labels={"a": "1"})), M("a", spec(labels={"a": None})), M("b", spec(labels={"c": "1"}))]),
    # two managers: the same value is shared, another one conflicts
    ("Thing", [A("a", spec(replicas=1)), A("b", spec(replicas=1)), A("a", spec()), A("b", spec())]),
    ("Thing", [A("a", spec(replicas=1)), A("b", spec(replicas=2)), A("b", spec(replicas=2), True),
               A("a", spec(replicas=1)), A("a", spec(replicas=2))]),
    ("Thing", [A("a", spec(replicas=1, image="x")), A("b", spec(replicas=2, image="y")),
               A("b", spec(replicas=2, image="y"), True), A("a", spec(), False)]),
    ("Thing", [A("a", spec(image="x")), P("b", spec(image="y")), A("a", spec(image="x")),
               A("a", spec(image="x"), True)]),
    ("Thing", [A("a", spec(image="x")), M("a", spec(image="y")), A("a", spec(image="x"))]),
    ("Thing", [A("a", spec(image="x")), A("b", spec(image="x")), A("c", spec(image="y")),
               A("c", spec(image="y"), True), A("a", spec())]),
    ("Thing", [P("a", spec(image="x")), A("b", spec(image="x")), P("c", spec()), A("b", spec(image="x"))]),
    # the object that nobody tracks
    ("Thing", [P("a", spec(image="x")), P("b", spec(image="x"), "", []), M("c", spec(image="y")),
               A("d", spec(image="z")), A("d", spec(image="y")), A("d", spec(replicas=1))]),
    ("Thing", [P("a", spec(image="x")), P("b", spec(image="y"), "", [{}]), A("b", spec(image="y"))]),
    ("Thing", [A("a", spec(image="x")), P("b", spec(image="x"), "", [{"manager": "z", "operation": "Guess"}])]),
    ("Thing", [A("a", spec(image="x")), P("b", spec(image="x", replicas=1), "", [
        {"manager": "z", "operation": "Apply", "apiVersion": "oracle.example.io/v1", "fieldsType": "FieldsV1",
         "fieldsV1": {"f:spec": {"f:image": {}, "f:flag": {}}}, "time": "2020-01-01T00:00:00Z"}]),
        A("z", spec(replicas=1))]),
    # maps
    ("Thing", [A("a", spec(labels={"a": "1", "b": "1"})), A("b", spec(labels={"c": "1"})), A("a", spec()),
               A("b", spec())]),
    ("Thing", [A("a", spec(labels={})), A("b", spec(labels={"x": "1"})), A("b", spec()), A("a", spec())]),
    ("Thing", [A("a", spec(selector={"a": "1"})), A("b", spec(selector={"b": "1"})),
               A("b", spec(selector={"b": "1"}), True), A("b", spec())]),
    ("Thing", [P("a", spec(labels={"a": "1"})), A("b", spec(labels={"b": "1"})), A("b", spec(labels={})),
               A("b", spec())]),
    ("Thing", [A("a", labels(x="1")), A("b", labels(y="1")), A("a", {}), M("c", labels(y="2")), A("b", labels(y="1"))]),
    ("Thing", [A("a", spec(nested={"objects": {"k": {"p": 1}}})), A("b", spec(nested={"objects": {"k": {"q": 1}}})),
               A("a", spec()), A("b", spec())]),
    # sets and lists
    ("Thing", [A("a", spec(tags=["a", "b"])), A("b", spec(tags=["b", "c"])), A("a", spec(tags=["a"])),
               A("b", spec(tags=[])), A("a", spec())]),
    ("Thing", [A("a", spec(tags=["a", "b", "c"])), A("a", spec(tags=["c", "b", "a"])), A("b", spec(tags=["b", "d", "c"]))]),
    ("Thing", [A("a", spec(tags=["a", "a"])), A("a", spec(tags=["a"])), A("b", spec(tags=["a", "a"]))]),
    ("Thing", [P("a", spec(numbers=[10, 2])), A("b", spec(numbers=[2, 1])), A("b", spec(numbers=[1, 10]))]),
    ("Thing", [A("a", spec(args=["p"])), A("b", spec(args=["p", "q"])), A("b", spec(args=["p"])), A("a", spec())]),
    ("Thing", [A("a", spec(items=[item("a", value="1"), item("b")])), A("b", spec(items=[item("b", value="2")])),
               A("a", spec(items=[item("b")])), A("b", spec()), A("a", spec())]),
    ("Thing", [A("a", spec(items=[item("a", value="1")])), A("b", spec(items=[item("a", value="2")])),
               A("b", spec(items=[item("a", value="2")]), True), A("b", spec(items=[])), A("a", spec(items=[]))]),
    ("Thing", [A("a", spec(items=[item("a"), item("b"), item("c"), item("d")])),
               A("b", spec(items=[item("d"), item("x"), item("b")])), A("a", spec(items=[item("c"), item("a")]))]),
    ("Thing", [A("a", spec(items=[item("a"), item("a")])), A("a", spec(items=[{"value": "1"}]))]),
    ("Thing", [A("a", spec(ports=[{"port": 80}])), A("b", spec(ports=[{"port": 80, "protocol": "UDP"}])),
               A("c", spec(ports=[{"port": 80, "protocol": "TCP", "target": "x"}])), A("a", spec()), A("c", spec())]),
    ("Thing", [P("a", spec(items=[item("a", inner={"a": 1})])), M("b", spec(items=[item("a", inner={"a": 1, "b": 2})])),
               A("c", spec(items=[item("a", inner={"b": 3})])), A("c", spec(items=[item("a", inner={"b": 2})]))]),
    # null, default, content without a schema
    ("Thing", [A("a", spec(maybe=None)), A("a", spec(maybe="s")), A("b", spec(maybe=None)), A("a", spec())]),
    ("Thing", [A("a", spec(nothing={"x": 1})), A("b", spec(nothing=None)), A("a", spec()), A("b", spec())]),
    ("Thing", [A("a", spec(size=3)), A("b", spec(size=4)), A("a", spec()), A("b", spec(size=4))]),
    ("Thing", [A("a", spec(size=5)), A("a", spec())]),
    ("Thing", [A("a", spec(free={"k": {"l": 1}, "m": [1]})), A("b", spec(free={"k": {"n": 1}, "m": [1, 2]})),
               A("b", spec(free={"k": {"n": 1}})), A("a", spec(free={"k": 1})), A("a", spec(free={"k": 1}), True)]),
    ("Thing", [A("a", spec(any={"k": 1})), A("b", spec(any=[1])), A("b", spec(any=[1]), True), M("c", spec(any="x"))]),
    ("Thing", [P("a", spec(free={"k": {}, "l": []})), A("b", spec(free={"k": {"x": {}}, "l": []})), A("b", spec())]),
    # the status endpoint
    ("Thing", [A("a", spec(image="x")), P("a", dict(spec(image="q"), status={"phase": "Ready"}), "status"),
               A("b", {"status": {"phase": "Busy"}}, False, "status"),
               A("b", {"status": {"phase": "Busy"}}, True, "status"), M("a", {"status": {"count": 1}}, "status"),
               A("b", {"status": {}}, False, "status")]),
    ("Thing", [P("a", dict(spec(image="x"), status={"phase": "Ready"})),
               A("b", {"status": {"conditions": [{"type": "A", "status": "True"}]}}, False, "status"),
               A("c", {"status": {"conditions": [{"type": "B", "status": "True"}]}}, False, "status"),
               P("a", dict(spec(image="y"), status={"phase": "Busy"})), A("b", {"status": {}}, False, "status")]),
    ("Thing", [A("a", dict(spec(image="x"), status={"phase": "Ready"})), P("b", {"status": {"phase": "Ready"}}, "status", [])]),
    # many updaters
    ("Thing", [P("u%d" % i, spec(free={"k%d" % j: j for j in range(i + 1)})) for i in range(14)]),
    ("Thing", [P("u%d" % i, spec(free={"k%d" % j: j for j in range(i + 1)})) for i in range(9)]
     + [A("a", spec(free={"k3": 3})), M("b", {"status": {"phase": "x"}}, "status"), M("u0", spec(free={"k1": 7})),
        M("v", spec(free={"k2": 7})), M("w", spec(free={"k4": 7}))]),
    # a kind of Go structs
    ("ConfigMap", [A("a", {"data": {"a": "1"}}), A("b", {"data": {"b": "1"}}), A("b", {"data": {"a": "2"}}), A("a", {})]),
    ("ConfigMap", [P("a", {"data": {"a": "1", "b": "1"}}), A("b", {"data": {"a": "1"}}), M("c", {"data": {"b": None}}),
                   A("b", {}), M("a", {"data": None})]),
    ("ConfigMap", [A("a", dict(labels(x="1"), data={"a": "1"})), P("b", dict(labels(x="2"), data={"a": "1"})),
                   A("a", dict(labels(x="1"), data={"a": "1"})), A("a", {"data": {"a": "1"}}), A("a", {})]),
    ("ConfigMap", [P("a", {"data": {"a": "1"}}, "", []), P("b", {"data": {"a": "2"}}, "", [{}]),
                   M("c", {"data": {"c": "1"}}), A("d", {"data": {"c": "1"}})]),
    ("ConfigMap", [P("kubectl-client-side-apply", dict({"metadata": {"annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"},
            "data": {"a": "1", "b": "1"}})}}}, data={"a": "1", "b": "1"})),
        A("other", {"data": {"a": "2"}}), A("kubectl", {"data": {"a": "2"}})]),
]


def run_scripted(server, driver):
    differences = 0
    writes = 0
    for number, (kind, script) in enumerate(SCRIPTS):
        driver.ask(op="schema", schema=KINDS[kind]["schema"])
        pair = Pair(server, driver, kind, "s%d" % number, ranks=True)
        pair.remove()
        for how, manager, *rest in script:
            difference = getattr(pair, how)(manager, *copy.deepcopy(rest))
            if difference:
                differences += 1
                print("script %d (%s):" % (number, kind))
                for key, value in difference.items():
                    print("  %s: %s" % (key, json.dumps(value, sort_keys=True)))
                break
        writes += pair.writes
        pair.remove()
    print("scripted: %d sequences, %d writes, %d differences" % (len(SCRIPTS), writes, differences))
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--writes", type=int, default=12, help="of one sequence")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop", type=int, default=5, help="after so many differences")
    parser.add_argument("--only", choices=["scripted", "random"])
    options = parser.parse_args()
    server = Server(options.kubeconfig)
    driver = Driver(options.driver)
    server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CRD)
    for _ in range(100):
        if server.call("GET", KINDS["Thing"]["path"])[0] == 200:
            break
        time.sleep(0.1)
    else:
        print("the API server does not serve things", file=sys.stderr)
        return 2
    differences = 0
    if options.only != "random":
        differences += run_scripted(server, driver)
    if options.only != "scripted":
        counts = run_random(server, driver, options)
        differences += counts["differences"]
        print("random: %(writes)d writes, %(refused)d refused by validation, %(differences)d differences" % counts)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())

"""sequences.py - seeded random operations on one object at a time, valid and invalid, and the shortest way to a difference.

A sequence is a list of operations made from its seed and from what both servers answered before. After each, the whole answer
is compared: code, reason, causes, message, warnings, the object with generation and managedFields, and whether its resource
version moved. When one differs, the operations before it are left out one by one, on new objects, as long as the last one
still differs; what is left is printed with the seed.
"""
import concurrent.futures
import copy
import json
import random
import re
import time

from kinds import CORE, GADGETS, THINGS, configmap, gadget, thing
from sides import Pair

MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
NS = "random"
LENGTH = 12


class Kind:
    def __init__(self, name, path, make, body, weight, strategic=False, status=False, scale=False):
        self.name, self.path, self.make, self.body, self.weight = name, path, make, body, weight
        self.strategic, self.status, self.scale = strategic, status, scale


# ---- values ----

def distinct(rng, values, high=3):
    return rng.sample(values, rng.randint(0, min(high, len(values))))


def words(rng, keys):
    return {key: rng.choice("12") for key in distinct(rng, keys)}


def any_value(rng, depth=0):
    pick = rng.randint(0, 7 if depth < 2 else 4)
    if pick == 0:
        return rng.choice(["x", "y", "", "a\"b\\c<&>\u00e4"])
    if pick == 1:
        return rng.randint(0, 2)
    if pick == 2:
        return rng.choice([True, 1.5, 0])
    if pick == 3:
        return [rng.choice(["x", 1]) for _ in range(rng.randint(0, 2))]
    if pick == 4:
        return None
    return {key: any_value(rng, depth + 1) for key in distinct(rng, ["k", "l", "m"])}


def list_item(rng, name):
    item = {"name": name}
    if rng.random() < 0.6:
        item["value"] = rng.choice("12")
    if rng.random() < 0.2:
        item["kind"] = rng.choice(["plain", "odd"])
    if rng.random() < 0.3:
        item["inner"] = {key: rng.randint(0, 1) for key in distinct(rng, ["a", "b"])}
    if rng.random() < 0.3:
        item["tags"] = distinct(rng, ["t", "u", "v"])
    return item


def port(rng, key):
    out = {"port": key[0]}
    if key[1] != "TCP" or rng.random() < 0.5:
        out["protocol"] = key[1]
    if rng.random() < 0.5:
        out["target"] = rng.choice([1, 2, "web"])
    return out


THING = {
    "replicas": lambda r: r.randint(0, 2), "image": lambda r: r.choice(["x", "y"]), "flag": lambda r: r.random() < 0.5,
    "size": lambda r: r.randint(2, 4), "ratio": lambda r: r.choice([1, 1.5, 2]), "labels": lambda r: words(r, ["a", "b", "c", "d/e"]),
    "selector": lambda r: words(r, ["a", "b", "c"]), "tags": lambda r: distinct(r, ["a", "b", "c", "d<e", "f g"], 4),
    "numbers": lambda r: distinct(r, [1, 2, 10, 33], 4), "args": lambda r: [r.choice("pq") for _ in range(r.randint(0, 3))],
    "items": lambda r: [list_item(r, name) for name in distinct(r, ["a", "b", "c", "d e"], 4)],
    "ports": lambda r: [port(r, key) for key in distinct(r, [(80, "TCP"), (80, "UDP"), (443, "TCP"), (8080, "TCP")], 4)],
    "free": lambda r: {key: any_value(r) for key in distinct(r, ["k", "l", "m"])}, "any": any_value,
    "maybe": lambda r: r.choice([None, "s", "t"]), "nothing": lambda r: r.choice([None, {}, {"x": 1}, {"x": 2}]),
    "nested": lambda r: {key: value for key, value in (
        ("deep", {k: r.randint(0, 1) for k in distinct(r, ["x", "y"])}),
        ("objects", {k: {m: r.randint(0, 1) for m in distinct(r, ["p", "q"])} for k in distinct(r, ["k1", "k2"])})) if r.random() < 0.7},
}
GADGET = {
    "code": lambda r: r.choice(["ab1", "z9", "abcd5"]), "percent": lambda r: r.choice([0, 50, 100]), "small": lambda r: r.randint(-2, 2),
    "list": lambda r: [r.randint(0, 3) for _ in range(r.randint(1, 3))], "map": lambda r: {r.choice("ab"): r.random() < 0.5},
    "when": lambda r: "2020-01-0%dT00:00:00Z" % r.randint(1, 3), "blob": lambda r: r.choice(["YQ==", "Yg=="]), "either": lambda r: r.choice([1, "x"]),
    "level": lambda r: r.randint(1, 3), "inner": lambda r: {"a": r.choice("12"), "b": r.choice("12")},
}
WRONG = [None, "text", 7, -1, 1.5, True, [], {}, ["x"], [7], [None], {"x": 1}, {"name": "x"}, [{"name": "a"}, {"name": "a"}], ["a", "a"],
         "x" * 70, "A b", 3000000000, [{}], [[1]]]


def thing_body(rng):
    return {"spec": {key: THING[key](rng) for key in distinct(rng, sorted(THING), 5)}} if rng.random() < 0.97 else {}


def gadget_body(rng):
    spec = {key: GADGET[key](rng) for key in distinct(rng, sorted(GADGET), 4)}
    spec["mode"] = rng.choice(["fast", "slow"])
    return {"spec": spec}


def configmap_body(rng):
    body = {}
    if rng.random() < 0.9:
        body["data"] = words(rng, ["a", "b", "c", "d.e"])
    if rng.random() < 0.2:
        body["binaryData"] = {key: rng.choice(["YQ==", "Yg=="]) for key in distinct(rng, ["x", "y"])}
    if rng.random() < 0.02:
        body["immutable"] = rng.choice([True, False])
    return body


def secret_body(rng):
    body = {}
    if rng.random() < 0.8:
        body["data"] = {key: rng.choice(["YQ==", "Yg=="]) for key in distinct(rng, ["a", "b", "c"])}
    if rng.random() < 0.3:
        body["stringData"] = words(rng, ["a", "b", "d"])
    if rng.random() < 0.1:
        body["type"] = rng.choice(["Opaque", "x.com/y"])
    return body


def secret(name, **more):
    return dict({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}, **more)


KINDS = [
    Kind("Thing", THINGS % NS, thing, thing_body, 6, status=True, scale=True),
    Kind("Gadget", GADGETS, gadget, gadget_body, 3),
    Kind("ConfigMap", CORE % NS + "configmaps", configmap, configmap_body, 3, strategic=True),
    Kind("Secret", CORE % NS + "secrets", secret, secret_body, 2, strategic=True),
]
OWNER = {"apiVersion": "absent.example.com/v1", "kind": "Absent", "name": "o", "uid": "11111111-1111-1111-1111-111111111111"}


def make_metadata(rng):
    out = {}
    if rng.random() < 0.3:
        out["labels"] = words(rng, ["l1", "l2", "x.com/l3"])
    if rng.random() < 0.2:
        out["annotations"] = words(rng, ["a1", "a2"])
    if rng.random() < 0.06:
        out["finalizers"] = distinct(rng, ["a.com/a", "a.com/b"])
    return out


def spoil(rng, body):
    """One thing wrong somewhere."""
    places = []

    def walk(value, depth):
        if isinstance(value, dict):
            places.extend((value, key) for key in value)
            places.append((value, "zork"))
            for one in value.values():
                walk(one, depth + 1)
        elif isinstance(value, list):
            places.extend((value, index) for index in range(len(value)))
            for one in value:
                walk(one, depth + 1)
    walk({key: value for key, value in body.items() if key not in ("apiVersion", "kind")}, 0)
    places = [place for place in places if place[1] not in ("name", "uid")]
    if places:
        where, key = rng.choice(places)
        where[key] = copy.deepcopy(rng.choice(WRONG))
    return body


# ---- operations: (method, suffix, query, body, content type) ----

def with_metadata(rng, kind, body, name):
    item = kind.make(name, **body)
    item["metadata"].update(make_metadata(rng))
    return item


def query_of(rng, **more):
    query = {key: value for key, value in more.items() if value is not None}
    if rng.random() < 0.5:
        query["fieldValidation"] = rng.choice(["Strict", "Warn", "Ignore"])
    if rng.random() < 0.08:
        query["dryRun"] = "All"
    return query


def updated(rng, kind, live):
    """The live object with something new and something gone, as a client that read it would send it."""
    item = copy.deepcopy(live)
    keep = rng.random()
    fresh = with_metadata(rng, kind, kind.body(rng), item["metadata"]["name"])
    for part in ("spec", "data", "binaryData", "stringData"):
        if part in item or part in fresh:
            have = item.setdefault(part, {})
            if not isinstance(have, dict):
                continue
            for key in list(have):
                if key != "mode" and rng.random() < 0.25:
                    del have[key]
            have.update(fresh.get(part, {}))
    for part in ("labels", "annotations"):
        if part in fresh["metadata"]:
            item["metadata"][part] = fresh["metadata"][part]
    if keep < 0.5:
        item["metadata"].pop("resourceVersion", None)
    elif keep < 0.85:
        item["metadata"]["resourceVersion"] = "{{rv:%s}}" % item["metadata"]["name"]
    else:
        item["metadata"]["resourceVersion"] = rng.choice(["1", "", "0"])
    item["metadata"]["uid"] = "{{uid:%s}}" % item["metadata"]["name"]
    for entry in item["metadata"].get("managedFields", []):
        entry.pop("time", None)  # the two servers need not have written it in the same second
    for key in ("creationTimestamp", "generation"):
        if rng.random() < 0.5:
            item["metadata"].pop(key, None)
    if rng.random() < 0.9:
        item["metadata"].pop("managedFields", None)
    elif rng.random() < 0.3:
        item["metadata"]["managedFields"] = rng.choice([[], [{}]])
    return item


def patch_body(rng, kind):
    body = kind.body(rng)
    metadata = make_metadata(rng)
    if metadata:
        body["metadata"] = metadata
    for part in list(body.values()):
        if isinstance(part, dict):
            for key in list(part):
                if rng.random() < 0.2:
                    part[key] = None
    return body


def json_operations(rng, kind, live):
    part = "spec" if kind.name in ("Thing", "Gadget") else "data"
    out = []
    for _ in range(rng.randint(1, 3)):
        have = live.get(part) if isinstance(live.get(part), dict) else {}
        fresh = kind.body(rng).get(part) or {"a": "1"}
        key, value = rng.choice(sorted(fresh.items(), key=lambda item: item[0]))
        where = "/%s/%s" % (part, key.replace("~", "~0").replace("/", "~1"))
        how = rng.random()
        if how < 0.45:
            out.append({"op": "add", "path": where, "value": value})
        elif how < 0.6:
            out.append({"op": "replace", "path": where, "value": value})
        elif how < 0.75:
            gone = rng.choice(sorted(have)) if have and rng.random() < 0.8 else key
            out.append({"op": "remove", "path": "/%s/%s" % (part, gone.replace("/", "~1"))})
        elif how < 0.85:
            out.append({"op": "test", "path": where, "value": have.get(key, value)})
        elif how < 0.93:
            out.append({"op": "add", "path": "/metadata/labels", "value": words(rng, ["l1", "l2"])})
        else:
            out.append({"op": rng.choice(["copy", "move"]), "from": where, "path": "/%s/%s" % (part, rng.choice(["a", "image", "code"]))})
    return out


def status_body(rng):
    out = {}
    if rng.random() < 0.6:
        out["phase"] = rng.choice(["Ready", "Busy"])
    if rng.random() < 0.4:
        out["count"] = rng.randint(0, 2)
    if rng.random() < 0.3:
        out["replicas"] = rng.randint(0, 2)
    if rng.random() < 0.6:
        out["conditions"] = [{"type": t, "status": rng.choice(["True", "False"])} for t in distinct(rng, ["A", "B"])]
    return {"status": out}


def status_operation(rng, kind, live, name):
    body = status_body(rng)
    how = rng.random()
    if how < 0.35:
        query = query_of(rng, fieldManager=rng.choice("abc"), force="true" if rng.random() < 0.4 else None)
        return ("PATCH", "/status", query, kind.make(name, **body), APPLY)
    if how < 0.65:
        item = dict(copy.deepcopy(live), **body)
        item["metadata"] = {"name": name}
        return ("PUT", "/status", query_of(rng), item, None)
    return ("PATCH", "/status", query_of(rng, fieldManager=rng.choice("abc")), body, MERGE)


def delete_operation(rng, name):
    options = {}
    if rng.random() < 0.3:
        options["preconditions"] = rng.choice([{"uid": "{{uid:%s}}" % name}, {"uid": "x"}, {"resourceVersion": "{{rv:%s}}" % name}, {"resourceVersion": "1"}])
    if rng.random() < 0.3:
        options["propagationPolicy"] = rng.choice(["Background", "Background", "Nope"])
    if rng.random() < 0.2:
        options["dryRun"] = ["All"]
    return ("DELETE", "", {}, options or None, None)


def operation(rng, kind, live, name):
    manager = rng.choice("abc")
    pick = rng.random()
    if live is None:
        body = with_metadata(rng, kind, kind.body(rng), name)
        if rng.random() < 0.15:
            spoil(rng, body)
        if pick < 0.5:
            return ("POST", None, query_of(rng, fieldManager=manager), body, None)
        if pick < 0.9:
            return ("PATCH", "", query_of(rng, fieldManager=manager, force="true" if rng.random() < 0.4 else None), body, APPLY)
        return rng.choice([("PUT", "", query_of(rng), body, None), ("DELETE", "", {}, None, None), ("GET", "", {}, None, None),
                           ("PATCH", "", query_of(rng), {}, MERGE)])
    if kind.status and pick < 0.12:
        return status_operation(rng, kind, live, name)
    if kind.scale and pick < 0.16:
        return ("PATCH", "/scale", query_of(rng, fieldManager=manager), {"spec": {"replicas": rng.choice([0, 1, 2, 3, -1, "x"])}}, MERGE)
    if pick < 0.5:
        body = with_metadata(rng, kind, kind.body(rng), name)
        if rng.random() < 0.15:
            spoil(rng, body)
        return ("PATCH", "", query_of(rng, fieldManager=manager, force="true" if rng.random() < 0.4 else None), body, APPLY)
    if pick < 0.66:
        body = updated(rng, kind, live)
        if rng.random() < 0.15:
            spoil(rng, body)
        return ("PUT", "", query_of(rng, fieldManager=manager), body, None)
    if pick < 0.86:
        body = patch_body(rng, kind)
        if rng.random() < 0.15:
            spoil(rng, body)
        return ("PATCH", "", query_of(rng, fieldManager=manager), body, STRATEGIC if kind.strategic and rng.random() < 0.5 else MERGE)
    if pick < 0.94:
        return ("PATCH", "", query_of(rng, fieldManager=manager), json_operations(rng, kind, live), JSON_PATCH)
    if pick < 0.96:
        return ("GET", "", {}, None, None)
    return delete_operation(rng, name)


# ---- running ----

class State:
    """What went before that a few intended differences depend on."""

    def __init__(self):
        self.applied = self.deleting = self.hollow = False

    def __str__(self):
        return "".join(text for text, is_so in (
            (" (after an apply)", self.applied), (" (being deleted)", self.deleting), (" (an empty value)", self.hollow)) if is_so)

    def note(self, op, answer):
        self.applied = op[4] == APPLY or (op[0] == "DELETE" and self.applied)
        self.deleting = "deletionTimestamp" in answer.item().get("metadata", {})
        self.hollow = "" in (answer.item().get("data") or {}).values()


def tests_escaped_text(op):
    """A `test` of what Go's encoder escapes."""
    return op[4] == JSON_PATCH and any(one["op"] == "test" and re.search("[<>&]", json.dumps(one["value"])) for one in op[3])


def perform(pair, kind, name, op, state):
    """One operation on both; what differs."""
    method, suffix, query, body, content_type = op
    pair.context = str(state) + (" (escaped text)" if tests_escaped_text(op) else "")
    path = kind.path if suffix is None else "%s/%s%s" % (kind.path, name, suffix)
    text = "&".join("%s=%s" % item for item in sorted(query.items()))
    headers = {"Content-Type": content_type} if content_type else {}
    before = len(pair.found)
    answer = pair.ask(method, path + ("?" + text if text else ""), None if body is None else json.dumps(body), **headers)
    if is_stored(op, answer):
        state.note(op, answer)
    return answer, pair.found[before:]


def is_stored(op, answer):
    dry = "dryRun" in op[2] or (isinstance(op[3], dict) and "dryRun" in op[3])
    return op[0] != "GET" and answer.code < 300 and not dry


def live_after(kind, op, answer, live):
    item = answer.item()
    if op[0] == "DELETE" and answer.code == 200:
        return live_deleted(op, item, live)
    if "dryRun" in op[2] or answer.code >= 300 or op[1] == "/scale" or item.get("kind") != kind.name:
        return live
    metadata = item.get("metadata", {})
    # The last finalizer of one that is being deleted: it went with this write.
    return None if metadata.get("deletionTimestamp") and not metadata.get("finalizers") else item


def live_deleted(op, item, live):
    if (op[3] or {}).get("dryRun"):
        return live
    return None if item.get("kind") == "Status" else item


def cleanup(pair, kind, name):
    left = pair.quietly("DELETE", "%s/%s" % (kind.path, name))
    if any(answer.item().get("kind") == kind.name for answer in left):  # it has finalizers
        pair.quietly("PATCH", "%s/%s" % (kind.path, name), '{"metadata":{"finalizers":null}}', Content_Type=MERGE)


def renamed(value, old, new):
    return json.loads(json.dumps(value).replace(old, new))


def differs(theirs, ours, intended, kind, operations, old, new):
    """Whether the last of them differs, on a new object."""
    pair = Pair(theirs, ours, "random", intended)
    state = State()
    try:
        for op in operations:
            _, found = perform(pair, kind, new, renamed(op, old, new), state)
            if (found or pair.diverged) and op is not operations[-1]:
                return None
        return found or None
    finally:
        cleanup(pair, kind, new)
        pair.close()


def shrink(theirs, ours, intended, kind, operations, name, found):
    number = 0
    index = len(operations) - 2
    while index >= 0 and number < 40:
        fewer = operations[:index] + operations[index + 1:]
        number += 1
        still = differs(theirs, ours, intended, kind, fewer, name, "%s-s%d" % (name, number))
        if still:
            operations, found = fewer, still
        index -= 1
    return operations, found


def run_sequence(theirs, ours, intended, seed, number, shrinks, run):
    rng = random.Random("%d/%d" % (seed, number))
    kind = rng.choices(KINDS, [one.weight for one in KINDS])[0]
    name = "%s-%x-%d" % (run, seed, number)
    pair = Pair(theirs, ours, "random", intended)
    live, state, operations = None, State(), []
    for _ in range(LENGTH):
        op = operation(rng, kind, live, name)
        operations.append(op)
        answer, found = perform(pair, kind, name, op, state)
        if found:
            cleanup(pair, kind, name)
            pair.close()
            length = len(operations)
            if shrinks:
                operations, found = shrink(theirs, ours, intended, kind, operations, name, found)
            steps = [("after %d of %d operations, the last of which is" % (len(operations), length), "request", *[
                "\n".join("%s %s %s %s %s" % (op[0], op[1], op[2], op[4], json.dumps(op[3])) for op in operations)] * 2)]
            return kind, pair.requests, steps + found
        if pair.diverged:  # as intended; what comes now would differ for it
            break
        live = live_after(kind, op, answer, live)
    cleanup(pair, kind, name)
    pair.close()
    return kind, pair.requests, []


# ---- sequences that once differed ----

def applied(kind, body, manager="a", suffix="", metadata=None, **query):
    item = kind.make("NAME", **body)
    item["metadata"].update(metadata or {})
    return ("PATCH", suffix, dict(query, fieldManager=manager), item, APPLY)


def created(kind, body, **query):
    return ("POST", None, query, kind.make("NAME", **body), None)


def replaced(kind, body, metadata=None, **query):
    item = kind.make("NAME", **body)
    item["metadata"].update(metadata or {}, resourceVersion="{{rv:NAME}}")
    return ("PUT", "", query, item, None)


def merged(body, suffix="", **query):
    return ("PATCH", suffix, query, body, MERGE)


def strategic(body, **query):
    return ("PATCH", "", query, body, STRATEGIC)


def json_patched(*operations, **query):
    return ("PATCH", "", query, list(operations), JSON_PATCH)


def kept():
    """(what, kind, operations)"""
    a_thing, a_gadget, a_map, a_secret = KINDS
    items = [{"name": "a", "tags": ["t"]}, {"name": "b"}]
    yield "what does not fit its type is not applied", a_thing, [
        applied(a_thing, {"spec": {"zork": 1}}), applied(a_thing, {"spec": 7}), applied(a_thing, {"spec": {"image": [1.5, {"x": None}]}}),
        applied(a_thing, {"spec": {"items": [{"name": "a"}, {"name": "a", "value": 1}]}}), applied(a_thing, {"spec": {"items": [{"value": "1"}]}}),
        applied(a_thing, {"spec": {"tags": [3000000000]}}), applied(a_thing, {}, metadata={"labels": {"a": 1}}),
        applied(a_map, {"data": ["x"]})]
    yield "the scale and who owns the replicas", a_thing, [
        created(a_thing, {"spec": {"replicas": 1, "image": "x"}}), merged({"spec": {"replicas": 1}}, "/scale", fieldManager="s"),
        ("GET", "", {}, None, None), merged({"spec": {"image": "y"}}, fieldManager="b"), merged({"spec": {"replicas": 2}}, "/scale", fieldManager="s"),
        ("GET", "", {}, None, None), applied(a_thing, {"spec": {"replicas": 2}}, "c"), merged({"spec": {"replicas": 3}}, "/scale", fieldManager="s"),
        ("GET", "", {}, None, None), applied(a_thing, {"spec": {"replicas": 4}}, "c"), applied(a_thing, {"spec": {"replicas": 4}}, "c", force="true"),
        merged({"spec": {"replicas": "x"}}, "/scale"), merged({"spec": {"replicas": -1}}, "/scale")]
    yield "JSON patches of what is absent", a_thing, [
        created(a_thing, {"spec": {"image": "x"}}), json_patched({"op": "replace", "path": "/spec/size", "value": 4}),
        json_patched({"op": "copy", "from": "/spec/maybe", "path": "/spec/image"}), json_patched({"op": "move", "from": "/spec/maybe", "path": "/spec/image"}),
        json_patched({"op": "test", "path": "/spec/maybe", "value": None}), json_patched({"op": "remove", "path": "/spec/maybe"})]
    yield "nulls that an apply leaves", a_thing, [
        created(a_thing, {"spec": {"items": []}}), applied(a_thing, {"spec": {"items": items}}, "b"), applied(a_thing, {"spec": {}}, "b"),
        applied(a_thing, {"spec": {"replicas": None}}, "c"), applied(a_thing, {"spec": {"any": None, "size": None}}, "c")]
    yield "the order of checks, names and owners of a replacement", a_map, [
        created(a_map, {"data": {"a": "1"}}), replaced(a_map, {"data": {"a": "2"}}, {"labels": {"l": 1}, "resourceVersion": "1"}),
        replaced(a_map, {"data": {"a": "2"}}, {"namespace": [{}]}), replaced(a_map, {"data": {"a": "2"}}, {"managedFields": []}),
        replaced(a_map, {"data": {"a": "2"}}, {"labels": {"l": "x" * 70}}),
        applied(a_map, {"data": {"a": "2"}}, metadata={"labels": {"l": "x" * 70}})]
    fields = {"operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}}
    yield "entries of managedFields that a client gives", a_map, [
        created(a_map, {"data": {"a": "1"}}),
        replaced(a_map, {"data": {"a": "1"}}, {"managedFields": [dict(fields, manager="m", apiVersion="v1")]}),
        replaced(a_map, {"data": {"a": "1", "b": "1"}}, {"managedFields": [dict(fields, manager="m", apiVersion="text")]}),
        replaced(a_map, {"data": {"a": "1", "b": "2"}}, {"managedFields": [dict(fields, manager=None, apiVersion="v1")]})]
    yield "values of another type in core objects", a_secret, [
        created(a_secret, {"data": {"a": [1, 255]}}), merged({"data": {"b": [{}]}}), merged({"data": {"b": "x"}}), strategic({"data": {"b": [{}]}}),
        strategic({"stringData": {"c": 7, "d": None}}), strategic({"data": {"b": "x"}}), strategic({"data": "x"}), strategic({"zork": 1}, fieldValidation="Strict"),
        applied(a_secret, {"data": {"b": "x"}})]
    yield "conflicts in the order of numbers", a_thing, [
        created(a_thing, {"spec": {"ports": [{"port": 443}, {"port": 80}, {"port": 8080}]}}, fieldManager="b"),
        merged({"spec": {"ports": [{"port": 443, "target": 1}, {"port": 80, "target": 1}, {"port": 8080, "target": 1}]}}, fieldManager="b"),
        applied(a_thing, {"spec": {"ports": [{"port": 8080, "target": 2}, {"port": 80, "target": 2}, {"port": 443, "target": 2}]}})]
    yield "a status that does not fit, and what goes with it", a_thing, [
        created(a_thing, {"spec": {}}), merged({"metadata": {"labels": {"l": "1"}}}), applied(a_thing, {"status": {"phase": "x"}}, suffix="/status"),
        merged({"status": {"count": "x", "conditions": [{"status": "y"}]}}, "/status"), merged({"status": 7}, "/status"),
        applied(a_thing, {"status": {}}, suffix="/status"), replaced(a_thing, {"spec": {"size": 5}, "status": {"count": "x"}})]
    yield "unknown fields below another type", a_gadget, [
        created(a_gadget, {"spec": {"mode": "fast", "map": [{"name": "a"}], "code": {"x": 1}}}),
        created(a_gadget, {"spec": {"mode": "fast"}}), merged({"spec": {"zork": "x" * 2000}}, fieldValidation="Strict"),
        replaced(a_gadget, {"spec": {"mode": "fast", "when": [{}]}}), applied(a_gadget, {"spec": {"mode": "fast"}})]
    yield "what is owned of an object that is being deleted", a_map, [
        applied(a_map, {}), merged({"metadata": {"finalizers": ["a.com/a"]}}), ("DELETE", "", {}, None, None), applied(a_map, {"data": {"a": "1"}}, "b")]


def run_kept(theirs, ours, intended, run, tap):
    for number, (what, kind, operations) in enumerate(kept()):
        pair, state, name = Pair(theirs, ours, "random", intended), State(), "k%s-%d" % (run, number)
        for op in operations:
            perform(pair, kind, name, renamed(op, "NAME", name), state)
        cleanup(pair, kind, name)
        pair.close()
        tap.result("kept: " + what, pair.found, pair.requests, 0)


def run_again(theirs, ours, intended, options, number, shrinks):
    """Times of managedFields are whole seconds and decide their order: what only one of the servers did in the next second is no
    difference. So what differed is repeated at the beginning of a second, and counts when it differs again."""
    time.sleep(1.05 - time.time() % 1)
    result = run_sequence(theirs, ours, intended, options.seed, number, shrinks, "s" + options.run)
    if not result[2]:
        print("# random --seed %d --sequence %d differed once, at the turn of a second" % (options.seed, number), flush=True)
    return result


def run(options, theirs, ours, intended, tap):
    started = time.monotonic()
    pair = Pair(theirs, ours, "random", intended)
    pair.quietly("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}})
    if options.sequence is None:
        run_kept(theirs, ours, intended, options.run, tap)
    numbers = [options.sequence] if options.sequence is not None else range(max(1, options.operations // LENGTH))
    different = total = 0
    lost = []

    def one(number):
        if different >= options.stop:
            return number, None, 0, []
        result = run_sequence(theirs, ours, intended, options.seed, number, False, "r" + options.run)
        if result[2]:
            result = run_again(theirs, ours, intended, options, number, different < 5)
        return (number, *result)
    with concurrent.futures.ThreadPoolExecutor(options.threads) as pool:
        for number, kind, requests, found in pool.map(one, numbers):
            total += requests
            if found:
                different += 1
                lost.append(number)
                tap.result("random --seed %d --sequence %d (%s)" % (options.seed, number, kind.name), found, requests, 0)
    tap.result("random: %d operations of seed %d, %d sequences differ" % (total, options.seed, different),
               [("sequences", "that differ", [], lost)] if lost else [], total, time.monotonic() - started)

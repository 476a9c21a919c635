"""render.py - from a work and its template to the object that is applied, as section 7.3 of docs/protocol.md describes it."""
import copy
import json
import re

from codec import need

OPERATIONS_MAX, PATH_MAX, KEY_MAX, DEPTH_MAX = 256, 4096, 1024, 128
RETAIN_REPLICAS = 0x04
FORBIDDEN = ("/metadata/namespace", "/metadata/name", "/metadata/generateName", "/kind")


class Number(str):
    """A number as its text, so that no digit is lost."""


def load(text):
    """A member that stands twice: the last one counts."""
    def no_constant(_):
        need(False)
    try:
        return json.loads(text.decode(), parse_int=Number, parse_float=Number, parse_constant=no_constant)
    except ValueError:
        need(False)


def dump(value):
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(key) + ":" + dump(item) for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return str(value) if isinstance(value, Number) else json.dumps(value)


def depth(value):
    if not isinstance(value, (dict, list)):
        return 0
    return 1 + max((depth(item) for item in (value.values() if isinstance(value, dict) else value)), default=0)


# ---- operations ----

def read(operations):
    """[(op, path, value)]"""
    if operations is None:
        return []
    need(isinstance(operations, list))
    need(len(operations) <= OPERATIONS_MAX, "LIMIT")
    result = []
    for item in operations:
        need(isinstance(item, dict))
        op, path = item.get("op"), item.get("path")
        need(op is None or isinstance(op, str) and not isinstance(op, Number))
        need(op in (None, "", "add", "remove", "replace"))
        need(isinstance(path, str) and not isinstance(path, Number))
        need(len(path.encode()) <= PATH_MAX, "LIMIT")
        need(not set(item) - {"op", "path", "value"} and path not in FORBIDDEN)
        result.append((op or "replace", path, item.get("value")))
    return result


def unescape(step):
    key = re.sub("~[01]", lambda match: "~" if match[0] == "~0" else "/", step)
    need(len(key.encode()) <= KEY_MAX)
    return key


def index_of(step, count):
    match = re.fullmatch("([-+]?)([0-9]+)", step)
    need(match)
    index = int(match[2])
    if match[1] != "-" or index == 0:
        return index
    need(index <= count)
    return count - index


def child(at, step):
    if isinstance(at, list):
        index = index_of(step, len(at))
        need(index < len(at))
        return at[index]
    need(isinstance(at, dict) and unescape(step) in at)
    return at[unescape(step)]


def apply_one(root, op, path, value):
    if path == "" and op == "replace":
        need(isinstance(value, dict))
        return copy.deepcopy(value)
    need("/" in path)  # what stands before the first slash is dropped
    *steps, last = path.split("/")[1:]
    at = root
    for step in steps:
        at = child(at, step)
    value = copy.deepcopy(value)
    if isinstance(at, dict):
        key = unescape(last)
        if op == "remove":
            need(key in at)
            del at[key]
        else:
            at[key] = value
        return root
    need(isinstance(at, list))
    if op == "add" and last == "-":
        at.append(value)
        return root
    index = index_of(last, len(at) + (op == "add"))
    need(index < len(at) + (op == "add"))
    if op == "add":
        at.insert(index, value)
    elif op == "remove":
        del at[index]
    else:
        at[index] = value
    return root


# ---- the object ----

def sets_replicas(operations):
    for op, path, value in operations:
        if op == "remove":
            continue
        if path == "/spec/replicas" or path == "/spec" and isinstance(value, dict) and "replicas" in value:
            return True
        spec = value.get("spec") if path == "" and isinstance(value, dict) else None
        if isinstance(spec, dict) and "replicas" in spec:
            return True
    return False


def object_at(parent, key):
    """The member, made when it is absent or null."""
    if parent.get(key) is None:
        parent[key] = {}
    need(isinstance(parent[key], dict))
    return parent[key]


def render(work, blob):
    """work as in bundle.py. The object as a tree."""
    root = load(blob)
    operations = read(load(work["overrides"]) if work["overrides"] else None)
    need(isinstance(root, dict))
    root.pop("status", None)
    metadata = object_at(root, "metadata")
    metadata.pop("annotations", None)
    metadata.pop("finalizers", None)
    metadata["name"] = work["name"].decode()
    metadata.pop("namespace", None)
    if work["ns"]:
        metadata["namespace"] = work["ns"].decode()
    root["kind"] = work["kind"].decode()
    version = root.get("apiVersion")
    if not isinstance(version, str) or isinstance(version, Number) or not version:
        root["apiVersion"] = work["api_version"].decode()
    for op, path, value in operations:
        root = apply_one(root, op, path, value)
    need(depth(root) <= DEPTH_MAX, "LIMIT")
    if work["options"] & RETAIN_REPLICAS and not sets_replicas(operations) and isinstance(root.get("spec"), dict):
        root["spec"].pop("replicas", None)
    object_at(object_at(root, "metadata"), "labels")["kubefed.io/managed"] = "true"
    return root

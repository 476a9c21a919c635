"""published.py - definitions and objects that other projects publish (tests/definitions), on both servers.

Everything that a project ships as an example or test is created, applied twice by different managers, patched, shown as a
table and deleted. A case is an API group.
"""
import json
import os
import time

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SERVED_S = 120


def lines(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def make_definitions(pair, folder):
    """Creates them, compares the answers, waits until both serve all of it."""
    made = lines(folder, "definitions.jsonl")
    for item in made:
        pair.ask("POST", DEFINITIONS, item)
    end = time.monotonic() + SERVED_S
    waiting = ["/apis/%s/%s/%s?limit=1" % (item["spec"]["group"], version["name"], item["spec"]["names"]["plural"])
               for item in made for version in item["spec"]["versions"] if version.get("served")]
    while waiting and time.monotonic() < end:
        waiting = [path for path in waiting if any(answer.code != 200 for answer in pair.quietly("GET", path))]
        time.sleep(0.2 if waiting else 0)
    for path in waiting:
        pair.found.append(("GET " + path, "code", "200 on both", "something else after %d s" % SERVED_S))
    for item in made:
        pair.ask("GET", "%s/%s" % (DEFINITIONS, item["metadata"]["name"]), only=defined)
    return {(item["spec"]["group"], item["spec"]["names"]["kind"]): item for item in made}


def defined(answer):
    """A definition without what comes at its own time: who wrote its status, and the note that rules in CEL do not hold."""
    body = answer["body"]
    body.get("metadata", {}).pop("managedFields", None)
    conditions = body.get("status", {}).get("conditions", [])
    conditions.sort(key=lambda one: one["type"])
    return answer


def one_object(pair, base, item):
    name = item["metadata"]["name"]
    at = "%s/%s" % (base, name)
    if pair.ask("POST", base + "?fieldValidation=Strict&fieldManager=kubectl-create", item).code == 400:
        pair.ask("POST", base + "?fieldValidation=Warn&fieldManager=kubectl-create", item)
    pair.ask("PATCH", at + "?fieldManager=kubectl&fieldValidation=Strict", item, Content_Type=APPLY)
    item["metadata"]["labels"] = dict(item["metadata"].get("labels") or {}, differential="1")
    pair.ask("PATCH", at + "?fieldManager=other&force=true", item, Content_Type=APPLY)
    spec = item.get("spec")
    first = next(iter(sorted(spec)), None) if isinstance(spec, dict) else None
    pair.ask("PATCH", at + "?fieldManager=merge", {"metadata": {"labels": None}, "spec": {first: None} if first else {}}, Content_Type=MERGE)
    pair.ask("GET", at, Accept=TABLE)


def run_group(pair, group, served, objects, ns):
    """All objects of one group, and then a table of each of its kinds."""
    bases = {}
    for item in objects:
        version = item["apiVersion"].partition("/")[2]
        definition = served[group, item["kind"]]["spec"]
        if not any(one["name"] == version and one.get("served") for one in definition["versions"]):
            continue
        place = "namespaces/%s/" % ns if definition["scope"] == "Namespaced" else ""
        base = "/apis/%s/%s/%s%s" % (group, version, place, definition["names"]["plural"])
        bases[base] = True
        one_object(pair, base, item)
    for base in bases:
        pair.ask("GET", base, Accept=TABLE)
        pair.ask("DELETE", base)


def groups(folder, served):
    """group -> objects, the largest first."""
    out = {}
    for _, item in lines(folder, "objects.jsonl"):
        group = item["apiVersion"].partition("/")[0]
        if (group, item["kind"]) in served:
            out.setdefault(group, []).append(item)
    return sorted(out.items(), key=lambda one: -len(one[1]))

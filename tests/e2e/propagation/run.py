#!/usr/bin/env python3
"""run.py FOLDER - runs the tables of propagation.sh against the fleet in $FLEET.

A table is a JSON file: {"group", "alone", "defaults", "cases"}. The cases of a table run side by side, each in a namespace
of its own that is federated to every cluster; `"alone": true` makes a table's cases run one by one after all others,
because they stop something that the others need. `defaults` stands under each case.

A case
  case        what is looked at
  fixed       why the end differs from KubeFed's, where it does
  namespace   placement of the case's FederatedNamespace; null: the namespace is not federated
  needs       a path of the hub without which the case is skipped
  kind        target kind of the federated object "x" (ConfigMap)
  spec        what is sent; `overrides` and `metadata` may stand beside it
  stored      the spec that the hub has afterwards, exactly
and what is to come of it, which `{"expect": {...}}` says within `steps` too:
  refused     [HTTP status, message]
  in          the clusters that hold the object, exactly
  objects     {cluster: part of the object}; null: absent; {"=": value}: exactly that
  clusters    status.clusters as {name: status}, exactly; from `in` when not given
  messages    {cluster: status.clusters[].message}
  propagation status and reason of the one condition ("True")
  events      exactly, as [type, reason, message] or in short: "creating cluster1", "updating cluster1",
              "deleting cluster1", "failed to create cluster1: why", "failed to update cluster1: why"; "creating" for
              each of `in` when not given
  gone        true: the federated object is not there any more
  status      "absent": the object has no status
Texts that begin with ~ are extended patterns. $ns is the case's namespace, in all texts.
  steps       what follows: one of
    {"create": {kind, name, spec, metadata}}, {"patch": {kind, name, merge}}, {"delete": {kind, name}}
    {"raw": [method, path, body]}                       of the hub's API
    {"member": cluster, "create"|"patch"|"delete": ...} in a member
    {"shell": "commands of lib.sh"}
    {"adopt": "Enabled"|"Disabled"}                     KubeFedConfig's adoptResources
    {"expect": {...}}                                   of the object that `kind` and `name` say
    {"member_expect": [cluster, name, part]}            of another object in a member
    {"member_list": [cluster, path, parts]}             the objects of a list
    {"cluster_expect": [cluster, [[type, status, reason, message]]]}   conditions of a KubeFedCluster
    {"remember": [cluster, paths]}                      the values there, which must be the same the next time
"""
import argparse
import base64
import copy
import glob
import http.client
import json
import os
import queue
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time

FLEET = os.environ["FLEET"]
HERE = os.path.dirname(os.path.abspath(__file__))
CLUSTERS = ["cluster1", "cluster2"]
FEDERATED = "/apis/types.kubefed.io/v1beta1"
SYSTEM = "/apis/core.kubefed.io/v1beta1/namespaces/kube-federation-system"
MERGE = "application/merge-patch+json"
LIMIT_S = 90
LANES = 10

# target kind -> member path of the collection
KINDS = {
    "ConfigMap": "/api/v1/namespaces/{ns}/configmaps",
    "Secret": "/api/v1/namespaces/{ns}/secrets",
    "Service": "/api/v1/namespaces/{ns}/services",
    "ServiceAccount": "/api/v1/namespaces/{ns}/serviceaccounts",
    "Namespace": "/api/v1/namespaces",
    "Deployment": "/apis/apps/v1/namespaces/{ns}/deployments",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
}
PLURALS = {"Ingress": "federatedingresses"}


class Differs(Exception):
    pass


class Server:
    """One API server, with a connection for each thread. A request gives (HTTP status, document)."""

    def __init__(self, name):
        with open(f"{FLEET}/{name}.json") as file:
            config = json.load(file)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.host = cluster["server"].split("//")[1]
        self.context = ssl.create_default_context(cadata=self.text(cluster, "certificate-authority"))
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
            pem.write(self.text(user, "client-certificate") + "\n" + self.text(user, "client-key"))
            pem.flush()
            self.context.load_cert_chain(pem.name)
        self.local = threading.local()

    @staticmethod
    def text(holder, key):
        if key + "-data" in holder:
            return base64.b64decode(holder[key + "-data"]).decode()
        with open(holder[key]) as file:
            return file.read()

    def call(self, method, path, body=None, content_type="application/json"):
        for attempt in range(3):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=30)
                self.local.connection = connection
            try:
                connection.request(method, path, json.dumps(body) if body is not None else None,
                                   {"Content-Type": content_type, "Accept": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                # What is not served at all is answered in plain text.
                document = json.loads(text) if text.startswith(b"{") else {"message": text.decode()}
                return answer.status, document
            except (OSError, http.client.HTTPException):
                # An idle connection may have been closed meanwhile; a write that arrived would be refused again.
                connection.close()
                self.local.connection = None
                if attempt == 2:
                    raise
                time.sleep(0.2)


def shell(script):
    subprocess.run(["bash", "-c", f"set -euo pipefail; source {HERE}/../lib.sh; {script}"], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def collection(kind, ns):
    path = PLURALS.get(kind, f"federated{kind.lower()}s")
    return f"{FEDERATED}/{path}" if kind == "ClusterRole" else f"{FEDERATED}/namespaces/{ns}/{path}"


def same_text(want, got):
    if want.startswith("~"):
        return re.search(want[1:], got, re.S) is not None
    return want == got


def contains(want, got, where=""):
    """The first difference between the part that is wanted and what is there; None when it is contained."""
    if isinstance(want, dict) and list(want) == ["="]:
        return None if want["="] == got else f"{where}: {json.dumps(got)}, wanted {json.dumps(want['='])}"
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return f"{where}: {json.dumps(got)}, wanted an object"
        for key, value in want.items():
            found = contains(value, got.get(key), f"{where}.{key}")
            if found:
                return found
        return None
    if isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            return f"{where}: {json.dumps(got)}, wanted {len(want)} elements"
        for i, value in enumerate(want):
            found = contains(value, got[i], f"{where}[{i}]")
            if found:
                return found
        return None
    if isinstance(want, str) and isinstance(got, str) and same_text(want, got):
        return None
    return None if want == got else f"{where}: {json.dumps(got)}, wanted {json.dumps(want)}"


class Case:
    def __init__(self, case, ns):
        text = json.dumps(case).replace("$ns", ns)
        self.case = json.loads(text)
        self.ns = ns

    # ---- what is done ----
    def run(self):
        self.make_namespace()
        if self.case.get("spec") is not None or "refused" in self.case:
            self.create(self.case, self.case.get("refused"))
            if "refused" not in self.case:
                self.expect(self.case)
        for step in self.case.get("steps", []):
            self.step(step)

    def make_namespace(self):
        placement = self.case.get("namespace", {"clusterSelector": {}})
        self.must("POST", "/api/v1/namespaces", {"metadata": {"name": self.ns}})
        if placement is not None:
            self.must("POST", collection("Namespace", self.ns), self.federated(
                {"kind": "Namespace", "name": self.ns, "spec": {"placement": placement}}))

    def federated(self, given):
        kind = given.get("kind", "ConfigMap")
        document = {"apiVersion": "types.kubefed.io/v1beta1", "kind": f"Federated{kind}",
                    "metadata": {"name": given.get("name", "x"), **given.get("metadata", {})}}
        if given.get("spec") is not None:
            document["spec"] = given["spec"]
        if "overrides" in given:
            document["spec"]["overrides"] = given["overrides"]
        if kind != "ClusterRole":
            document["metadata"].setdefault("namespace", self.ns)
        return document

    def must(self, method, path, body=None, content_type="application/json", server=None):
        status, document = (server or HUB).call(method, path, body, content_type)
        if status >= 300:
            raise Differs(f"{method} {path}: {status} {document.get('message')}")
        return document

    def create(self, given, refused=None):
        document = self.federated(given)
        status, answer = HUB.call("POST", collection(given.get("kind", "ConfigMap"), self.ns), document)
        self.judge_answer("create", status, answer, refused)

    def judge_answer(self, what, status, answer, refused):
        message = answer.get("message", "")
        if refused and (status != refused[0] or not same_text(refused[1], message)):
            raise Differs(f"{what}: {status} {message!r}, wanted {refused[0]} {refused[1]!r}")
        if not refused and status >= 300:
            raise Differs(f"{what}: {status} {message}")

    def step(self, step):
        if "member" in step:
            self.in_member(SERVERS[step["member"]], step)
        elif "create" in step:
            self.create(step["create"], step.get("refused"))
        elif "patch" in step:
            given = step["patch"]
            kind = given.get("kind", self.case.get("kind", "ConfigMap"))
            status, answer = HUB.call("PATCH", f"{collection(kind, self.ns)}/{given.get('name', 'x')}",
                                      given["merge"], MERGE)
            self.judge_answer("patch", status, answer, step.get("refused"))
        elif "delete" in step:
            given = step["delete"]
            kind = given.get("kind", self.case.get("kind", "ConfigMap"))
            self.must("DELETE", f"{collection(kind, self.ns)}/{given.get('name', 'x')}")
        elif "raw" in step:
            method, path, body = step["raw"]
            self.must(method, path, body, MERGE if method == "PATCH" else "application/json")
        elif "shell" in step:
            shell(step["shell"])
        elif "member_expect" in step:
            self.wait(lambda: self.look_in_member(*step["member_expect"]))
        elif "member_list" in step:
            self.wait(lambda: self.look_at_list(*step["member_list"]))
        elif "cluster_expect" in step:
            self.wait(lambda: self.look_at_cluster(*step["cluster_expect"]))
        elif "remember" in step:
            self.remember(*step["remember"])
        elif "adopt" in step:
            self.must("PATCH", f"{SYSTEM}/kubefedconfigs/kubefed",
                      {"spec": {"syncController": {"adoptResources": step["adopt"]}}}, MERGE)
        else:
            self.expect(step["expect"])

    def in_member(self, server, step):
        verb = next(v for v in ("create", "patch", "delete") if v in step)
        given = step[verb]
        kind = given.get("kind", self.case.get("kind", "ConfigMap"))
        path = KINDS[kind].format(ns=self.ns)
        name = given.get("name", "x")
        if verb == "create":
            self.wait(lambda: self.has_namespace(server))
            self.must("POST", path, {"metadata": {"name": name, **given.get("metadata", {})}, **given.get("body", {})},
                      server=server)
        elif verb == "patch":
            self.must("PATCH", f"{path}/{name}", given["merge"], MERGE, server)
        else:
            self.must("DELETE", f"{path}/{name}", server=server)

    def has_namespace(self, server):
        status, _ = server.call("GET", f"/api/v1/namespaces/{self.ns}/serviceaccounts")
        if status != 200 or server.call("GET", f"/api/v1/namespaces/{self.ns}")[0] != 200:
            raise Differs("the namespace is not in the member yet")

    def remember(self, cluster, paths):
        """The first time notes the values at the paths; from then on they are as they were."""
        kind = self.case.get("kind", "ConfigMap")
        document = self.must("GET", f"{KINDS[kind].format(ns=self.ns)}/x", server=SERVERS[cluster])
        values = []
        for path in paths:
            at = document
            for key in path.split("."):
                at = at[int(key)] if isinstance(at, list) else at.get(key)
            values.append(at)
        if not hasattr(self, "remembered"):
            self.remembered = values
        if values != self.remembered or not all(values):
            raise Differs(f"{paths} were {self.remembered} and are {values}")

    # ---- what is expected ----
    def look_in_member(self, cluster, name, wanted):
        kind = self.case.get("kind", "ConfigMap")
        status, document = SERVERS[cluster].call("GET", f"{KINDS[kind].format(ns=self.ns)}/{name}")
        found = contains(wanted, document, cluster) if status == 200 else f"{name} in {cluster}: {status}"
        if found:
            raise Differs(found)

    def look_at_list(self, cluster, path, wanted):
        found = contains(wanted, self.must("GET", path, server=SERVERS[cluster])["items"], f"{path} in {cluster}")
        if found:
            raise Differs(found)

    def look_at_cluster(self, name, wanted):
        document = self.must("GET", f"{SYSTEM}/kubefedclusters/{name}")
        got = [[c["type"], c["status"], c["reason"], c["message"]] for c in document.get("status", {}).get("conditions", [])]
        if len(got) != len(wanted) or not all(same_text(w, g) for want, have in zip(wanted, got) for w, g in zip(want, have)):
            raise Differs(f"conditions of {name}: {got}")

    def wait(self, look, limit_s=LIMIT_S):
        end = time.monotonic() + limit_s
        pause_s = 0.05
        while True:
            try:
                return look()
            except Differs:
                if time.monotonic() >= end:
                    raise
            time.sleep(pause_s)
            pause_s = min(0.5, pause_s * 1.5)

    def expect(self, wanted):
        self.wait(lambda: self.look(wanted), wanted.get("within_s", LIMIT_S))

    def look(self, wanted):
        kind = wanted.get("kind", self.case.get("kind", "ConfigMap"))
        name = wanted.get("name", self.case.get("object", "x"))
        status, document = HUB.call("GET", f"{collection(kind, self.ns)}/{name}")
        if wanted.get("gone"):
            if status != 404:
                raise Differs(f"the federated object is still there: {json.dumps(document.get('status'))}")
        elif status != 200:
            raise Differs(f"{kind} {name}: {status}")
        elif wanted.get("status") == "absent":
            if "status" in document:
                raise Differs(f"status is {json.dumps(document['status'])}, wanted none")
        elif "in" in wanted or "clusters" in wanted or "propagation" in wanted:
            self.look_at_status(wanted, document)
        self.look_at_members(wanted, kind, name)
        if "stored" in wanted and document.get("spec") != wanted["stored"]:
            raise Differs(f"stored spec is {json.dumps(document.get('spec'))}")
        if "metadata" in wanted and wanted is not self.case:
            found = contains(wanted["metadata"], document["metadata"], "metadata")
            if found:
                raise Differs(found)
        if "events" in wanted or wanted is self.case:
            self.look_at_events(wanted, kind, name)

    def look_at_status(self, wanted, document):
        status = document.get("status", {})
        shown = json.dumps(status)
        if status.get("observedGeneration") != document["metadata"]["generation"]:
            raise Differs(f"observedGeneration is not {document['metadata']['generation']}: {shown}")
        conditions = [" ".join(filter(None, (c["type"], c["status"], c.get("reason"))))
                      for c in status.get("conditions", [])]
        if conditions != [f"Propagation {wanted.get('propagation', 'True')}"]:
            raise Differs(f"conditions {conditions}: {shown}")
        clusters = {c["name"]: c.get("status", "") for c in status.get("clusters", [])}
        wished = wanted.get("clusters", {name: "" for name in wanted.get("in", [])})
        if clusters != wished or len(status.get("clusters", [])) != len(wished):
            raise Differs(f"clusters {json.dumps(clusters)}: {shown}")
        if not wished and "clusters" in status:
            raise Differs(f"status has an empty list of clusters: {shown}")
        messages = wanted.get("messages", {})
        for cluster in status.get("clusters", []):
            if cluster["name"] in messages:
                if not same_text(messages[cluster["name"]], cluster.get("message", "")):
                    raise Differs(f"message of {cluster['name']}: {cluster.get('message')!r}")
            elif not cluster.get("status") and cluster.get("message"):
                raise Differs(f"a message without a status: {shown}")
        for c in status.get("conditions", []):
            if "condition_message" in wanted and c.get("message") != wanted["condition_message"]:
                raise Differs(f"message of the condition: {c.get('message')!r}")

    def look_at_members(self, wanted, kind, name):
        objects = wanted.get("objects", {})
        for cluster in CLUSTERS:
            if "in" not in wanted and cluster not in objects:
                continue
            status, document = SERVERS[cluster].call("GET", f"{KINDS[kind].format(ns=self.ns)}/{name}")
            if "in" in wanted and (cluster in wanted["in"]) != (status == 200):
                raise Differs(f"{kind} in {cluster}: {status}")
            if status == 200 and "in" in wanted and \
                    document["metadata"].get("labels", {}).get("kubefed.io/managed") != "true":
                raise Differs(f"{cluster}: labels {json.dumps(document['metadata'].get('labels'))}")
            if cluster in objects and objects[cluster] is None:
                if status != 404:
                    raise Differs(f"{kind} in {cluster}: {status}, wanted none")
            elif cluster in objects:
                found = contains(objects[cluster], document, cluster)
                if found:
                    raise Differs(found)

    def look_at_events(self, wanted, kind, name):
        federated = f"Federated{kind}"
        listed = self.must("GET", f"/api/v1/namespaces/{self.ns}/events")["items"]
        got = set()
        for event in listed:
            about = event["involvedObject"]
            if about["kind"] != federated or about["name"] != name:
                continue
            component = event.get("source", {}).get("component") or event.get("reportingComponent")
            if component != f"{federated.lower()}-controller":
                raise Differs(f"an event of {component}")
            got.add((event["type"], event["reason"], event["message"]))
        short = wanted.get("events", [f"creating {cluster}" for cluster in wanted.get("in", [])])
        for event in short:
            full = self.event_of(event, kind, name)
            match = [e for e in got if e[:2] == full[:2] and same_text(full[2], e[2])]
            if not match:
                raise Differs(f"no event {full}; there are {sorted(got)}")
            got -= set(match)
        if got:
            raise Differs(f"events that were not expected: {sorted(got)}")

    def event_of(self, short, kind, name):
        if isinstance(short, list):
            return tuple(short)
        work = f'{kind} "{name}"' if kind in ("Namespace", "ClusterRole") else f'{kind} "{self.ns}/{name}"'
        found = re.fullmatch(r"(creating|updating|deleting) (\S+)", short)
        if found:
            verb, cluster = found.groups()
            word = {"creating": "Create", "updating": "Update", "deleting": "Delete"}[verb]
            return "Normal", f"{word}InCluster", f'{verb.capitalize()} {work} in cluster "{cluster}"'
        found = re.fullmatch(r"failed to (create|update|delete) (\S+): (.*)", short, re.S)
        verb, cluster, why = found.groups()
        sentence = f'Failed to {verb} {work} in cluster "{cluster}": '
        message = f"~^{re.escape(sentence)}{why[1:]}" if why.startswith("~") else sentence + why
        return "Warning", f"{verb.capitalize()}InClusterFailed", message


def merged(defaults, case):
    out = copy.deepcopy(defaults)
    for key, value in case.items():
        if key == "spec" and isinstance(value, dict) and isinstance(out.get("spec"), dict):
            out["spec"].update(value)
        else:
            out[key] = value
    if "steps" in case and not any(key in case for key in ("spec", "in", "refused")):
        out.pop("spec", None)
    return out


def judge(case, number):
    begun = time.monotonic()
    title = f"{case['group']}, {case['case']}"
    if case.get("needs") and HUB.call("GET", case["needs"])[0] != 200:
        return f"ok {title} # SKIP this hub serves no {case['needs']}"
    try:
        one = Case(case, f"kf-{number}")
        one.run()
    except Exception as error:  # whatever goes wrong fails this case only
        why = str(error) if isinstance(error, Differs) else f"{type(error).__name__} {error}"
        why = why.replace("\n", " ")
        return f"not ok {title}: {why}"
    return f"ok {title} ({time.monotonic() - begun:.1f} s)"


def run_side_by_side(cases, lanes):
    todo = queue.SimpleQueue()
    lock = threading.Lock()
    for numbered in enumerate(cases):
        todo.put(numbered)

    def lane():
        while True:
            try:
                number, case = todo.get_nowait()
            except queue.Empty:
                return
            line = judge(case, case["number"])
            with lock:
                print(line, flush=True)

    threads = [threading.Thread(target=lane) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def load(folder, only):
    together, alone = [], []
    number = 0
    for path in sorted(glob.glob(f"{folder}/*.json")):
        with open(path) as file:
            table = json.load(file)
        for case in table["cases"]:
            number += 1
            one = merged(table.get("defaults", {}), case)
            one["group"], one["number"] = table["group"], number
            if only in f"{one['group']}, {one['case']}":
                (alone if table.get("alone") else together).append(one)
    return together, alone


parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--only", default="")
arguments = parser.parse_args()
HUB = Server("hub")
SERVERS = {name: Server(name) for name in CLUSTERS}
TOGETHER, ALONE = load(arguments.folder, arguments.only)
run_side_by_side(TOGETHER, LANES)
run_side_by_side(ALONE, 1)
print("# done", flush=True)
sys.exit(0)

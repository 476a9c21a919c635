#!/usr/bin/env python3
"""chaos.py - the history of chaos.sh and its judge.

Steps are changes of federated objects (templates, placements, overrides, deletions with and without orphans, labels of namespaces and
clusters, adoption of what is there), foreign hands in the members (every class of docs/drift.md), and the ends of processes.

Hub and members are spoken to over HTTPS with the kubeconfigs that chaos.sh wrote as JSON; processes are killed and started
through lib.sh. A `Model` computes from the objects stored on the hub what each member must hold; `Judge` waits until the
members do and everybody says so. Prints each step, and what differs when the end does not come.
"""
import argparse
import base64
import copy
import http.client
import json
import os
import random
import ssl
import subprocess
import sys
import tempfile
import time

FLEET = os.environ["FLEET"]
HERE = os.path.dirname(os.path.abspath(__file__))
CLUSTERS = ["cluster1", "cluster2"]
NAMESPACES = ["one", "two", "three"]  # besides "told", where changes are only reported
TYPES = "/apis/types.kubefed.io/v1beta1"
MANAGED = "kubefed.io/managed"
ORPHAN = "kubefed.io/orphan"
ENDS = 0.02  # of the steps end a process
UNKNOWN = object()  # a write whose answer was lost
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
NOTE = "chaos.example/note"  # an annotation of somebody else, which nobody may take away
FINALIZER = "chaos.example/slow"
BACKGROUND = "?propagationPolicy=Background"  # of a Job the API server's own choice is to wait for a collector
REPORT = {"fedlet.io/drift": "report"}

# federated plural -> kind, member path of the collection ({ns} where namespaced)
KINDS = {
    "federatedconfigmaps": ("ConfigMap", "/api/v1/namespaces/{ns}/configmaps"),
    "federateddeployments": ("Deployment", "/apis/apps/v1/namespaces/{ns}/deployments"),
    "federatedservices": ("Service", "/api/v1/namespaces/{ns}/services"),
    "federatedclusterroles": ("ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    "federatednamespaces": ("Namespace", "/api/v1/namespaces"),
    "federatedstatefulsets": ("StatefulSet", "/apis/apps/v1/namespaces/{ns}/statefulsets"),
    "federatedjobs": ("Job", "/apis/batch/v1/namespaces/{ns}/jobs"),
    "federatedwidgets": ("Widget", "/apis/chaos.example/v1/namespaces/{ns}/widgets"),
    "federatedcustomresourcedefinitions": (
        "CustomResourceDefinition", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
}
MEMBER_LISTS = [path.replace("namespaces/{ns}/", "") for _, path in KINDS.values()]
# Always everywhere: what it defines could not be held elsewhere. Foreign hands delete it, and all its objects go with it.
WIDGETS = ("federatedcustomresourcedefinitions", "", "widgets.chaos.example")


def say(text):
    print(f"{time.monotonic() - STARTED:7.2f} {text}", flush=True)


class Server:
    """One API server. A request gives (status, document); OSError when there is no answer."""

    def __init__(self, name):
        with open(f"{FLEET}/{name}.json") as file:
            config = json.load(file)
        self.name = name
        self.connection = None
        self.host = config["clusters"][0]["cluster"]["server"].split("//")[1]
        self.context = ssl.create_default_context(cadata=self.text(
            config["clusters"][0]["cluster"], "certificate-authority"))
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
            user = config["users"][0]["user"]
            pem.write(self.text(user, "client-certificate") + "\n" + self.text(user, "client-key"))
            pem.flush()
            self.context.load_cert_chain(pem.name)

    @staticmethod
    def text(holder, key):
        if key + "-data" in holder:
            return base64.b64decode(holder[key + "-data"]).decode()
        with open(holder[key]) as file:
            return file.read()

    def call(self, method, path, body=None, content_type="application/json"):
        """Over a connection that is kept. One that the server has given up meanwhile is no answer; only reading is tried again."""
        try:
            return self.ask(method, path, body, content_type)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if method != "GET":
                raise OSError(str(error)) from error
        try:
            return self.ask(method, path, body, content_type)
        except http.client.HTTPException as error:
            self.close()
            raise OSError(str(error)) from error

    def ask(self, method, path, body, content_type):
        if not self.connection:
            self.connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=20)
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                {"Content-Type": content_type, "Accept": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read() or b"{}"
        if not text.startswith(b"{"):  # of a kind that is not served, in plain words
            return answer.status, {"message": text.decode(errors="replace")}
        return answer.status, json.loads(text)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def items(self, path):
        status, document = self.call("GET", path)
        if status != 200:
            raise OSError(f"{path}: {status} {document.get('message')}")
        return document["items"]


def shell(script):
    subprocess.run(["bash", "-c", f"set -euo pipefail; source {HERE}/lib.sh; {script}"], check=True,
                   stdin=subprocess.DEVNULL)


# ---- the model ----

def matches(selector, labels):
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions") or []:
        has = rule["key"] in labels
        held = {"In": has and labels.get(rule["key"]) in rule.get("values", []),
                "NotIn": not has or labels.get(rule["key"]) not in rule.get("values", []),
                "Exists": has, "DoesNotExist": not has}[rule["operator"]]
        if not held:
            return False
    return True


def placed(spec, labels_of):
    """The clusters that a placement names; None when it says nothing."""
    placement = spec.get("placement") or {}
    if placement.get("clusters") is not None:
        return {c["name"] for c in placement["clusters"]} & set(labels_of)
    if placement.get("clusterSelector") is not None:
        return {name for name, labels in labels_of.items() if matches(placement["clusterSelector"], labels)}
    return None


def override(target, operation):
    """One operation in place: replace and add set, remove takes away, "-" appends."""
    parts = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")[1:]]
    for part in parts[:-1]:
        target = target[int(part)] if isinstance(target, list) else target[part]
    last = parts[-1]
    op = operation.get("op") or "replace"
    if isinstance(target, list):
        if op == "add":
            target.insert(len(target) if last == "-" else int(last), operation["value"])
        elif op == "remove":
            del target[int(last)]
        else:
            target[int(last)] = operation["value"]
    elif op == "remove":
        del target[last]
    else:
        target[last] = operation["value"]


class Model:
    """What the hub's objects ask for, from one look at all of them."""

    def __init__(self, hub):
        self.labels = {c["metadata"]["name"]: c["metadata"].get("labels") or {}
                       for c in hub.items("/apis/core.kubefed.io/v1beta1/kubefedclusters")}
        self.labelled = {n["metadata"]["name"] for n in hub.items("/api/v1/namespaces")
                         if (n["metadata"].get("labels") or {}).get("federated") == "true"}
        self.objects = {(plural, o["metadata"].get("namespace", ""), o["metadata"]["name"]): o
                        for plural in KINDS for o in hub.items(f"{TYPES}/{plural}")}
        self.expected = {name: {} for name in self.labels}  # cluster -> (kind, ns, name) -> object
        self.selected = {}  # federated key -> clusters
        for ns in NAMESPACES + ["told"]:
            for cluster in self.namespace_clusters(ns):
                federated = self.objects.get(("federatednamespaces", ns, ns), {"spec": {}})
                self.expect(cluster, "Namespace", "", ns, federated["spec"])
        for key, item in self.objects.items():
            self.selected[key] = self.clusters_of(key, item)
            if key[0] != "federatednamespaces":
                for cluster in self.selected[key]:
                    self.expect(cluster, KINDS[key[0]][0], key[1], key[2], item["spec"])

    def namespace_clusters(self, ns):
        federated = self.objects.get(("federatednamespaces", ns, ns))
        names = placed(federated["spec"], self.labels) if federated else None
        if names is not None:
            return names
        return set(self.labels) if ns in self.labelled else set()

    def clusters_of(self, key, item):
        plural, ns, _ = key
        if plural == "federatednamespaces":
            return self.namespace_clusters(ns)
        names = placed(item["spec"], self.labels)
        if not ns:
            return names or set()
        if names is None:
            names = set(self.labels) if ns in self.labelled else set()
        return names & self.namespace_clusters(ns)

    def is_federated(self, ns):
        return ns in self.labelled or ("federatednamespaces", ns, ns) in self.objects

    def expect(self, cluster, kind, ns, name, spec):
        target = copy.deepcopy(spec.get("template") or {})
        target.setdefault("metadata", {}).pop("annotations", None)  # as KubeFed has it
        for entry in spec.get("overrides") or []:
            if entry["clusterName"] == cluster:
                for operation in entry.get("clusterOverrides") or []:
                    override(target, copy.deepcopy(operation))
        target["metadata"].setdefault("labels", {})[MANAGED] = "true"
        self.expected[cluster][(kind, ns, name)] = target


def difference(want, have, path=""):
    """The first place where `have` lacks what `want` says; None when it has all of it."""
    if isinstance(want, dict):
        if not isinstance(have, dict):
            return f"{path}: {have!r} instead of a map"
        for key, value in want.items():
            found = difference(value, have.get(key), f"{path}/{key}")
            if found:
                return found
        return None
    if isinstance(want, list):
        if not isinstance(have, list) or len(have) != len(want):
            return f"{path}: {have!r} instead of {want!r}"
        for i, value in enumerate(want):
            found = difference(value, have[i], f"{path}/{i}")
            if found:
                return found
        return None
    return None if want == have else f"{path}: {have!r} instead of {want!r}"


# ---- the history ----

class History:
    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.hub = Server("hub")
        self.members = {name: Server(name) for name in CLUSTERS}
        self.down = set()      # members whose API server is stopped
        self.written = {}      # federated key -> spec that the hub acknowledged last, None deleted, UNKNOWN
        self.touched = set()   # (cluster, kind, ns, name) that foreign hands changed
        self.orphans = {}      # (cluster, kind, ns, name) -> True: must be there, None: may be
        self.decoys = {}       # (cluster, path) -> the object
        self.notes = {}        # (cluster, path) -> (uid, value of NOTE)
        self.pinned = set()    # (cluster, path) of objects with our finalizer
        self.disowned = set()  # (cluster, path) of objects labelled "false"
        self.told = {}         # (cluster, name) -> (uid, foreign value) of objects of which changes are only reported
        self.serial = 0

    # -- small choices --

    def name(self):
        return self.rnd.choice("abcdefghijkl")

    def placement(self):
        r = self.rnd
        return r.choice([
            {"clusters": [{"name": "cluster1"}, {"name": "cluster2"}]},
            {"clusters": [{"name": "cluster1"}, {"name": "cluster2"}]},
            {"clusters": [{"name": r.choice(CLUSTERS)}]},
            {"clusters": []},
            {"clusterSelector": {}},
            {"clusterSelector": {"matchLabels": {"region": r.choice(["north", "south"])}}},
            {"clusterSelector": {"matchExpressions": [
                {"key": "wave", "operator": r.choice(["Exists", "DoesNotExist"])}]}},
            {"clusterSelector": {"matchExpressions": [
                {"key": "region", "operator": r.choice(["In", "NotIn"]), "values": ["north", "west"]}]}},
            {},
        ])

    def overrides(self, plural):
        r = self.rnd
        self.serial += 1
        menu = {
            "federatedconfigmaps": [
                {"path": "/data/k", "value": f"o{self.serial}"},
                {"op": "add", "path": "/data/extra", "value": f"x{self.serial}"},
                {"op": "remove", "path": "/data/old"},
                {"op": "add", "path": "/metadata/annotations", "value": {"note": f"n{self.serial}"}}],
            "federateddeployments": [
                {"op": "replace", "path": "/spec/replicas", "value": r.randint(0, 5)},
                {"op": "add", "path": "/spec/template/spec/containers/-",
                 "value": {"name": "side", "image": "busybox:1"}},
                {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": f"nginx:o{self.serial}"}],
            "federatedservices": [{"path": "/spec/ports/0/port", "value": r.randint(1000, 1010)}],
            "federatedclusterroles": [{"op": "add", "path": "/rules/0/verbs/-", "value": "watch"}],
            "federatednamespaces": [{"op": "add", "path": "/metadata/labels", "value": {"o": f"v{self.serial}"}}],
            "federatedstatefulsets": [
                {"op": "replace", "path": "/spec/replicas", "value": r.randint(0, 5)},
                {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": f"redis:o{self.serial}"}],
            "federatedjobs": [
                {"op": "replace", "path": "/spec/parallelism", "value": r.randint(2, 6)},
                {"op": "add", "path": "/spec/activeDeadlineSeconds", "value": r.randint(1000, 2000)}],
            "federatedwidgets": [
                {"op": "replace", "path": "/spec/size", "value": r.randint(1, 99)},
                {"op": "add", "path": "/spec/colour", "value": f"c{self.serial}"},
                {"op": "add", "path": "/spec/parts/-", "value": f"p{self.serial}"}],
        }[plural]
        return [{"clusterName": cluster, "clusterOverrides": r.sample(menu, r.randint(1, len(menu)))}
                for cluster in CLUSTERS if r.random() < 0.4]

    def template(self, plural, name):
        r = self.rnd
        self.serial += 1
        if plural == "federatedconfigmaps":
            data = {"k": f"v{self.serial}", "old": "x"}
            if r.random() < 0.2:
                data["big"] = "".join(r.choice("0123456789abcdef") for _ in range(r.choice([100, 3000, 40000])))
            return {"data": data}
        if plural == "federateddeployments":
            labels = {"app": name}
            return {"metadata": {"labels": labels}, "spec": {
                "replicas": r.randint(0, 3), "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels},
                             "spec": {"containers": [{"name": "main", "image": f"nginx:{self.serial}",
                                                      "ports": [{"name": "http", "containerPort": r.randint(8000, 8010)}]}]}}}}
        if plural == "federatedservices":
            return {"spec": {"selector": {"app": name}, "ports": [{"name": "p", "port": r.randint(80, 90)}]}}
        if plural == "federatedclusterroles":
            return {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"][:r.randint(1, 2)]}]}
        labels = {"app": name}
        if plural == "federatedstatefulsets":
            return {"metadata": {"labels": labels}, "spec": {
                "replicas": r.randint(0, 3), "serviceName": name, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels},
                             "spec": {"containers": [{"name": "main", "image": f"redis:{self.serial}"}]}}}}
        if plural == "federatedjobs":  # its pods' template may not change
            return {"metadata": {"labels": labels}, "spec": {
                "parallelism": r.randint(2, 6), "suspend": True,
                "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox:1"}]}}}}
        if plural == "federatedwidgets":
            return {"metadata": {"labels": labels}, "spec": {"size": r.randint(1, 99), "parts": [f"p{self.serial}"]}}
        if plural == WIDGETS[0]:
            with open(f"{FLEET}/widgets.json") as file:
                return {"metadata": {"labels": {"team": f"t{self.serial}"}}, "spec": json.load(file)["spec"]}
        return {"metadata": {"labels": {"team": f"t{self.serial}"}}}

    # -- writing to the hub --

    def write(self, method, path, key, spec, body=None, content_type="application/json"):
        """Notes what the hub acknowledged; a lost answer leaves two possible truths."""
        try:
            status, document = self.hub.call(method, path, body, content_type)
        except OSError as error:
            self.written[key] = UNKNOWN
            say(f"    no answer: {error}")
            return 0
        if status in (200, 201):
            # What is being deleted may still be changed, and goes all the same.
            going = method == "DELETE" or "deletionTimestamp" in document["metadata"]
            self.written[key] = None if going else copy.deepcopy(document["spec"])
        elif status not in (404, 409):
            raise SystemExit(f"{method} {path}: {status} {document.get('message')}")
        what = f"{path} {key[2]}" if method == "POST" else path
        say(f"    {method} {what} {json.dumps(spec)[:160]}: {status}")
        return status

    def federated(self):
        plural = self.rnd.choice(["federatedconfigmaps"] * 4 + ["federateddeployments"] * 2 +
                                 ["federatedstatefulsets"] * 2 + ["federatedjobs"] * 2 + ["federatedwidgets"] * 2 +
                                 ["federatedservices", "federatedclusterroles"])
        ns = "" if plural == "federatedclusterroles" else self.rnd.choice(NAMESPACES)
        return plural, ns, self.name() if ns else "chaos-" + self.name()

    @staticmethod
    def path(key, named=True):
        plural, ns, name = key
        return f"{TYPES}{'/namespaces/' + ns if ns else ''}/{plural}{'/' + name if named else ''}"

    def spec(self, key):
        spec = {"template": self.template(key[0], key[2])}
        placement = self.placement()
        if placement or self.rnd.random() < 0.5:
            spec["placement"] = placement
        if self.rnd.random() < 0.5:
            spec["overrides"] = self.overrides(key[0])
        return spec

    def put(self, key):
        """Creates the object or replaces its spec."""
        spec = self.spec(key)
        if key[0] == "federatednamespaces":
            self.forget_orphans(key[1])
        # What was left is taken up again, and may go with the object that does so.
        for place in self.orphans:
            if place[1:] == (KINDS[key[0]][0], key[1] if key[0] != "federatednamespaces" else "", key[2]):
                self.orphans[place] = None
        body = {"apiVersion": "types.kubefed.io/v1beta1", "kind": "Federated" + KINDS[key[0]][0],
                "metadata": {"name": key[2], **({"namespace": key[1]} if key[1] else {})}, "spec": spec}
        if self.write("POST", self.path(key, False), key, spec, body) == 409:
            patch = {"spec": {"template": None, "placement": None, "overrides": None}}
            patch["spec"].update(spec)
            if isinstance(spec.get("placement"), dict):
                patch["spec"]["placement"] = {"clusters": None, "clusterSelector": None, **spec["placement"]}
            self.write("PATCH", self.path(key), key, spec, patch, MERGE)

    def patch(self, key):
        spec = self.rnd.choice([
            {"placement": {"clusters": None, "clusterSelector": None, **self.placement()}},
            {"overrides": self.overrides(key[0])},
            {"template": self.template(key[0], key[2])}])
        if key[0] == "federatednamespaces" and "placement" in spec:
            self.forget_orphans(key[1])
        self.write("PATCH", self.path(key), key, spec, {"spec": spec}, MERGE)

    def delete(self, key):
        orphan = self.rnd.random() < 0.35
        kind, ns = KINDS[key[0]][0], key[1] if key[0] != "federatednamespaces" else ""
        there = {c for c in CLUSTERS if orphan and self.is_in_place(c, key)}
        if orphan:
            self.write("PATCH", self.path(key), key, {ORPHAN: "true"},
                       {"metadata": {"annotations": {ORPHAN: "true"}}}, MERGE)
        status = self.write("DELETE", self.path(key), key, {"orphan": orphan})
        if key[0] == "federatednamespaces" and not orphan:
            self.forget_orphans(key[1])
        if status == 200 and orphan:
            for cluster in CLUSTERS:
                self.orphans[(cluster, kind, ns, key[2])] = True if cluster in there else None
        elif orphan:
            for cluster in CLUSTERS:
                self.orphans[(cluster, kind, ns, key[2])] = None

    def is_in_place(self, cluster, key):
        """The object is wanted in the cluster, and is there in its newest form: letting go of it must leave it."""
        try:
            model = Model(self.hub)
            ns = key[1] if key[0] != "federatednamespaces" else ""
            wanted = model.expected[cluster].get((KINDS[key[0]][0], ns, key[2]))
            status, have = self.members[cluster].call("GET", self.member_path(key))
            calm = not ns or (("Namespace", "", ns) in model.expected[cluster] and self.namespace_stays(cluster, ns, model))
            return bool(wanted and calm and status == 200 and "deletionTimestamp" not in have["metadata"] and
                        cluster in model.selected.get(key, ()) and not difference(wanted, have))
        except OSError:
            return False

    def namespace_stays(self, cluster, ns, model):
        """No removal of the namespace is under way, which would take with it whatever lies in there."""
        federated = model.objects.get(("federatednamespaces", ns, ns))
        status = (federated or {}).get("status") or {}
        if federated and status.get("observedGeneration") != federated["metadata"]["generation"]:
            return False
        if federated and not any(c["name"] == cluster and not c.get("status") for c in status.get("clusters") or []):
            return False
        answer, have = self.members[cluster].call("GET", f"/api/v1/namespaces/{ns}")
        return answer == 200 and "deletionTimestamp" not in have["metadata"]

    def forget_orphans(self, ns):
        """Objects go with their namespace, and whether it went is a matter of time."""
        for place in self.orphans:
            if place[2] == ns or (place[1] == "Namespace" and place[3] == ns):
                self.orphans[place] = None

    @staticmethod
    def member_path(key):
        return KINDS[key[0]][1].format(ns=key[1]) + "/" + key[2]

    # -- steps --

    def step_put(self):
        self.put(self.federated())

    def existing(self, fixed=False):
        """fixed: also what the hub's side only changes."""
        known = sorted(k for k, v in self.written.items() if v is not None and k[1] != "told" and (fixed or k != WIDGETS))
        return self.rnd.choice(known) if known else self.federated()

    def step_patch(self):
        self.patch(self.existing())

    def step_delete(self):
        self.delete(self.existing())

    def step_namespace(self):
        ns = self.rnd.choice(NAMESPACES)
        key = ("federatednamespaces", ns, ns)
        self.rnd.choice([self.put, self.put, self.patch, self.delete])(key)

    def step_label_namespace(self):
        ns = self.rnd.choice(NAMESPACES)
        value = self.rnd.choice(["true", "true", None])
        self.forget_orphans(ns)
        try:
            status, _ = self.hub.call("PATCH", f"/api/v1/namespaces/{ns}",
                                      {"metadata": {"labels": {"federated": value}}}, MERGE)
            say(f"    namespace {ns} federated={value}: {status}")
        except OSError as error:
            say(f"    no answer: {error}")

    def step_label_cluster(self):
        cluster = self.rnd.choice(CLUSTERS)
        labels = self.rnd.choice([{"wave": "first"}, {"wave": None}, {"region": "north"}, {"region": "south"}])
        if "region" in labels:
            for ns in NAMESPACES:
                self.forget_orphans(ns)
        if "wave" in labels:
            for ns in NAMESPACES:
                self.forget_orphans(ns)
        try:
            status, _ = self.hub.call(
                "PATCH", "/apis/core.kubefed.io/v1beta1/namespaces/kube-federation-system/kubefedclusters/" + cluster,
                {"metadata": {"labels": labels}}, MERGE)
            say(f"    {cluster} {labels}: {status}")
        except OSError as error:
            say(f"    no answer: {error}")

    def foreign(self, cluster, method, path, body=None, content_type=MERGE):
        """The status and what came; (0, {}) without an answer."""
        try:
            status, document = self.members[cluster].call(method, path, body, content_type)
            say(f"    {cluster} {method} {path} {json.dumps(body)[:160]}: {status}")
            return status, document
        except OSError as error:
            say(f"    {cluster} no answer: {error}")
            return 0, {}

    def step_definition(self):
        self.write("PATCH", self.path(WIDGETS), WIDGETS, {}, {"spec": {"template": self.template(WIDGETS[0], "")}}, MERGE)

    def victim(self):
        """A managed object in a member: its cluster, place and path; None when there is nothing to be touched."""
        key = WIDGETS if self.rnd.random() < 0.03 else self.existing(True)
        kind = KINDS[key[0]][0]
        ns = key[1] if key[0] != "federatednamespaces" else ""
        if any((c, kind, ns, key[2]) in self.orphans for c in CLUSTERS):
            return None
        return self.rnd.choice(CLUSTERS), key, (kind, ns, key[2]), self.member_path(key)

    def step_foreign(self):
        found = self.victim()
        if not found:
            return
        cluster, key, place, path = found
        kind = place[0]
        hands = [self.hand_edit] * 4 + [self.hand_label] * 2 + [self.hand_delete] * 2 + [
            self.hand_take_away, self.hand_force, self.hand_note, self.hand_note]
        if kind in ("Deployment", "StatefulSet"):
            hands += [self.hand_scale, self.hand_restart, self.hand_status]
        # Whoever makes an object, and all whose managedFields were cleared, keep a share of its fields: items of lists that leave
        # the template then stay. So these two are for objects without such lists; the one port of a Service has always the same
        # name, and gives way.
        if kind in ("ConfigMap", "ClusterRole", "Namespace", "Service"):
            hands += [self.hand_clear]
        if kind in ("Service", "Deployment"):
            hands += [self.hand_renumber] * 2 + [self.hand_share]
        if kind == "ConfigMap":
            hands += [self.hand_replace]
        if kind not in ("Namespace", "ClusterRole", "CustomResourceDefinition"):
            hands += [self.hand_pin, self.hand_disown]
        if self.rnd.choice(hands)(cluster, path, place, key):
            self.touched.add((cluster, *place))

    # Each gives whether the object may have more than was asked for since.

    def hand_edit(self, cluster, path, place, _):
        self.serial += 1
        body = {"ConfigMap": {"data": {"k": f"foreign{self.serial}", "theirs": "y"}},
                "Deployment": {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": f"evil:{self.serial}"}]}}}},
                "Service": {"spec": {"selector": {"app": f"foreign{self.serial}"}}},
                "ClusterRole": {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
                "Namespace": {"metadata": {"labels": {"team": f"foreign{self.serial}"}}},
                "StatefulSet": {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": f"evil:{self.serial}"}]}}}},
                "Job": {"spec": {"parallelism": 100 + self.serial}},
                "Widget": {"spec": {"size": 100 + self.serial, "parts": ["theirs"]}},
                "CustomResourceDefinition": {"metadata": {"labels": {"team": f"foreign{self.serial}"}}}}[place[0]]
        content_type = "application/strategic-merge-patch+json" if place[0] in ("Deployment", "StatefulSet") else MERGE
        return self.foreign(cluster, "PATCH", path, body, content_type)[0] == 200

    def hand_label(self, cluster, path, *_):
        value = self.rnd.choice([None, None, "maybe", "True"])
        return self.foreign(cluster, "PATCH", path, {"metadata": {"labels": {MANAGED: value}}})[0] == 200

    def hand_delete(self, cluster, path, place, key):
        if place[0] == "Namespace":
            self.forget_orphans(key[1])
        if key == WIDGETS:
            for orphan in self.orphans:
                if orphan[1] == "Widget":
                    self.orphans[orphan] = None
        return self.foreign(cluster, "DELETE", path + BACKGROUND)[0] == 200

    def hand_take_away(self, cluster, path, place, _):
        what = {"ConfigMap": "/data/k", "Deployment": "/metadata/labels/app", "Service": "/spec/selector/app",
                "ClusterRole": "/rules/0/verbs/0", "Namespace": "/metadata/labels/team", "StatefulSet": "/metadata/labels/app",
                "Job": "/spec/parallelism", "Widget": "/spec/size",
                "CustomResourceDefinition": "/metadata/labels/team"}[place[0]]
        return self.foreign(cluster, "PATCH", path, [{"op": "remove", "path": what}], JSON_PATCH)[0] == 200

    def hand_force(self, cluster, path, place, _):
        self.serial += 1
        api, spec = {"ConfigMap": ("v1", {"data": {"k": f"rival{self.serial}"}}),
                     "Deployment": ("apps/v1", {"spec": {"replicas": 9}}),
                     "Service": ("v1", {"spec": {"selector": {"app": "rival"}}}),
                     "ClusterRole": ("rbac.authorization.k8s.io/v1", {"rules": []}),
                     "Namespace": ("v1", {"metadata": {"labels": {"team": "rival"}}}),
                     "StatefulSet": ("apps/v1", {"spec": {"replicas": 9}}),
                     "Job": ("batch/v1", {"spec": {"parallelism": 99}}),
                     "Widget": ("chaos.example/v1", {"spec": {"size": 999}}),
                     "CustomResourceDefinition": (
                         "apiextensions.k8s.io/v1", {"metadata": {"labels": {"team": "rival"}}})}[place[0]]
        try:  # an apply would make what is not there
            if self.members[cluster].call("GET", path)[0] != 200:
                return False
        except OSError:
            return False
        body = {"apiVersion": api, "kind": place[0], **spec}
        body["metadata"] = {**spec.get("metadata", {}), "name": place[2], **({"namespace": place[1]} if place[1] else {})}
        status, made = self.foreign(cluster, "PATCH", path + "?fieldManager=rival&force=true", body, APPLY)
        if status == 201:  # it went meanwhile: then it is a stranger's
            self.foreign(cluster, "DELETE", path + BACKGROUND)
        return status == 200

    def hand_renumber(self, cluster, path, place, _):
        where = {"Service": "/spec/ports/0/port", "Deployment": "/spec/template/spec/containers/0/ports/0/containerPort"}[place[0]]
        body = [{"op": "replace", "path": where, "value": self.rnd.randint(8000, 8020)}]
        return self.foreign(cluster, "PATCH", path, body, JSON_PATCH)[0] == 200

    def hand_share(self, cluster, path, place, _):
        """Somebody else wants the port as well as it is now."""
        try:
            status, have = self.members[cluster].call("GET", path)
            if status != 200:
                return False
        except OSError:
            return False
        body = {"apiVersion": have["apiVersion"], "kind": place[0],
                "metadata": {"name": place[2], "namespace": place[1], "uid": have["metadata"]["uid"]}}
        if place[0] == "Service":
            body["spec"] = {"ports": [{key: port[key] for key in ("name", "port", "protocol")} for port in have["spec"]["ports"]]}
        else:
            main = have["spec"]["template"]["spec"]["containers"][0]
            body["spec"] = {"template": {"spec": {"containers": [{"name": main["name"], "ports": main["ports"]}]}}}
        return self.foreign(cluster, "PATCH", path + "?fieldManager=sharer&force=true", body, APPLY)[0] == 200

    def hand_clear(self, cluster, path, *_):
        return self.foreign(cluster, "PATCH", path, [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}],
                            JSON_PATCH)[0] == 200

    def hand_note(self, cluster, path, *_):
        self.serial += 1
        status, made = self.foreign(cluster, "PATCH", path, {"metadata": {"annotations": {NOTE: f"n{self.serial}"}}})
        if status == 200:
            self.notes[(cluster, path)] = (made["metadata"]["uid"], f"n{self.serial}")
        return status == 200

    def hand_scale(self, cluster, path, *_):
        return self.foreign(cluster, "PATCH", path + "/scale", {"spec": {"replicas": self.rnd.randint(0, 9)}})[0] == 200

    def hand_restart(self, cluster, path, *_):
        self.serial += 1
        body = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": f"t{self.serial}"}}}}}
        return self.foreign(cluster, "PATCH", path, body)[0] == 200

    def hand_status(self, cluster, path, *_):
        return self.foreign(cluster, "PATCH", path + "/status", {"status": {"observedGeneration": 1}})[0] == 200

    def hand_replace(self, cluster, path, place, _):
        """Another object of that name, with or without the label."""
        if self.foreign(cluster, "DELETE", path)[0] != 200:
            return False
        self.serial += 1
        labels = {MANAGED: "true"} if self.rnd.random() < 0.5 else {}
        self.foreign(cluster, "POST", path.rsplit("/", 1)[0], {"metadata": {"name": place[2], "labels": labels},
                                                               "data": {"k": f"other{self.serial}"}}, "application/json")
        return True

    def hand_pin(self, cluster, path, *_):
        """Deleted, and kept by a finalizer until somebody takes that off."""
        if self.foreign(cluster, "PATCH", path, {"metadata": {"finalizers": [FINALIZER]}})[0] == 200:
            self.pinned.add((cluster, path))
            self.foreign(cluster, "DELETE", path + BACKGROUND)
        return True

    def hand_disown(self, cluster, path, *_):
        if self.foreign(cluster, "PATCH", path, {"metadata": {"labels": {MANAGED: "false"}}})[0] == 200:
            self.disowned.add((cluster, path))
        return True

    def step_release(self):
        for cluster, path in sorted(self.pinned):
            status, _ = self.foreign(cluster, "PATCH", path, {"metadata": {"finalizers": None}})
            if status in (200, 404, 422):
                self.pinned.discard((cluster, path))
        for cluster, path in sorted(self.disowned):
            body = [{"op": "test", "path": "/metadata/labels/kubefed.io~1managed", "value": "false"},
                    {"op": "replace", "path": "/metadata/labels/kubefed.io~1managed", "value": "true"}]
            if self.foreign(cluster, "PATCH", path, body, JSON_PATCH)[0] in (200, 404, 422):
                self.disowned.discard((cluster, path))

    def step_stray(self):
        """With the managed label and of no work: loses the label and stays."""
        self.serial += 1
        cluster, name = self.rnd.choice(CLUSTERS), f"stray-{self.serial}"
        collection, document = self.rnd.choice([
            ("/api/v1/namespaces/private/configmaps", {"data": {"k": "mine"}}),
            ("/api/v1/namespaces/default/secrets", {"data": {"k": "bWluZQ=="}}),
            ("/apis/rbac.authorization.k8s.io/v1/clusterroles", {"rules": []})])
        document["metadata"] = {"name": name, "labels": {MANAGED: "true", "own": "yes"}}
        status, made = self.foreign(cluster, "POST", collection, document, "application/json")
        if status == 201:
            made["metadata"]["labels"] = {"own": "yes"}
            self.decoys[(cluster, f"{collection}/{name}")] = made

    def step_adopt(self):
        """Something is there before it is federated."""
        key = self.federated()
        kind = KINDS[key[0]][0]
        before = {"ConfigMap": {"data": {"k": "before", "own": "y"}}, "Service": {"spec": {"ports": [{"name": "p", "port": 79}]}}}
        if kind not in before or self.written.get(key) is not None or \
                any((c, kind, key[1], key[2]) in self.orphans for c in CLUSTERS):
            return
        cluster = self.rnd.choice(CLUSTERS)
        path = self.member_path(key)
        status, _ = self.foreign(cluster, "POST", path.rsplit("/", 1)[0],
                                 {"metadata": {"name": key[2]}, **before[kind]}, "application/json")
        if status == 201:
            self.touched.add((cluster, kind, key[1], key[2]))
            self.put(key)

    # -- what is only reported --

    def told_key(self, name):
        return ("federatedconfigmaps", "told", name)

    def told_spec(self, annotations):
        self.serial += 1
        return {"template": {"metadata": {"annotations": annotations}, "data": {"k": f"v{self.serial}"}},
                "placement": {"clusters": [{"name": c} for c in CLUSTERS]}}

    def step_told(self):
        name = self.rnd.choice(["t1", "t2", "t3", "t4"])
        key, cluster = self.told_key(name), self.rnd.choice(CLUSTERS)
        path = self.member_path(key)
        if self.rnd.random() < 0.3:
            for c in CLUSTERS:
                self.told.pop((c, name), None)
            self.write("PATCH", self.path(key), key, {}, {"spec": self.told_spec(REPORT)}, MERGE)
            return
        if not self.is_in_place(cluster, key):
            return
        self.serial += 1
        status, made = self.foreign(cluster, "PATCH", path, {"data": {"k": f"foreign{self.serial}"}})
        if status == 200:
            self.told[(cluster, name)] = (made["metadata"]["uid"], f"foreign{self.serial}")

    def told_complaints(self):
        for (cluster, name), (uid, value) in sorted(self.told.items()):
            key = self.told_key(name)
            status, have = self.members[cluster].call("GET", self.member_path(key))
            if status != 200 or have["metadata"]["uid"] != uid or have["data"].get("k") != value:
                yield f"{cluster}: told/{name} was put back, and is only to be reported: {json.dumps(have)[:300]}"
            _, item = self.hub.call("GET", self.path(key))
            says = [c.get("message", "") for c in (item.get("status") or {}).get("clusters", []) if c["name"] == cluster]
            if not says or value not in says[0] and "data.k is set by" not in says[0]:
                yield f"hub: told/{name} does not say what {cluster} has: {says}"

    def end_told(self, limit_s):
        """What is only reported is still there, and said; then all of it is to be put right."""
        end = time.monotonic() + limit_s
        while True:
            try:
                found = list(self.told_complaints())
            except OSError as error:
                found = [str(error)]
            if not found or time.monotonic() > end:
                break
            time.sleep(0.5)
        for name in ("t1", "t2", "t3", "t4"):
            key = self.told_key(name)
            self.write("PATCH", self.path(key), key, {}, {"spec": self.told_spec(None)}, MERGE)
        return found

    def step_kill(self):
        who = self.rnd.choice(["hub", "hub", "cluster1", "cluster2"])
        signal = self.rnd.choice(["KILL", "KILL", "TERM"])
        pause = self.rnd.choice([0, 0, 0.5, 2])
        say(f"    {signal} {who}, {pause} s")
        stop, start = ("hub_stop", "hub_start") if who == "hub" else (f"agent_stop {who}", f"agent_start {who}")
        shell(f"{stop} {signal}; sleep {pause}; {start}")
        self.hub.close()

    def step_api_server(self):
        if self.down:
            return self.api_servers_up()
        cluster = self.rnd.choice(CLUSTERS)
        kill = self.rnd.choice(["--kill", ""])
        say(f"    {cluster}: API server stops {kill}")
        shell(f'"$KUBE" stop --dir "$FLEET/{cluster}/kube" apiserver {kill} >/dev/null')
        self.down.add(cluster)
        self.members[cluster].close()
        return None

    def api_servers_up(self):
        for cluster in sorted(self.down):
            say(f"    {cluster}: API server starts")
            shell(f'"$KUBE" start --dir "$FLEET/{cluster}/kube" apiserver >/dev/null')
        self.down.clear()

    def prepare(self):
        for ns in NAMESPACES:
            self.hub.call("POST", "/api/v1/namespaces", {"metadata": {"name": ns}})
            if ns != "three":
                key = ("federatednamespaces", ns, ns)
                self.write("POST", self.path(key, False), key, {}, {
                    "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedNamespace",
                    "metadata": {"name": ns, "namespace": ns},
                    "spec": {"placement": {"clusters": [{"name": c} for c in CLUSTERS]}}})
        self.serial += 1
        self.write("POST", self.path(WIDGETS, False), WIDGETS, {}, {
            "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedCustomResourceDefinition",
            "metadata": {"name": WIDGETS[2]},
            "spec": {"template": self.template(WIDGETS[0], ""), "placement": {"clusterSelector": {}}}})
        self.hub.call("POST", "/api/v1/namespaces", {"metadata": {"name": "told"}})
        key = ("federatednamespaces", "told", "told")
        self.write("POST", self.path(key, False), key, {}, {
            "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedNamespace", "metadata": {"name": "told", "namespace": "told"},
            "spec": {"placement": {"clusters": [{"name": c} for c in CLUSTERS]}}})
        for name in ("t1", "t2", "t3", "t4"):
            key = self.told_key(name)
            self.write("POST", self.path(key, False), key, {}, {
                "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedConfigMap",
                "metadata": {"name": name, "namespace": "told"}, "spec": self.told_spec(REPORT)})
        for cluster, member in self.members.items():
            for collection, document in (
                    ("/api/v1/namespaces", {"metadata": {"name": "private"}}),
                    ("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "a"}, "data": {"k": "mine"}}),
                    ("/api/v1/namespaces/private/configmaps", {"metadata": {"name": "b"}, "data": {"k": "mine"}}),
                    ("/apis/rbac.authorization.k8s.io/v1/clusterroles",
                     {"metadata": {"name": "private-a"}, "rules": []})):
                status, made = member.call("POST", collection, document)
                if status != 201:
                    raise SystemExit(f"{cluster}: {collection}: {status} {made.get('message')}")
                self.decoys[(cluster, f"{collection}/{document['metadata']['name']}")] = made

    def run(self, steps):
        menu = ([self.step_put] * 14 + [self.step_patch] * 10 + [self.step_delete] * 6 + [self.step_namespace] * 2 +
                [self.step_label_namespace] + [self.step_label_cluster] + [self.step_foreign] * 32 + [self.step_told] * 4 +
                [self.step_stray] * 2 + [self.step_definition] + [self.step_adopt] * 3 + [self.step_release] * 2)
        ends = [self.step_kill] * 5 + [self.step_api_server] * 2
        self.prepare()
        for i in range(steps):
            step = self.rnd.choice(ends if self.rnd.random() < ENDS else menu)
            say(f"step {i} {step.__name__[5:]}")
            step()
            time.sleep(self.rnd.choice([0] * 12 + [0.02, 0.05, 0.3]))
        self.api_servers_up()
        while self.pinned or self.disowned:
            self.step_release()


# ---- the judgement ----

class Judge:
    def __init__(self, history):
        self.history = history

    def agents(self):
        for cluster in CLUSTERS:
            done = subprocess.run([os.environ["BIN"] + "/fedlet", "status", "--state-dir",
                                   f"{FLEET}/{cluster}/state", "-o", "json"], capture_output=True, check=False)
            if done.returncode:
                yield f"{cluster}: fedlet status: {done.stderr.decode()}"
                continue
            status = json.loads(done.stdout)
            works = status["works"]
            if not status["connected"] or works["pending"] or works["failed"] or works["applied"] != works["total"]:
                yield f"{cluster}: {json.dumps(status)}"

    def hub(self, model):
        """What the hub stores and says of its objects."""
        history = self.history
        for key, spec in history.written.items():
            found = model.objects.get(key)
            if spec is None and found:
                yield f"hub: {key} was deleted and is there: {json.dumps(found)}"
            elif spec is not None and spec is not UNKNOWN and not found:
                yield f"hub: {key} was acknowledged and is gone"
            elif spec not in (None, UNKNOWN) and found["spec"] != spec:
                yield f"hub: {key} is {json.dumps(found['spec'])}, acknowledged was {json.dumps(spec)}"
        for key, item in model.objects.items():
            if "deletionTimestamp" in item["metadata"]:
                yield f"hub: {key} is still being deleted: {json.dumps(item.get('status'))}"
                continue
            want = ("True", "")
            if key[1] and key[0] != "federatednamespaces" and not model.is_federated(key[1]):
                want = ("False", "NamespaceNotFederated")
            status = item.get("status") or {}
            have = [(c["status"], c.get("reason", "")) for c in status.get("conditions", [])]
            if have != [want]:
                yield f"hub: {key} says {have}, not {want}: {json.dumps(status)}"
            names = {c["name"] for c in status.get("clusters", [])}
            if names != model.selected[key]:
                yield f"hub: {key} lists {sorted(names)}, selected are {sorted(model.selected[key])}"

    def member(self, cluster, model):
        server = self.history.members[cluster]
        expected = dict(model.expected[cluster])
        found = {}
        for path in MEMBER_LISTS:
            kind = next(k for k, p in KINDS.values() if p.endswith("/" + path.rsplit("/", 1)[1]))
            for item in server.items(path):
                found[(kind, item["metadata"].get("namespace", ""), item["metadata"]["name"])] = item
        for place, want in expected.items():
            have = found.get(place)
            if not have or "deletionTimestamp" in have["metadata"]:
                yield f"{cluster}: {place} is {'going' if have else 'missing'}"
                continue
            wrong = difference(want, have)
            if not wrong and place[0] == "ConfigMap" and (cluster, *place) not in self.history.touched and \
                    (cluster, *place) not in self.history.orphans and have.get("data") != want.get("data"):
                wrong = f"data {have.get('data')!r}"[:300]
            if wrong:
                yield f"{cluster}: {place}: {wrong}"
        for place, have in found.items():
            # Another value is somebody else's label on somebody else's object.
            if (have["metadata"].get("labels") or {}).get(MANAGED) == "true" and place not in expected:
                yield f"{cluster}: {place} is managed and nobody asks for it"
        for (where, path), (uid, value) in self.history.notes.items():
            if where != cluster:
                continue
            status, have = server.call("GET", path)
            if status == 200 and have["metadata"]["uid"] == uid and \
                    (have["metadata"].get("annotations") or {}).get(NOTE) != value:
                yield f"{cluster}: {path}: somebody else's annotation went: {json.dumps(have['metadata'])[:300]}"
        for (where, *place), must in self.history.orphans.items():
            place = tuple(place)
            if where == cluster and must and place not in expected and place not in found:
                yield f"{cluster}: {place} was to be left and is gone"
        for (where, path), made in self.history.decoys.items():
            if where != cluster:
                continue
            status, have = server.call("GET", path)
            if status != 200:
                yield f"{cluster}: {path} was none of ours and answers {status}"
            elif made["metadata"]["uid"] != have["metadata"]["uid"] or made.get("data") != have.get("data") or \
                    made["metadata"].get("labels") != have["metadata"].get("labels"):
                yield f"{cluster}: {path} was none of ours and changed: {json.dumps(have)}"

    def complaints(self):
        try:
            model = Model(self.history.hub)
            found = list(self.agents()) + list(self.hub(model))
            for cluster in CLUSTERS:
                found += list(self.member(cluster, model))
            return found
        except OSError as error:
            return [str(error)]

    def wait(self, limit_s):
        """The end must come, and must stay: a second look after a while finds the same."""
        end = time.monotonic() + limit_s
        calm = 0
        while calm < 2:
            found = self.complaints()
            calm = 0 if found else calm + 1
            if found and time.monotonic() > end:
                return found
            time.sleep(1)
        return []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--settle", type=int, required=True)
    options = parser.parse_args()
    history = History(options.seed)
    history.run(options.steps)
    say("what is only reported")
    told = history.end_told(60)
    say("waiting for the end")
    found = told + Judge(history).wait(options.settle)
    for line in found:
        say(line)
    say(f"seed {options.seed}: {len(found)} differences")
    return 1 if found else 0


STARTED = time.monotonic()
if __name__ == "__main__":
    sys.exit(main())

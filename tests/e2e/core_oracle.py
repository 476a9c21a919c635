#!/usr/bin/env python3
"""core_oracle.py - the hub's core kinds next to a real kube-apiserver, request by request.

Scripted requests (what is refused, and in which words; defaults; both event APIs; tables) and seeded random strategic merge
patches go to both servers. Code, object and Status must be the same but for names that servers make up (uid, versions, times).

    build/kube up --dir /tmp/oracle
    tests/e2e/core_oracle.py --kube /tmp/oracle/admin.kubeconfig --hub HUB_DIR/admin.kubeconfig [--seed N] [--patches N]

Prints TAP. Exit codes: 0 no difference, 1 differences."""
import argparse
import base64
import json
import random
import re
import ssl
import sys
import tempfile
import urllib.error
import urllib.request

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
NS = "oracle"


class Server:
    def __init__(self, kubeconfig):
        text = open(kubeconfig, encoding="utf-8").read()
        self.url = re.search(r"server: *\"?([^\s\"]+)", text).group(1)
        self.context = ssl.create_default_context(cadata=self.value(text, "certificate-authority").decode())
        self.context.check_hostname = False
        with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
            pem.write(self.value(text, "client-certificate") + b"\n" + self.value(text, "client-key"))
            pem.flush()
            self.context.load_cert_chain(pem.name)

    @staticmethod
    def value(text, key):
        data = re.search(key + r"-data: *\"?([A-Za-z0-9+/=]+)", text)
        if data:
            return base64.b64decode(data.group(1))
        with open(re.search(key + r": *\"?([^\s\"]+)", text).group(1), "rb") as file:
            return file.read()

    def __call__(self, method, path, body=None, kind="application/json", accept="application/json"):
        headers = {"Accept": accept, "User-Agent": "oracle/1"}
        data = None
        if body is not None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            headers["Content-Type"] = kind
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
                code, text, warnings = answer.status, answer.read(), answer.headers.get_all("Warning") or []
        except urllib.error.HTTPError as error:
            code, text, warnings = error.code, error.read(), []
        try:
            return code, json.loads(text), warnings
        except ValueError:
            return code, text.decode("utf-8", "replace"), warnings


# ---- what servers may differ in ----
MADE_UP = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "lastTransitionTime"}


def plain(value, key=""):
    if isinstance(value, dict):
        if value.get("kind") == "Table":
            value = {k: v for k, v in value.items() if k != "metadata"}
            value["rows"] = [{**r, "cells": ["*" if re.fullmatch(r"\d+[smh](\d+s)?", str(c)) else c for c in r["cells"]]}
                             for r in value["rows"]]
            value["columnDefinitions"] = [{k: v for k, v in c.items() if k != "description"} for c in value["columnDefinitions"]]
        if str(value.get("kind")).endswith("List"):  # items of core lists may go without their kind
            value["items"] = [{k: v for k, v in i.items() if k not in ("kind", "apiVersion")} for i in value["items"]]
        if key == "annotations" and "kubernetes.io/description" in value:
            value = {k: v for k, v in value.items() if k != "kubernetes.io/description"}
        return {k: "*" if k in MADE_UP and v is not None else plain(v, k) for k, v in value.items()
                if k != "selfLink" and not (key == "metadata" and k in ("managedFields", "annotations") and not v)}
    if isinstance(value, list):
        items = [plain(v, key) for v in value]
        return sorted(items, key=lambda c: json.dumps(c, sort_keys=True)) if key in ("causes", "managedFields") else items
    if isinstance(value, str):
        # Both quote what they were given, in Go's words or as JSON.
        value = re.sub(r' in map: map\[.*\]$', "", re.sub(r'Invalid value: "\{.*', "Invalid value: *", value))
        if key == "message" and "is invalid: [" in value:  # upstream's order of causes is that of a Go map
            head, rest = value.split("is invalid: [", 1)
            value = head + "is invalid: " + json.dumps(sorted(rest.rstrip("]").split(", ")))
        return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "*", value)
    return value


class Suite:
    def __init__(self, hub, kube):
        self.hub, self.kube = hub, kube
        self.cases = self.bad = 0

    def same(self, name, *request, quiet=False):
        mine, theirs = self.hub(*request), self.kube(*request)
        return self.compare(name, mine, theirs, request, quiet), mine

    def compare(self, name, mine, theirs, request, quiet=False):
        left = (mine[0], plain(mine[1]), len(mine[2]))
        right = (theirs[0], plain(theirs[1]), len(theirs[2]))
        self.cases += not quiet or left != right
        if left == right:
            if not quiet:
                print("ok %d - %s" % (self.cases, name))
            return True
        self.bad += 1
        print("not ok %d - %s" % (self.cases, name))
        print("#   request %s" % json.dumps(request)[:1200])
        print("#   hub  %s" % json.dumps(left, sort_keys=True)[:2500])
        print("#   kube %s" % json.dumps(right, sort_keys=True)[:2500])
        return False


# ---- scripted ----
def core(kind, name, more=None, group="v1"):
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **(more or {})}


def of(plural, group="", ns=NS):
    return "%s/namespaces/%s/%s" % ("/apis/%s/v1" % group if group else "/api/v1", ns, plural)


CM, SECRET, SA = of("configmaps"), of("secrets"), of("serviceaccounts")
EVENT, EVENT2, LEASE = of("events"), of("events", "events.k8s.io"), of("leases", "coordination.k8s.io")
RBAC = "rbac.authorization.k8s.io"
ROLE, BINDING = of("roles", RBAC), of("rolebindings", RBAC)
CLUSTER_ROLE, CLUSTER_BINDING = "/apis/%s/v1/clusterroles" % RBAC, "/apis/%s/v1/clusterrolebindings" % RBAC


def b64(text):
    return base64.b64encode(text.encode()).decode()


def event(name, **more):
    return core("Event", name, {"involvedObject": {"kind": "ConfigMap", "namespace": NS, "name": "x"}, "reason": "R",
                                "message": "m", "type": "Normal", **more})


def event2(name, **more):
    return core("Event", name, {"regarding": {"kind": "ConfigMap", "namespace": NS, "name": "x"}, "reason": "R", "note": "n",
                                "type": "Normal", "eventTime": "2026-01-02T03:04:05.678901Z", "action": "A",
                                "reportingController": "test/c", "reportingInstance": "i", **more}, "events.k8s.io/v1")


def objects():
    big = "x" * (1 << 20)
    yield "ConfigMap", "POST", CM, core("ConfigMap", "a", {"data": {"k": "v"}, "binaryData": {"b": b64("bytes")}})
    yield "ConfigMap without anything", "POST", CM, core("ConfigMap", "a0", {"data": {}, "binaryData": None, "immutable": None})
    yield "ConfigMap, bad keys", "POST", CM, core("ConfigMap", "a1", {"data": {"a b": "1"}})
    yield "ConfigMap, key ..", "POST", CM, core("ConfigMap", "a1", {"data": {"..": "1"}})
    yield "ConfigMap, key ..x", "POST", CM, core("ConfigMap", "a1", {"binaryData": {"..x": ""}})
    yield "ConfigMap, the key in both", "POST", CM, core("ConfigMap", "a1", {"data": {"k": "1"}, "binaryData": {"k": "MQ=="}})
    yield "ConfigMap, too large", "POST", CM, core("ConfigMap", "a1", {"data": {"k": big, "l": "1"}})
    yield "ConfigMap, no base64", "POST", CM, core("ConfigMap", "a1", {"binaryData": {"k": "?"}})
    yield "ConfigMap, number as data", "POST", CM, core("ConfigMap", "a1", {"data": {"k": 1}})
    yield "ConfigMap, list as data", "POST", CM, core("ConfigMap", "a1", {"data": []})
    yield "ConfigMap, text as immutable", "POST", CM, core("ConfigMap", "a1", {"immutable": "x"})
    yield "ConfigMap, metadata is a text", "POST", CM, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": "x"}
    yield "ConfigMap, labels hold a number", "POST", CM, {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a1", "labels": {"a": 1}}}
    yield "ConfigMap, a bad time", "POST", CM, {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a1", "creationTimestamp": "yesterday"}}
    yield "ConfigMap, unknown field", "POST", CM + "?fieldValidation=Strict", core("ConfigMap", "a1", {"zork": 1})
    yield "ConfigMap, unknown field in metadata", "POST", CM + "?fieldValidation=Strict", {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a1", "zork": 1}}
    yield "ConfigMap, unknown fields warned of", "POST", CM + "?dryRun=All", core("ConfigMap", "a1", {"zork": 1, "mork": 2})
    yield "ConfigMap, bad name", "POST", CM, core("ConfigMap", "A_b")
    yield "ConfigMap, no name", "POST", CM, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
    yield "ConfigMap, bad label value", "POST", CM, {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a1", "labels": {"a": "b c"}}}
    yield "ConfigMap, bad label key", "POST", CM, {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a1", "labels": {"a b": "c"}}}
    yield "ConfigMap, bad owner", "POST", CM, {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a1", "ownerReferences": [{"kind": "X"}]}}
    yield "ConfigMap, another namespace", "POST", CM, {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a1", "namespace": "other"}}
    yield "ConfigMap, there already", "POST", CM, core("ConfigMap", "a")
    yield "ConfigMap, not there", "GET", CM + "/nope"
    yield "ConfigMap, immutable", "POST", CM, core("ConfigMap", "im", {"data": {"k": "v"}, "immutable": True})
    yield "ConfigMap, immutable changed", "PUT", CM + "/im", core("ConfigMap", "im", {"data": {"k": "w"}, "immutable": True})
    yield "ConfigMap, immutable no more", "PUT", CM + "/im", core("ConfigMap", "im", {"data": {"k": "v"}, "immutable": False})
    yield "ConfigMap, immutable labelled", "PATCH", CM + "/im", {"metadata": {"labels": {"a": "b"}}}, MERGE
    yield "ConfigMaps as a table", "GET", CM + "?labelSelector=a%3Db", None, "", TABLE
    yield "Secret", "POST", SECRET, core("Secret", "s", {"data": {"k": b64("v")}, "stringData": {"t": "text", "k": "wins"}})
    yield "Secret, base64 with line ends", "POST", SECRET, core("Secret", "s0", {"data": {"k": "YWJj\r\nZGVm\n"}})
    yield "Secret, bad base64", "POST", SECRET, core("Secret", "s1", {"data": {"k": "YWJj*"}})
    yield "Secret, type changed", "PUT", SECRET + "/s", core("Secret", "s", {"type": "other"})
    yield "Secret, immutable", "POST", SECRET, core("Secret", "si", {"data": {"k": "dg=="}, "immutable": True})
    yield "Secret, immutable changed", "PUT", SECRET + "/si", core("Secret", "si", {"data": {"k": "eA=="}, "immutable": True})
    for kind in ("service-account-token", "dockercfg", "dockerconfigjson", "basic-auth", "ssh-auth", "tls"):
        yield "Secret of type %s without data" % kind, "POST", SECRET, core("Secret", "st", {"type": "kubernetes.io/" + kind})
    yield "Secret, basic authentication", "POST", SECRET, core("Secret", "ba", {"type": "kubernetes.io/basic-auth", "data": {"username": ""}})
    yield "Secret, docker configuration that is none", "POST", SECRET, core(
        "Secret", "st", {"type": "kubernetes.io/dockercfg", "data": {".dockercfg": ""}})
    yield "Secret, too large", "POST", SECRET, core("Secret", "s1", {"data": {"k": b64(big + "x")}})
    yield "Secrets by type", "GET", SECRET + "?fieldSelector=type%3Dkubernetes.io%2Fbasic-auth", None, "", TABLE
    yield "ServiceAccount", "POST", SA, core("ServiceAccount", "sa", {
        "secrets": [{"name": "x"}], "imagePullSecrets": [{"name": "y"}], "automountServiceAccountToken": False})
    yield "ServiceAccounts as a table", "GET", SA + "?fieldSelector=metadata.name%3Dsa", None, "", TABLE
    yield "Namespace", "POST", "/api/v1/namespaces", core("Namespace", "oracle-b", {"spec": {"finalizers": ["example.com/x"]}})
    yield "Namespace, bad finalizer", "POST", "/api/v1/namespaces", core("Namespace", "oracle-c", {"spec": {"finalizers": ["x"]}})
    yield "Namespace, bad name", "POST", "/api/v1/namespaces", core("Namespace", "a.b")
    yield "Namespaces by phase", "GET", "/api/v1/namespaces?fieldSelector=status.phase%3DActive,metadata.name%3D" + NS, None, "", TABLE
    yield "Namespace, status", "PUT", "/api/v1/namespaces/%s/status" % NS, core("Namespace", NS, {"status": {"phase": "Terminating"}})
    yield "Lease", "POST", LEASE, core("Lease", "l", {"spec": {
        "holderIdentity": "me", "leaseDurationSeconds": 15, "acquireTime": "2026-01-02T03:04:05.678901Z",
        "renewTime": "2026-01-02T05:04:05.500000+02:00", "leaseTransitions": 0}}, "coordination.k8s.io/v1")
    yield "Lease, a time that is too short", "POST", LEASE, core(
        "Lease", "l1", {"spec": {"renewTime": "2026-01-02T05:04:05.5Z"}}, "coordination.k8s.io/v1")
    yield "Lease without a holder", "POST", LEASE, core("Lease", "l0", {}, "coordination.k8s.io/v1")
    yield "Lease, bad duration", "POST", LEASE, core("Lease", "l1", {"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}},
                                                     "coordination.k8s.io/v1")
    yield "Leases as a table", "GET", LEASE, None, "", TABLE
    yield "Role", "POST", ROLE, core("Role", "r", {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}, RBAC + "/v1")
    yield "Role without rules", "POST", ROLE, core("Role", "r:0", {}, RBAC + "/v1")
    yield "Role, bad rules", "POST", ROLE, core("Role", "r1", {"rules": [{}, {"verbs": ["get"], "nonResourceURLs": ["/x"]}]}, RBAC + "/v1")
    yield "Role, bad name", "POST", ROLE, core("Role", "a/b", {}, RBAC + "/v1")
    yield "Role, number as verb", "POST", ROLE, core("Role", "r1", {"rules": [{"verbs": [1]}]}, RBAC + "/v1")
    yield "RoleBinding", "POST", BINDING, core("RoleBinding", "b", {
        "roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}, {"kind": "Group", "name": "g"},
                                                              {"kind": "ServiceAccount", "name": "a", "namespace": "n"}]}, RBAC + "/v1")
    yield "RoleBinding, bad", "POST", BINDING, core("RoleBinding", "b1", {
        "roleRef": {"kind": "X", "name": ""}, "subjects": [{"kind": "Y", "name": ""}]}, RBAC + "/v1")
    yield "RoleBinding, another role", "PUT", BINDING + "/b", core("RoleBinding", "b", {"roleRef": {"kind": "Role", "name": "z"}}, RBAC + "/v1")
    yield "RoleBindings as a table", "GET", BINDING, None, "", TABLE
    yield "ClusterRole", "POST", CLUSTER_ROLE, core("ClusterRole", "oracle:r", {
        "aggregationRule": {"clusterRoleSelectors": []}, "rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}, RBAC + "/v1")
    yield "ClusterRole, plain", "POST", CLUSTER_ROLE, core(
        "ClusterRole", "oracle:r", {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}, RBAC + "/v1")
    yield "ClusterRoleBinding", "POST", CLUSTER_BINDING, core("ClusterRoleBinding", "oracle:b", {
        "roleRef": {"kind": "ClusterRole", "name": "oracle:r"}, "subjects": [{"kind": "ServiceAccount", "name": "a"}]}, RBAC + "/v1")
    yield "Event", "POST", EVENT, event("e", count=1, firstTimestamp="2026-01-02T03:04:05Z", source={"component": "c", "host": "h"})
    yield "Event, counted", "PATCH", EVENT + "/e", {"count": 2, "lastTimestamp": "2026-01-02T03:05:05Z"}, STRATEGIC
    yield "Event through the other API", "GET", EVENT2 + "/e"
    yield "Event, another namespace", "POST", EVENT, event("e1", involvedObject={"kind": "X", "namespace": "other", "name": "x"})
    yield "Event, no namespace", "POST", EVENT, event("e1", involvedObject={"kind": "X", "name": "x"})
    yield "Event, incomplete", "POST", EVENT, event("e1", eventTime="2026-01-02T03:04:05.678901Z")
    yield "new Event", "POST", EVENT2, event2("n")
    yield "new Event through the old API", "GET", EVENT + "/n"
    yield "new Event, series", "PATCH", EVENT2 + "/n", {"series": {"count": 2, "lastObservedTime": "2026-01-02T03:06:05.000000Z"}}, MERGE
    yield "new Event, series of one", "PATCH", EVENT2 + "/n", {"series": {"count": 1}}, MERGE
    yield "new Event, note changed", "PATCH", EVENT2 + "/n", {"note": "other"}, MERGE
    yield "new Event, bad", "POST", EVENT2, event2("n1", type="X", deprecatedCount=1, eventTime=None)
    yield "Events by field", "GET", EVENT + "?fieldSelector=involvedObject.kind%3DConfigMap,type!%3DWarning,reason%3DR,source%3Dc"
    yield "Events by reportingComponent", "GET", EVENT + "?fieldSelector=reportingComponent%3Dtest%2Fc"
    yield "Events by an unknown field", "GET", EVENT + "?fieldSelector=message%3Dm"
    yield "new Events by field", "GET", EVENT2 + "?fieldSelector=regarding.name%3Dx,reportingController%3Dtest%2Fc"
    yield "new Events by an old field", "GET", EVENT2 + "?fieldSelector=involvedObject.name%3Dx"
    yield "ConfigMaps by an unknown field", "GET", CM + "?fieldSelector=data.k%3Dv"
    yield "Namespaces by an unknown field", "GET", "/api/v1/namespaces?fieldSelector=spec%3Dv"
    yield "Event, gone", "DELETE", EVENT2 + "/n"
    yield "Events as a table", "GET", EVENT, None, "", TABLE
    yield "strategic patch, unknown directive", "PATCH", CM + "/a", {"metadata": {"$patch": "zork"}}, STRATEGIC
    yield "strategic patch, retainKeys", "PATCH", CM + "/a", {"data": {"$retainKeys": ["x"], "x": "1"}}, STRATEGIC
    yield "strategic patch, bad retainKeys", "PATCH", CM + "/a", {"data": {"$retainKeys": ["x"], "y": "1"}}, STRATEGIC
    yield "merge patch, wrong type", "PATCH", CM + "/a", {"data": {"k": 1}}, MERGE
    yield "merge patch, a list", "PATCH", CM + "/a", [], MERGE
    yield "JSON patch", "PATCH", CM + "/a", [{"op": "add", "path": "/data/z", "value": "1"}], JSON_PATCH
    yield "apply", "PATCH", CM + "/ap?fieldManager=m", core("ConfigMap", "ap", {"data": {"k": "v"}}), APPLY
    yield "delete, bad policy", "DELETE", CM + "/a", {"propagationPolicy": "X"}
    yield "delete, both", "DELETE", CM + "/a", {"propagationPolicy": "Orphan", "orphanDependents": True}
    yield "delete, other uid", "DELETE", CM + "/a", {"preconditions": {"uid": "x"}}
    yield "delete", "DELETE", CM + "/a"


# ---- random strategic merge patches ----
class Patches:
    """Objects with every kind of list that core kinds have, and patches with every directive."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def some(self, values, most=4):
        return self.random.sample(values, self.random.randint(0, min(most, len(values))))

    def finalizers(self):
        return ["example.com/%s" % c for c in self.some("abcdef")]

    def owners(self):
        return [{"apiVersion": "v1", "kind": "X", "name": "n" + c, "uid": c * 3} for c in self.some("pqrs")]

    def meta(self):
        return {"labels": {k: self.random.choice("xyz") for k in self.some("abcd")},
                "annotations": {k: self.random.choice("xyz") for k in self.some("efgh")},
                "finalizers": self.finalizers(), "ownerReferences": self.owners()}

    def flat(self, keys, values):
        patch = {k: self.random.choice(values + [None]) for k in self.some(keys)}
        if self.random.random() < 0.1:
            patch["$patch"] = self.random.choice(["replace", "delete"])
        elif self.random.random() < 0.1:
            patch["$retainKeys"] = list({k for k in patch} | set(self.some(keys)))
        return patch

    def primitive(self, name, make):
        patch, way = {}, self.random.random()
        if way < 0.4:
            patch[name] = make()
        elif way < 0.6:
            patch["$deleteFromPrimitiveList/" + name] = make()
        elif way < 0.8:
            patch[name] = make()
            patch["$setElementOrder/" + name] = patch[name] + [f for f in make() if f not in patch[name]]
        elif way < 0.9:
            patch["$setElementOrder/" + name] = make()
        elif way < 0.95:
            patch[name] = None
        return patch

    def keyed(self, name, key, make):
        patch, way = {}, self.random.random()
        items = make()
        if way < 0.3:
            patch[name] = items
        elif way < 0.5:
            patch[name] = [{"$patch": "delete", key: i[key]} if self.random.random() < 0.5 else i for i in items]
        elif way < 0.6:
            patch[name] = items + [{"$patch": "replace"}]
        elif way < 0.8:
            patch[name] = items
            patch["$setElementOrder/" + name] = [{key: i[key]} for i in items] + [
                {key: i[key]} for i in make() if i[key] not in [x[key] for x in items]]
        elif way < 0.9:
            patch["$setElementOrder/" + name] = [{key: i[key]} for i in items]
        elif way < 0.95:
            patch[name] = [{k: v for k, v in i.items() if k != key} for i in items]
        return patch

    def patch_meta(self):
        meta = {}
        if self.random.random() < 0.3:
            meta["labels"] = self.flat("abcd", list("xyz"))
        if self.random.random() < 0.2:
            meta["annotations"] = self.flat("efgh", list("xyz"))
        if self.random.random() < 0.4:
            meta.update(self.primitive("finalizers", self.finalizers))
        if self.random.random() < 0.4:
            meta.update(self.keyed("ownerReferences", "uid", self.owners))
        return meta

    def references(self):
        return [{"name": c, **({"namespace": "n" + c} if self.random.random() < 0.5 else {})} for c in self.some("abcd")]

    def rules(self):
        return [{"apiGroups": [""], "resources": self.some(["pods", "nodes", "secrets"]) or ["x"], "verbs": ["get"]}
                for _ in range(self.random.randint(0, 3))]

    def body(self, kind):
        if kind == "ConfigMap":
            return {"data": {k: self.random.choice("xyz") for k in self.some("abcd")}}
        if kind == "Secret":
            return {"data": {k: self.random.choice(["eA==", "eQ=="]) for k in self.some("abcd")}}
        if kind == "ServiceAccount":
            return {"secrets": self.references(), "imagePullSecrets": [{"name": c} for c in self.some("abcd")]}
        if kind == "Role":
            return {"rules": self.rules()}
        if kind == "Event":
            return {"involvedObject": {"kind": "X", "namespace": NS, "name": "x"}, "message": "m", "count": 1}
        return {}

    def patch(self, kind):
        patch = {"metadata": self.patch_meta()} if self.random.random() < 0.6 else {}
        if kind in ("ConfigMap", "Secret") and self.random.random() < 0.7:
            patch["data"] = self.flat("abcd", ["x", "y"] if kind == "ConfigMap" else ["eA==", "eQ=="])
        if kind == "ServiceAccount":
            patch.update(self.keyed("secrets", "name", self.references))
            if self.random.random() < 0.3:
                patch["imagePullSecrets"] = [{"name": c} for c in self.some("abcd")]
        if kind == "Role" and self.random.random() < 0.5:
            patch["rules"] = self.rules()
        if kind == "Event":
            patch.update({"count": self.random.randint(0, 5), "related": self.random.choice([None, {"name": "r"}])})
        return patch


PATCHED = {"ConfigMap": (CM, "v1"), "Secret": (SECRET, "v1"), "ServiceAccount": (SA, "v1"), "Role": (ROLE, RBAC + "/v1"),
           "Event": (EVENT, "v1"), "Namespace": ("/api/v1/namespaces", "v1")}


def words_differ(answer):
    """Refusals of a patch quote Go values: only the code and the reason are compared."""
    code, body, warnings = answer
    if code >= 400 and isinstance(body, dict):
        body = {"code": body.get("code"), "reason": body.get("reason") if code != 500 else ""}
    return code, body, warnings


def random_patches(suite, seed, count):
    """The object is put as it shall be before each patch, so that each stands alone."""
    make = Patches(seed)
    bad = suite.bad
    for i in range(count):
        kind = make.random.choice(sorted(PATCHED))
        path, version = PATCHED[kind]
        name = "%s-patched" % NS
        before = core(kind, name, make.body(kind), version)
        before["metadata"].update(make.meta())
        patch = make.patch(kind)
        answers = []
        for server in (suite.hub, suite.kube):
            clear(server, path + "/" + name)
            made = server("POST", path, before)
            if made[0] != 201:
                raise RuntimeError("%s %s" % (server.url, made))
            answers.append(words_differ(server("PATCH", path + "/" + name + "?dryRun=All", patch, STRATEGIC)))
        suite.compare("patch %d of seed %d" % (i, seed), answers[0], answers[1], (before, patch), quiet=True)
    for server in (suite.hub, suite.kube):
        for path, _ in PATCHED.values():
            clear(server, path + "/%s-patched" % NS)
    suite.cases += 1
    print("%s %d - %d random strategic merge patches of seed %d" % ("ok" if suite.bad == bad else "not ok", suite.cases, count, seed))


def clear(server, path):
    """Gone for sure: finalizers off, deleted."""
    if path.startswith("/api/v1/namespaces/") and path.count("/") == 4:
        return clear_namespace(server, path)
    server("PATCH", path, {"metadata": {"finalizers": None, "ownerReferences": None}}, MERGE)
    server("DELETE", path)
    return None


def clear_namespace(server, path):
    for _ in range(600):
        if server("GET", path)[0] == 404:
            return
        server("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
        server("DELETE", path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hub", required=True)
    parser.add_argument("--kube", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patches", type=int, default=150)
    options = parser.parse_args()
    suite = Suite(Server(options.hub), Server(options.kube))
    for server in (suite.hub, suite.kube):
        server("POST", "/api/v1/namespaces", core("Namespace", NS))
    for name, *request in objects():
        suite.same(name, *request)
    del PATCHED["Namespace"]  # deleting one takes the real server's controller seconds
    random_patches(suite, options.seed, options.patches)
    print("1..%d" % suite.cases)
    return 1 if suite.bad else 0


if __name__ == "__main__":
    sys.exit(main())

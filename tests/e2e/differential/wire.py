"""wire.py - requests as they stand on the wire, to both servers: what kubectl never sends, and what it sends quickly.

A case is a function of a Pair and a namespace of its own; its name is the function's.
"""
import json
import time

from kinds import CORE, GADGETS, GROUP, INTEGER, STRING, THINGS, configmap, crd, gadget, thing

CASES = []
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
TABLE_BETA = "application/json;as=Table;v=v1beta1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIALS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"


def case(function):
    CASES.append(function)
    return function


def paths(ns):
    return CORE % ns + "configmaps", THINGS % ns


def each(ns):
    """A core kind and a custom one: (path of the collection, maker of an object)."""
    maps, things = paths(ns)
    return ((maps, configmap), (things, thing))


# ---- what is no resource ----

@case
def health(x, ns):
    for path in ("/healthz", "/livez", "/readyz", "/healthz/ping", "/livez/ping", "/readyz/ping"):
        x.ask("GET", path)
    x.ask("HEAD", "/healthz")
    x.ask("POST", "/healthz")
    x.ask("GET", "/healthz/nope", only=lambda a: (a["code"], a["headers"].get("content-type")))


@case
def version(x, ns):
    x.ask("GET", "/version", only=lambda a: (a["code"], a["headers"], sorted(set(a["body"]) - {"fedhubVersion"})))
    x.ask("GET", "/version/", only=lambda a: (a["code"], a["headers"]))
    x.ask("POST", "/version", {})


@case
def unknown_paths(x, ns):
    for path in ("/nope", "/api/v2", "/api/v1/nope", "/api/v1/namespaces/%s/nope" % ns, "/api/v1/namespaces/%s/nope/x" % ns,
                 "/apis/nope.example.com", "/apis/nope.example.com/v1", "/apis/nope.example.com/v1/things",
                 "/apis/%s/v9" % GROUP, "/apis/%s/v9/things" % GROUP, "/apis/%s/v1/nope" % GROUP,
                 "/apis/%s/v1/namespaces/%s/nope/x" % (GROUP, ns), "/api/v1/configmaps/x",
                 THINGS % ns + "/a/b", THINGS % ns + "/a/b/c", GADGETS + "/a/scale", CORE % ns + "configmaps/a/status",
                 CORE % ns + "configmaps/a/scale", "/apis/%s/v1/things/a" % GROUP, "/openapi/v9", "/openapi/v3/nope",
                 "/openapi/v3/apis/nope/v1", "/apis/%s/v1/namespaces/%s/gadgets" % (GROUP, ns), "//nope", "/api/v1/a/b/c/d/e/f/g"):
        x.ask("GET", path)
    x.ask("POST", "/nope", {})
    x.ask("DELETE", "/apis/%s/v1/nope/a" % GROUP)


@case
def discovery(x, ns):
    x.ask("GET", "/api", only=lambda a: dict(a, body={k: v for k, v in a["body"].items() if k != "serverAddressByClientCIDRs"}))
    x.ask("GET", "/apis/" + GROUP)
    def sorted_resources(answer):
        answer["body"]["resources"].sort(key=lambda one: one["name"])
        for one in answer["body"]["resources"]:
            one["verbs"].sort()
        return answer
    x.ask("GET", "/apis/%s/v1" % GROUP, only=sorted_resources)
    x.ask("GET", "/apis/%s/v1/" % GROUP, only=sorted_resources)
    x.ask("HEAD", "/apis/" + GROUP)
    x.ask("POST", "/apis/" + GROUP, {})
    x.ask("GET", "/apis/" + GROUP, Accept="application/yaml")
    x.ask("GET", "/apis", only=lambda a: [g for g in a["body"]["groups"] if g["name"] == GROUP])
    x.ask("GET", "/apis", only=lambda a: (a["code"], a["headers"], {k: v for k, v in a["body"].items() if k != "groups"}))
    x.ask("GET", "/api/v1", only=lambda a: {r["name"]: r for r in a["body"]["resources"] if r["name"] in (
        "configmaps", "secrets", "namespaces", "namespaces/status", "namespaces/finalize", "events")})


@case
def discovery_aggregated(x, ns):
    v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

    def ours(answer):
        return (answer["code"], answer["headers"], answer["body"]["kind"], answer["body"]["apiVersion"], [
            g for g in answer["body"]["items"] if g["metadata"].get("name") == GROUP])

    def core(answer):
        return {r["resource"]: r for r in answer["body"]["items"][0]["versions"][0]["resources"]
                if r["resource"] in ("configmaps", "secrets", "namespaces", "events")}
    x.ask("GET", "/apis", only=ours, Accept=v2)
    x.ask("GET", "/api", only=core, Accept=v2)
    x.ask("GET", "/apis", only=lambda a: (a["code"], a["headers"], a["body"]["kind"]), Accept=beta + "," + v2)


@case
def openapi(x, ns):
    x.ask("GET", "/openapi/v3", Accept="application/json", only=lambda a: (a["code"], a["headers"].get("content-type"),
                                                 "api/v1" in a["body"]["paths"], "apis/%s/v1" % GROUP in a["body"]["paths"]))
    x.ask("GET", "/openapi/v3/apis/%s/v1" % GROUP, Accept="application/json", only=lambda a: {
        name: one for name, one in a["body"]["components"]["schemas"].items() if GROUP.split(".")[0] in name})
    x.ask("GET", "/openapi/v3/apis/%s/v1" % GROUP, Accept="application/json", only=lambda a: sorted(a["body"]["paths"]))
    x.ask("GET", "/openapi/v3/apis/%s/v1" % GROUP, Accept="application/json", only=lambda a: {
        path: {verb: (op.get("operationId"), op.get("x-kubernetes-action"), op.get("x-kubernetes-group-version-kind"),
                      sorted(p.get("name", "") for p in op.get("parameters", [])))
               for verb, op in item.items() if isinstance(op, dict)}
        for path, item in a["body"]["paths"].items()})


# ---- create ----

@case
def create(x, ns):
    for path, make in each(ns):
        x.ask("POST", path, make("a"))
        x.ask("POST", path, make("a"))
        x.ask("POST", path, make("a", metadata={}))
        x.ask("POST", path, make("a", metadata={"name": "b", "namespace": ns}))
        x.ask("POST", path, make("a", metadata={"name": "b", "namespace": "other"}))
        x.ask("POST", path, dict(make("c"), kind="Other"))
        x.ask("POST", path, dict(make("c"), apiVersion="other/v1"))
        x.ask("POST", path, dict(make("c"), apiVersion="a/b/c"))
        x.ask("POST", path, {"metadata": {"name": "d"}})
        x.ask("POST", path, {"apiVersion": make("x")["apiVersion"], "metadata": {"name": "e"}})
        x.ask("POST", path, {"kind": make("x")["kind"], "metadata": {"name": "f"}})
        x.ask("POST", path, dict(make("c"), kind=""))
        x.ask("POST", path, dict(make("c"), kind=["x"]))
        x.ask("POST", path, dict(make("c"), apiVersion=7))
        x.ask("POST", path, dict(make("c"), kind="Other", zork=1))
        x.ask("POST", path, dict(make("A_b"), kind="Other"))
        x.ask("POST", path, dict(make("c"), apiVersion="a/b/c", kind="x" * 100))
        x.ask("POST", path + "/named", make("named"))
        x.ask("POST", path, make("g", metadata={"name": "g", "resourceVersion": "5"}))
        x.ask("POST", path, make("h", metadata={"name": "h", "resourceVersion": "0"}))
        x.ask("POST", path, make("i", metadata={
            "name": "i", "uid": "11111111-1111-1111-1111-111111111111", "generation": 7, "selfLink": "/x",
            "creationTimestamp": "2020-01-01T00:00:00Z", "deletionTimestamp": "2020-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 5}))
        x.ask("POST", path.replace("/namespaces/" + ns, ""), make("z"))
        x.ask("POST", path.replace(ns, "no-such-namespace"), make("z"))
        x.ask("POST", path + "?dryRun=All", make("dry"))
        x.ask("GET", path + "/dry")
        x.ask("POST", path + "?dryRun=All", make("a"))
        x.ask("POST", path + "?dryRun=Some", make("dry"))
        x.ask("POST", path + "?dryRun=All&dryRun=All", make("dry"))
        x.ask("POST", path + "?dryRun=", make("dry2"))


@case
def bodies(x, ns):
    for path, make in each(ns):
        good = json.dumps(make("a"))
        x.ask("POST", path, "")
        x.ask("POST", path, "not json")
        x.ask("POST", path, good[:-1])
        x.ask("POST", path, good + "x")
        x.ask("POST", path, "[]")
        x.ask("POST", path, "null")
        x.ask("POST", path, "7")
        x.ask("POST", path, '"text"')
        x.ask("POST", path, "{}")
        x.ask("POST", path, '{"kind":7,"apiVersion":"v1"}')
        x.ask("POST", path, dict(make("a"), metadata="text"))
        x.ask("POST", path, dict(make("a"), metadata=[]))
        x.ask("POST", path, dict(make("a"), metadata=None))
        x.ask("POST", path, make("a", metadata={"name": 7}))
        x.ask("POST", path, make("a", metadata={"name": "a", "labels": {"x": 1}}))
        x.ask("POST", path, make("a", metadata={"name": "a", "labels": "x"}))
        x.ask("POST", path, make("a", metadata={"name": "a", "labels": ["x"]}))
        x.ask("POST", path, make("a", metadata={"name": "a", "annotations": {"x": True}}))
        x.ask("POST", path, make("a", metadata={"name": "a", "finalizers": "x/y"}))
        x.ask("POST", path, make("a", metadata={"name": "a", "finalizers": [1]}))
        x.ask("POST", path, make("a", metadata={"name": "a", "ownerReferences": {}}))
        x.ask("POST", path, make("a", metadata={"name": "a", "creationTimestamp": "yesterday"}))
        x.ask("POST", path, make("a", metadata={"name": "a", "generation": "one"}))
        x.ask("POST", path, make("a", metadata={"name": "nulls", "labels": None, "annotations": None, "finalizers": None}))
        x.ask("POST", path, good, Content_Type="text/plain")
        x.ask("POST", path, good, Content_Type="application/xml")
        x.ask("POST", path, good, Content_Type="application/json; charset=utf-8")
        x.ask("POST", path, json.dumps(make("j")), Content_Type=None)
        x.ask("POST", path, json.dumps(make("k")), Content_Type="application/merge-patch+json")
        x.ask("POST", path, json.dumps(make("l")), Content_Type="*/*")
        x.ask("POST", path, "apiVersion: %s\nkind: %s\nmetadata: {name: y}\n" % (make("y")["apiVersion"], make("y")["kind"]),
              Content_Type="application/yaml")
        x.ask("POST", path, "a: [", Content_Type="application/yaml")
        x.ask("POST", path, "a: b: c", Content_Type="application/yaml")
        x.ask("POST", path, "{\"a\": \"" + "x" * (3 << 20) + "\"}")
    x.ask("POST", CORE % ns + "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t"}, "data": {"a": 1}})
    x.ask("POST", CORE % ns + "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t"}, "data": ["a"]})
    x.ask("POST", CORE % ns + "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t"},
                                             "binaryData": {"a": "?"}})
    x.ask("POST", CORE % ns + "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t"}, "immutable": "x"})
    x.ask("POST", CORE % ns + "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t"}, "data": {"a b": "1"}})


@case
def unknown_fields(x, ns):
    for path, make in each(ns):
        for how in ("Strict", "Warn", "Ignore", "strict", ""):
            q = path + "?fieldValidation=" + how
            x.ask("POST", q, make("u" + how.lower(), zork=1))
            x.ask("POST", q, make("v" + how.lower(), metadata={"name": "v" + how.lower(), "zork": 1}))
            body = json.dumps(make("w" + how.lower(), metadata={"name": "w" + how.lower(), "labels": {"a": "1"}}))
            x.ask("POST", q, body.replace('"a": "1"', '"a": "1", "a": "2"'))
            x.ask("POST", q, body.replace('"kind"', '"kind": "Other", "kind"'))
            x.ask("POST", q, make("x" + how.lower(), metadata={"name": "x" + how.lower(), "managedFields": [
                {"manager": "m", "operation": "Update", "apiVersion": "v1", "zork": 1}]}))
    path = THINGS % ns
    for how in ("Strict", "Warn"):
        twice = '{"apiVersion":"%s/v1","kind":"Thing","metadata":{"name":"d","zork":1,"labels":{"a":"1","a":"2","a":"3"}},"zork":1,"zork":2,' \
            '"spec":{"items":[{"name":"a","name":"b","value":"1","value":"2"}],"image":"a","image":"b","a":1,"b":2}}' % GROUP
        x.ask("POST", path + "?dryRun=All&fieldValidation=" + how, twice)
        x.ask("POST", CORE % ns + "configmaps?dryRun=All&fieldValidation=" + how, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d","zork":1,'
              '"labels":{"a":"1","a":"2"}},"zork":1,"zork":2,"data":{"x":"1","x":"2"}}')
    for how in ("Strict", "Warn", "Ignore"):
        x.ask("POST", path + "?fieldValidation=" + how, thing("s" + how.lower(), spec={
            "zork": 1, "items": [{"name": "a", "zork": 2}], "free": {"any": 1}, "nested": {"zork": {"a": 1}, "deep": {"z": 1}}}))
        x.ask("POST", path + "?fieldValidation=" + how, '{"apiVersion":"%s/v1","kind":"Thing","metadata":{"name":"t%s"},'
              '"spec":{"image":"a","image":"b","free":{"x":1,"x":2},"zork":1}}' % (GROUP, how.lower()))
        x.ask("PUT", path + "/s%s?fieldValidation=%s" % (how.lower(), how), thing("s" + how.lower(), spec={"zork": 2}))
        x.ask("PATCH", path + "/s%s?fieldValidation=%s" % (how.lower(), how), {"spec": {"zork": 3}}, Content_Type=MERGE)
        x.ask("PATCH", path + "/s%s?fieldValidation=%s" % (how.lower(), how),
              [{"op": "add", "path": "/spec/zork", "value": 1}], Content_Type=JSON_PATCH)
        x.ask("PATCH", path + "/s%s?dryRun=All&fieldManager=m&fieldValidation=%s" % (how.lower(), how),
              thing("s" + how.lower(), spec={"zork": 4}), Content_Type=APPLY)
        x.ask("PATCH", path + "/s%s?fieldValidation=%s" % (how.lower(), how), '{"spec":{"image":"a","image":"b"}}', Content_Type=MERGE)


@case
def names(x, ns):
    for path, make in each(ns):
        for name in ("A", "a_b", "a/b", "a%b", ".", "..", "a.b", "-a", "a-", "a..b", "x" * 253, "x" * 254, "1", "ä", "a b", ""):
            x.ask("POST", path + "?dryRun=All", make(name))
            if name and "/" not in name and "%" not in name and " " not in name and name.isascii() and name not in (".", ".."):
                x.ask("GET", path + "/" + name)
                x.ask("PATCH", path + "/" + name + "?fieldManager=m&dryRun=All", make(name), Content_Type=APPLY)
                x.ask("PUT", path + "/" + name, make(name))
    for name in ("A", "a.b", "x" * 63, "x" * 64, "1"):
        x.ask("POST", "/api/v1/namespaces?dryRun=All", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


@case
def generate_name(x, ns):
    for path, make in each(ns):
        x.ask("POST", path, make("", metadata={"generateName": "gen-"}))
        x.ask("GET", path + "/{{generated}}")
        x.ask("POST", path + "?dryRun=All", make("", metadata={"generateName": "A_"}))
        x.ask("POST", path + "?dryRun=All", make("", metadata={"generateName": "a.b-"}))
        x.ask("POST", path + "?dryRun=All", make("", metadata={"generateName": "x" * 100}),
              only=lambda a: (a["code"], len(a["body"].get("metadata", {}).get("name", ""))))
        x.ask("POST", path + "?dryRun=All", make("", metadata={"name": "fixed", "generateName": "gen-"}))
        x.ask("POST", path + "?dryRun=All", make("", metadata={"generateName": ""}))
        x.ask("POST", path + "?dryRun=All", make("", metadata={"generateName": 7}))


@case
def metadata_rules(x, ns):
    for path, make in each(ns):
        q = path + "?dryRun=All"

        def meta(**members):
            x.ask("POST", q, make("m", metadata=dict({"name": "m"}, **members)))
        for key in ("a", "A/b", "a/b/c", "-a", "a b", "x" * 64, "x" * 64 + "/a", "ex.com/" + "y" * 63, "/a", "a/", "", "ex_.com/a", "ä"):
            meta(labels={key: "v"})
            meta(annotations={key: "v"})
        for value in ("", "a", "a b", "x" * 63, "x" * 64, "-a", "a.b_c-d", "a/b"):
            meta(labels={"k": value})
            meta(annotations={"k": value})
        meta(labels={"a b": "c d", "e f": "g h"})
        meta(annotations={"k": "x" * (256 * 1024)})
        meta(annotations={"k": "x" * (256 * 1024 - 1)})
        for finalizer in ("a", "a.b", "kubernetes", "a/b", "kubernetes.io/x", "A B", "a/b/c", "", "foregroundDeletion", "orphan", "ex.com/" + "x" * 64):
            meta(finalizers=[finalizer])
        meta(finalizers=["foregroundDeletion", "orphan"])
        meta(finalizers=["a.com/a", "a.com/a"])
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "11111111-1111-1111-1111-111111111111"}
        meta(ownerReferences=[owner])
        for key in owner:
            meta(ownerReferences=[{k: v for k, v in owner.items() if k != key}])
            meta(ownerReferences=[dict(owner, **{key: ""})])
        meta(ownerReferences=[dict(owner, controller=True), dict(owner, uid="2", controller=True)])
        meta(ownerReferences=[owner, owner])
        meta(ownerReferences=[owner, dict(owner, uid="2"), owner, dict(owner, uid="2"), dict(owner, name="p")])
        meta(ownerReferences=[dict(owner, apiVersion="v1", kind="Event")])
        meta(ownerReferences=[dict(owner, apiVersion="a/b/c")])
        meta(ownerReferences=[dict(owner, zork=1)])
        meta(ownerReferences=[dict(owner, blockOwnerDeletion=True, controller=False)])
        meta(ownerReferences=[None])
        meta(managedFields=[{"manager": "m", "operation": "Nope"}])
        meta(managedFields=[{"manager": "m", "operation": "Update", "apiVersion": make("x")["apiVersion"], "fieldsType": "FieldsV1",
                             "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}}, "time": "2020-01-01T00:00:00Z"}], labels={"a": "1"})
        meta(managedFields=[{"manager": "m", "operation": "Update", "apiVersion": make("x")["apiVersion"], "fieldsType": "Other"}])
        meta(managedFields=[{}])
        meta(managedFields="x")
        meta(generation=-1)
        meta(deletionGracePeriodSeconds=-1)


@case
def query_values(x, ns):
    for path, make in each(ns):
        x.ask("POST", path + "?dryRun=All&fieldManager=" + "m" * 128, make("q"))
        x.ask("POST", path + "?dryRun=All&fieldManager=" + "m" * 129, make("q"))
        x.ask("POST", path + "?dryRun=All&fieldManager=a%07b", make("q"))
        x.ask("POST", path + "?dryRun=All&fieldManager=%C3%A4", make("q"))
        x.ask("POST", path + "?dryRun=All&fieldValidation=Nope", make("q"))
        x.ask("POST", path + "?dryRun=All&dryRun=Nope", make("q"))
        x.ask("POST", path + "?dryRun=Nope&fieldValidation=Nope&fieldManager=" + "m" * 129, make("q"))
        x.ask("POST", path + "?dryRun=All&pretty=true", make("q"))
        x.ask("POST", path + "?dryRun=All&pretty=nope", make("q"))
        x.ask("POST", path + "?dryRun=All&nope=1", make("q"))
        x.ask("POST", path + "?dryRun=All&fieldManager=%ZZ", make("q"))
        x.ask("POST", path + "?dryRun=All&fieldManager=a;b", make("q"))
        x.ask("POST", path + "?dryRun=All", make("q"), User_Agent="some agent with spaces/1.0")
        x.ask("POST", path + "?dryRun=All", make("q"), User_Agent="")
        x.ask("POST", path + "?dryRun=All", make("q"), User_Agent="x" * 200)
        x.ask("POST", path + "?dryRun=All", make("q"), User_Agent="tab\tagent")
        x.ask("GET", path + "?limit=x")
        x.ask("GET", path + "?limit=-1")
        x.ask("GET", path + "?limit=99999999999999999999")
        x.watch(path + "?watch=nope&timeoutSeconds=1&resourceVersion=0&labelSelector=none", 1)
        x.ask("GET", path + "?watch=0")
        x.ask("GET", path + "?timeoutSeconds=x")
        x.ask("GET", path + "?allowWatchBookmarks=nope")
        x.ask("GET", path + "?resourceVersion=x")
        x.ask("GET", path + "?resourceVersion=-1")
        x.ask("GET", path + "?timeout=x")
        x.ask("GET", path + "?timeout=0")
        x.ask("GET", path + "?timeout=5s")
        x.ask("GET", path + "?sendInitialEvents=nope")


# ---- get and list ----

@case
def get(x, ns):
    for path, make in each(ns):
        x.ask("POST", path, make("a", metadata={"name": "a", "labels": {"x": "1"}, "annotations": {"n": "1"}}))
        for query in ("", "?resourceVersion=0", "?resourceVersion={{rv:a}}", "?resourceVersion=", "?pretty=true", "?watch=false",
                      "?resourceVersionMatch=Exact", "?resourceVersion=x"):
            x.ask("GET", path + "/a" + query)
        x.ask("GET", path + "/none")
        x.ask("GET", path + "/none?resourceVersion=0")
        x.ask("GET", path + "/a/")
        x.ask("GET", path.replace("/namespaces", "//namespaces") + "/a")
        x.ask("GET", path + "/%61")
        x.ask("HEAD", path + "/a")
        x.ask("HEAD", path + "/none")
        x.ask("HEAD", path + "?labelSelector=x")


@case
def representations(x, ns):
    for path, make in each(ns):
        x.quietly("POST", path, make("a", metadata={"name": "a", "labels": {"x": "1"}}))
        for accept in ("application/json", "application/yaml", "*/*", "application/*", "text/html", "text/plain",
                       "application/vnd.kubernetes.protobuf, application/json", "application/json;q=0.5, application/yaml",
                       "application/json;stream=watch", "", TABLE, TABLE_BETA, PARTIAL, PARTIALS,
                       "application/json;as=Nope;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v2;g=meta.k8s.io",
                       "application/json;as=Nope;v=v1;g=meta.k8s.io,application/json", "application/yaml;as=Table;v=v1;g=meta.k8s.io",
                       "application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io"):
            for where in ("/a", "?labelSelector=x", "/none"):
                x.ask("GET", path + where, Accept=accept)
        for include in ("None", "Metadata", "Object", "Nope", ""):
            x.ask("GET", path + "/a?includeObject=" + include, Accept=TABLE)
            x.ask("GET", path + "?labelSelector=x&includeObject=" + include, Accept=TABLE)
        x.ask("POST", path + "?dryRun=All", make("b"), Accept=TABLE)
        x.ask("POST", path + "?dryRun=All", make("b"), Accept=PARTIAL)
        x.ask("POST", path + "?dryRun=All", make("b"), Accept="application/yaml")
        x.ask("PATCH", path + "/a?dryRun=All", {"metadata": {"labels": {"y": "1"}}}, Accept=TABLE, Content_Type=MERGE)
        x.ask("DELETE", path + "/a?dryRun=All", Accept=TABLE)
        x.ask("DELETE", path + "/a?dryRun=All", Accept=PARTIAL)
    x.ask("GET", THINGS % ns + "/a", Accept="application/vnd.kubernetes.protobuf")
    x.ask("GET", THINGS % ns, Accept="application/vnd.kubernetes.protobuf")
    x.ask("GET", THINGS % ns + "/a", Accept="application/cbor")


@case
def yaml_answers(x, ns):
    """Text that a reader of YAML 1.1 would take for something else, folded, or sorted in its own way."""
    words = ("", "yes", "No", "y", "on", "null", "~", "true", "1", "01", "0x1f", "0o17", "0b1", "1e3", "1_000", ".5", "-.inf", ".nan",
             "+1", "-", "+", "1.2.3", "1e999", "12:30", "190:20:30.15", "12:75", "2026-01-02", "2026-01-02T03:04:05Z", "2026-1-2 3:4:5",
             "2026-13-01", "a: b", "a #b", "# c", "- x", "? x", "'q'", '"q"', " x", "x ", "\ttab", "a\tb", "{a}", "[a]", "*a", "&a", "!a", "%a", "@a",
             "`a`", "|", ">", "a\nb", "a\nb\n", "a \nb", "\n", "\n\na\n\n", " a\nb", "tr\u00e8s", "\u0001", "\U0001f600",
             "x" * 100, "word " * 30, "https://example.com/" + "a-" * 60, "one two " * 12 + "\nthree", "a\\b", "...", "---", "=")
    keys = ("a10", "a9", "a1", "a01", "a", "aa", "A", "a.b", "a-b", "a_b", "10", "9", "true", "y", "1.5", "v1.2", "v1.10")
    x.quietly("POST", CORE % ns + "configmaps", configmap("words", data={"w%d" % n: word for n, word in enumerate(words)}))
    x.quietly("POST", CORE % ns + "configmaps", configmap("keys", data={key: "" for key in keys}))
    x.quietly("POST", THINGS % ns, thing("all", spec={"free": {
        "list": [], "map": {}, "nested": [[1, [2, {}]], {"a": [None, True, 1.5, -3, 1e21, 9007199254740993]}], "deep": {"a": {"b": [{"c": [{"d": 1, "e": [1]}]}]}},
        "key of words": 1, "": 2, "a: b": 3, "multi\nline": 4, "caf\u00e9": 5, "x" * 130: 6}}))
    for path in (CORE % ns + "configmaps/words", CORE % ns + "configmaps/keys", THINGS % ns + "/all", THINGS % ns, THINGS % ns + "/none",
                 THINGS % ns + "?limit=x", THINGS % ns + "/all/status", THINGS % ns + "/all/b", "/apis/%s" % GROUP, CORE % ns + "nope"):
        x.ask("GET", path, Accept="application/yaml")
    x.ask("GET", THINGS % ns, Accept="application/yaml;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
    x.ask("DELETE", THINGS % ns + "/all", Accept="application/yaml")
    x.ask("POST", THINGS % ns, "{", Accept="application/yaml")


@case
def accept_order(x, ns):
    path = THINGS % ns
    x.quietly("POST", path, thing("a"))
    for accept in ("application/json;q=0.1,application/yaml;q=0.2", "application/yaml;q=0.1,*/*", "*/*;q=0.9,application/yaml", "text/html,*/*;q=0.1",
                   "application/json;q=0", "application/json;q=nope,application/yaml", "application", "application/json/x", " ", ",", "application/json ; charset=utf-8",
                   "application/json;pretty=1", "application/yaml;pretty=1", "application/json;sv=v1", "application/json;sv=v2", "application/json;stream=other",
                   "application/yaml;stream=watch", "APPLICATION/JSON", "application/json;as=Table", "application/json;v=v1", "application/json;as=,application/yaml",
                   "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io;q=0.1,application/yaml"):
        x.ask("GET", path + "/a", Accept=accept)
    for accept in ("application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io", TABLE_BETA):
        x.watch(path + "?watch=true&resourceVersion=0", 1, Accept=accept)
    x.ask("GET", path + "?timeoutSeconds=1", Accept="text/html")


@case
def timeouts(x, ns):
    for path in (CORE % ns + "configmaps", THINGS % ns, "/version", "/apis/" + GROUP, "/apis/%s/v1/nope" % GROUP):
        for value in ("x", "5", "5q", "-1s", "1.5h", "0", "", "9999999999999h", "+5s", "1h30m", ".5s", "s", ".", "1..5s", "-", "1s ", "2\u00b5s1h", "1e3s", "32s"):
            from urllib.parse import quote
            x.ask("GET", path + "?timeout=" + quote(value), only=lambda a: (a["code"], a["headers"].get("content-type"), a["body"])
                  if a["code"] != 200 else 200)
    x.ask("POST", THINGS % ns + "?timeout=x", thing("a"))
    x.ask("POST", THINGS % ns + "?timeout=5s&timeout=x", thing("a"))
    x.watch(THINGS % ns + "?watch=true&timeout=x&resourceVersion=0", 1)


@case
def tables(x, ns):
    path = THINGS % ns
    x.quietly("POST", path, thing("a", spec={"replicas": 3, "image": "i", "flag": True}))
    x.quietly("POST", path, thing("b", spec={"replicas": 0, "flag": False}))
    x.quietly("POST", path, thing("c"))
    x.quietly("PATCH", path + "/a/status", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, Content_Type=MERGE)
    x.ask("GET", path, Accept=TABLE)
    x.ask("GET", path + "/a", Accept=TABLE)
    x.ask("GET", path + "?limit=1", Accept=TABLE)
    x.ask("GET", path + "?limit=1&continue={{continue}}", Accept=TABLE)
    x.ask("GET", path + "/a/status", Accept=TABLE)
    x.ask("GET", path + "/a/scale", Accept=TABLE)
    x.ask("GET", GADGETS, Accept=TABLE)
    x.ask("GET", "/api/v1/namespaces/" + ns, Accept=TABLE)
    secrets = CORE % ns + "secrets"
    x.quietly("POST", secrets, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "1"}})
    x.ask("GET", secrets, Accept=TABLE)
    x.ask("GET", CORE % ns + "events", Accept=TABLE)
    x.quietly("POST", CORE % ns + "configmaps", configmap("m", data={"a": "1"}, binaryData={"b": "YQ=="}))
    x.ask("GET", CORE % ns + "configmaps/m", Accept=TABLE)


@case
def lists(x, ns):
    secrets = CORE % ns + "secrets"
    things = THINGS % ns
    for path, make in ((secrets, lambda n, **m: dict({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": n}}, **m)),
                       (things, thing)):
        for index in range(5):
            x.quietly("POST", path, make("o%d" % index, metadata={
                "name": "o%d" % index, "labels": {"even": str(index % 2 == 0).lower(), "n": str(index)}}))
        x.ask("GET", path)
        x.ask("GET", path + "?limit=2")
        x.ask("GET", path + "?limit=2&continue={{continue}}")
        x.ask("GET", path + "?limit=2&continue={{continue}}")
        x.ask("GET", path + "?limit=2")
        x.ask("GET", path + "?continue={{continue}}&resourceVersion={{listrv}}")
        x.ask("GET", path + "?limit=2")
        x.ask("GET", path + "?continue={{continue}}&resourceVersion=0")
        x.ask("GET", path + "?limit=2")
        x.ask("GET", path + "?continue={{continue}}&resourceVersionMatch=Exact")
        for query in ("?limit=5", "?limit=0", "?limit=4&labelSelector=even%3Dtrue", "?limit=1&labelSelector=even%3Dtrue",
                      "?limit=2&fieldSelector=metadata.name%3Do3",
                      "?resourceVersion=0", "?resourceVersion=0&limit=2", "?resourceVersion={{listrv}}", "?resourceVersion=",
                      "?resourceVersionMatch=Exact", "?resourceVersionMatch=NotOlderThan", "?resourceVersionMatch=Nope",
                      "?resourceVersion=0&resourceVersionMatch=Exact", "?resourceVersion=0&resourceVersionMatch=NotOlderThan",
                      "?resourceVersion={{listrv}}&resourceVersionMatch=Exact", "?resourceVersion={{listrv}}&resourceVersionMatch=NotOlderThan",
                      "?resourceVersion={{rv:o1}}&resourceVersionMatch=NotOlderThan", "?resourceVersion={{rv:o1}}",
                      "?resourceVersion=1&resourceVersionMatch=Nope",
                      "?continue=nope", "?continue=bm9wZQ", "?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0",
                      "?sendInitialEvents=true", "?sendInitialEvents=true&resourceVersionMatch=NotOlderThan", "?sendInitialEvents=false",
                      "?allowWatchBookmarks=true", "?timeoutSeconds=1", "?nope=1"):
            x.ask("GET", path + query)
        x.ask("GET", path.replace("/namespaces/" + ns, "") + "?fieldSelector=metadata.namespace%3D" + ns)
        x.ask("GET", path.replace(ns, "no-such-namespace"))


@case
def list_version_too_large(x, ns):
    for path, _ in each(ns):
        x.ask("GET", path + "?resourceVersion=999999999&resourceVersionMatch=Exact")


@case
def selectors(x, ns):
    for path, make in each(ns):
        for index in range(4):
            x.quietly("POST", path, make("o%d" % index, metadata={
                "name": "o%d" % index, "labels": {"n": str(index), "t": "x", **({"odd": ""} if index % 2 else {})}}))
        for selector in ("n=1", "n==1", "n!=1,t", "n in (1,2)", "n notin (1,2),t=x", "odd,t", "!odd,t", "n=1,n=2", "n>1", "n<2", "t,n>0,n<3",
                         "", ",", "n=", "n in ()", "n in (1", "=1", "n=1=2", "n in 1", "a b", "n=a b", "n>x", "x/y/z=1", "-a=1", "!n=1",
                         "n=-1", " n = 1 , t ", "n in (1,)", "n notin (", "(", ")", "n in(1,2)", "N", "n in (a b)", "x" * 64, "n=" + "x" * 64):
            from urllib.parse import quote
            if not selector.strip(", "):
                continue
            x.ask("GET", path + "?labelSelector=" + quote(selector))
        for selector in ("metadata.name=o1", "metadata.name!=o1,metadata.namespace=" + ns, "metadata.name==o1", "metadata.name=o1,metadata.name=o2",
                         "metadata.namespace=other", "spec.nope=1", "status.phase=x", "metadata.labels=1", "nope", "=", "metadata.name",
                         "metadata.name=", "metadata.uid=1", "metadata.name=o1\\,x", "metadata.name>o1", "type=Opaque"):
            x.ask("GET", path + "?labelSelector=t&fieldSelector=" + quote(selector))
        x.ask("DELETE", path + "?fieldSelector=nope%3D1")
        x.ask("DELETE", path + "?labelSelector=a%20b")
    x.ask("GET", "/api/v1/namespaces?fieldSelector=metadata.name%3D" + ns)
    x.ask("GET", "/api/v1/namespaces?fieldSelector=status.phase%3DActive,metadata.name%3D" + ns)
    x.ask("GET", "/api/v1/namespaces?fieldSelector=metadata.namespace%3Dx")
    x.ask("GET", CORE % ns + "secrets?fieldSelector=type%3DOpaque")
    x.ask("GET", CORE % ns + "events?fieldSelector=involvedObject.nope%3DOpaque")
    x.ask("GET", GADGETS + "?fieldSelector=metadata.namespace%3Dx")


# ---- update ----

@case
def update(x, ns):
    for path, make in each(ns):
        x.ask("PUT", path + "/none", make("none"))
        x.ask("PUT", path + "/none", make("none", metadata={"name": "none", "resourceVersion": "5"}))
        x.ask("PUT", path + "/none", make("none", metadata={"name": "none", "uid": "11111111-1111-1111-1111-111111111111"}))
        x.ask("POST", path, make("a", metadata={"name": "a", "labels": {"a": "1"}, "generateName": "b"}))
        x.ask("PUT", path + "/a", make("b"))
        x.ask("PUT", path + "/a", make("", metadata={}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "namespace": "other"}))
        x.ask("PUT", path + "/a", dict(make("a"), kind="Other"))
        x.ask("PUT", path + "/a", dict(make("a"), apiVersion="other/v1"))
        x.ask("PUT", path + "/a", {"metadata": {"name": "a"}})
        x.ask("PUT", path + "/a", make("a"))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "labels": {"a": "2"}}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "labels": {"a": "2"}}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "labels": {"a": "2"}, "resourceVersion": "{{rv:a}}"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "labels": {"a": "3"}, "resourceVersion": "{{rv:a}}"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "labels": {"a": "4"}, "resourceVersion": "1"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "labels": {"a": "4"}, "resourceVersion": "0"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "labels": {"a": "5"}, "resourceVersion": "abc"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "labels": {"a": "5"}, "resourceVersion": "99999999"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "resourceVersion": 7}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "uid": "11111111-1111-1111-1111-111111111111"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "uid": "{{uid:a}}"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "uid": ""}))
        x.ask("PUT", path + "/a", make("a", metadata={
            "name": "a", "creationTimestamp": "2020-01-01T00:00:00Z", "generation": 9, "selfLink": "x", "generateName": "other",
            "deletionTimestamp": "2020-01-01T00:00:00Z", "deletionGracePeriodSeconds": 3}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "deletionTimestamp": "2020-01-01T00:00:00Z"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "deletionGracePeriodSeconds": 3}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "creationTimestamp": "2020-01-01T00:00:00Z"}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "generation": 9}))
        x.ask("PUT", path + "/a?dryRun=All", make("a", metadata={"name": "a", "labels": {"dry": "1"}}))
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "labels": {"a b": "1"}}))
        x.ask("PUT", path + "/a", "")
        x.ask("PUT", path + "/a", "[]")
        x.ask("PUT", path, make("a"))
        x.ask("GET", path + "/a")


@case
def status(x, ns):
    path = THINGS % ns
    x.ask("POST", path, thing("a", spec={"image": "x"}, status={"phase": "given"}))
    x.ask("PUT", path + "/a/status", thing("a", spec={"image": "y"}, status={"phase": "Ready"}))
    x.ask("PUT", path + "/a/status", thing("a", metadata={"name": "a", "labels": {"l": "1"}, "finalizers": ["a.com/b"]}, status={"phase": "Busy"}))
    x.ask("PUT", path + "/a", thing("a", spec={"image": "z"}, status={"phase": "no"}))
    x.ask("PUT", path + "/a", thing("a", spec={"image": "z"}))
    x.ask("PATCH", path + "/a/status", {"status": {"count": 1}, "spec": {"image": "no"}}, Content_Type=MERGE)
    x.ask("PATCH", path + "/a/status", [{"op": "add", "path": "/status/count", "value": 2}], Content_Type=JSON_PATCH)
    x.ask("PATCH", path + "/a/status?fieldManager=m", thing("a", status={"replicas": 2}), Content_Type=APPLY)
    x.ask("PATCH", path + "/a/status?fieldManager=m", thing("a", status={"count": 3}), Content_Type=APPLY)
    x.ask("PATCH", path + "/a/status?fieldManager=m&force=true", thing("a", status={"count": 3}, spec={"image": "q"}), Content_Type=APPLY)
    x.ask("PATCH", path + "/a", {"status": {"count": 9}}, Content_Type=MERGE)
    x.ask("PATCH", path + "/none/status", {"status": {}}, Content_Type=MERGE)
    x.ask("PATCH", path + "/none/status?fieldManager=m", thing("none", status={"count": 3}), Content_Type=APPLY)
    x.ask("PUT", path + "/none/status", thing("none"))
    x.ask("PUT", path + "/a/status", thing("a", status={"phase": 7}))
    x.ask("PUT", path + "/a/status", thing("a", status={"zork": 7}))
    x.ask("PUT", path + "/a/status", thing("a", metadata={"name": "a", "resourceVersion": "1"}, status={"phase": "x"}))
    x.ask("GET", path + "/a/status")
    x.ask("DELETE", path + "/a/status")
    x.ask("POST", path + "/a/status", thing("a"))
    x.ask("GET", path + "/none/status")
    x.ask("PUT", GADGETS + "/a/status", gadget("a"))
    x.ask("GET", path + "/a")


@case
def scale(x, ns):
    path = THINGS % ns
    x.ask("POST", path, thing("a", spec={"replicas": 2, "image": "i"}))
    x.quietly("PATCH", path + "/a/status", {"status": {"replicas": 1, "selector": "app=a"}}, Content_Type=MERGE)
    x.ask("GET", path + "/a/scale")
    x.ask("PATCH", path + "/a/scale", {"spec": {"replicas": 5}}, Content_Type=MERGE)
    x.ask("PATCH", path + "/a/scale", {"spec": {"replicas": 5}}, Content_Type=MERGE)
    x.ask("PATCH", path + "/a/scale", {"spec": {"replicas": -1}}, Content_Type=MERGE)
    x.ask("PATCH", path + "/a/scale", {"spec": {"replicas": "x"}}, Content_Type=MERGE)
    x.ask("PATCH", path + "/a/scale", [{"op": "replace", "path": "/spec/replicas", "value": 4}], Content_Type=JSON_PATCH)
    x.ask("PUT", path + "/a/scale", {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a", "namespace": ns},
                                     "spec": {"replicas": 3}})
    x.ask("PUT", path + "/a/scale", {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {
        "name": "a", "namespace": ns, "resourceVersion": "1"}, "spec": {"replicas": 9}})
    x.ask("PUT", path + "/a/scale", thing("a", spec={"replicas": 3}))
    x.ask("PATCH", path + "/a/scale?fieldManager=m", {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a"},
                                                      "spec": {"replicas": 7}}, Content_Type=APPLY)
    x.ask("PATCH", path + "/a/scale?dryRun=All", {"spec": {"replicas": 50}}, Content_Type=MERGE)
    x.ask("GET", path + "/none/scale")
    x.ask("PATCH", path + "/none/scale", {"spec": {"replicas": 5}}, Content_Type=MERGE)
    x.ask("DELETE", path + "/a/scale")
    x.ask("GET", path + "/a")
    x.ask("POST", path, thing("b"))
    x.ask("GET", path + "/b/scale")
    x.ask("PATCH", path + "/b/scale", {"spec": {"replicas": 1}}, Content_Type=MERGE)
    x.ask("GET", path + "/b")


# ---- patch ----

@case
def merge_patch(x, ns):
    for path, make in each(ns):
        member = "data" if make is configmap else "spec"
        x.quietly("POST", path, make("a", metadata={"name": "a", "labels": {"a": "1", "b": "2"}}))

        def patch(body, query="", name="a"):
            x.ask("PATCH", path + "/" + name + query, body, Content_Type=MERGE)
        patch({})
        patch({"metadata": {"labels": {"a": None, "c": "3"}}})
        patch({"metadata": {"labels": None}})
        patch({"metadata": {"labels": {}}})
        patch({"metadata": None})
        patch({member: {"image": "x"}})
        patch({member: {"image": None}})
        patch({member: None})
        patch({member: "text"})
        patch({member: []})
        patch([])
        patch("null")
        patch("true")
        patch("7")
        patch("")
        patch("nope")
        patch({"metadata": {"name": "other"}})
        patch({"metadata": {"name": None}})
        patch({"metadata": {"namespace": "other"}})
        patch({"metadata": {"uid": "x"}})
        patch({"metadata": {"uid": None}})
        patch({"kind": "Other"})
        patch({"kind": None})
        patch({"apiVersion": "other/v1"})
        patch({"metadata": {"resourceVersion": "1", "labels": {"z": "1"}}})
        patch({"metadata": {"resourceVersion": "{{rv:a}}", "labels": {"z": "2"}}})
        patch({"metadata": {"resourceVersion": None, "labels": {"z": "3"}}})
        patch({"metadata": {"resourceVersion": "x"}})
        patch({"metadata": {"creationTimestamp": None}})
        patch({"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}})
        patch({"metadata": {"generation": 99}})
        patch({"metadata": {"managedFields": []}})
        patch({"metadata": {"managedFields": None}})
        patch({"metadata": {"labels": {"q": 1}}})
        patch({"metadata": {"labels": {"q": ["x"]}}})
        patch({"metadata": {"deletionTimestamp": "2020-01-01T00:00:00Z"}})
        patch({"metadata": {"finalizers": ["a.com/b"]}})
        patch({"metadata": {"finalizers": None}})
        patch({"zork": 1}, "?fieldValidation=Strict")
        patch({"zork": 1})
        patch({"metadata": {"labels": {"dry": "1"}}}, "?dryRun=All")
        patch({"metadata": {"labels": {"m": "1"}}}, "?fieldManager=some")
        patch({"metadata": {"labels": {"m": "2"}}}, "?force=true")
        patch({"metadata": {"labels": {"m": "2"}}}, "?force=false")
        patch({"metadata": {"labels": {"m": "2"}}}, "?force=nope")
        patch({"metadata": {"labels": {"m": "2"}}}, name="none")
        patch({"metadata": {"resourceVersion": "1"}}, name="none")
        x.ask("PATCH", path, {})
        x.ask("PATCH", path + "/a", {})
        x.ask("PATCH", path + "/a", {}, Content_Type="text/plain")
        x.ask("PATCH", path + "/a", {}, Content_Type=None)
        x.ask("PATCH", path + "/a", {}, Content_Type=MERGE + "; charset=utf-8")
        x.ask("PATCH", path + "/a", "a: b", Content_Type="application/merge-patch+yaml")
        x.ask("PATCH", path + "/a", {}, Content_Type="application/vnd.kubernetes.protobuf")
        x.ask("GET", path + "/a")


@case
def json_patch(x, ns):
    for path, make in each(ns):
        x.quietly("POST", path, make("a", metadata={"name": "a", "labels": {"a": "1", "b/c": "2", "d~e": "3"}}))

        def patch(*operations, query=""):
            x.ask("PATCH", path + "/a" + query, list(operations), Content_Type=JSON_PATCH)

        def op(name, where, value="", **more):
            return dict({"op": name, "path": where, "value": value}, **more)
        patch()
        patch(op("add", "/metadata/labels/x", "1"))
        patch(op("add", "/metadata/labels/b~1c", "1"), op("replace", "/metadata/labels/d~0e", "9"))
        patch(op("replace", "/metadata/labels/none", "1"))
        patch({"op": "remove", "path": "/metadata/labels/none"})
        patch({"op": "remove", "path": "/metadata/labels/a"})
        patch({"op": "remove", "path": "/none/deeper"})
        patch(op("test", "/metadata/labels/x", "1"))
        patch(op("test", "/metadata/labels/x", "2"), op("add", "/metadata/labels/y", "1"))
        patch(op("test", "/metadata/labels/none", None))
        patch(op("test", "/metadata/name", "a"))
        patch({"op": "move", "from": "/metadata/labels/x", "path": "/metadata/labels/y"})
        patch({"op": "copy", "from": "/metadata/labels/y", "path": "/metadata/labels/z"})
        patch({"op": "move", "from": "/none", "path": "/metadata/labels/y"})
        patch({"op": "copy", "from": "/none", "path": "/metadata/labels/y"})
        patch(op("nope", "/metadata/labels/x", "1"))
        patch({"op": "add", "path": "/metadata/labels/x"})
        patch({"op": "add", "value": "x"})
        patch({"path": "/x"})
        patch(op("add", "", {}))
        patch(op("add", "metadata", {}))
        patch(op("replace", "/metadata/name", "other"))
        patch(op("replace", "/kind", "Other"))
        patch(op("add", "/metadata/finalizers", ["a.com/a"]))
        patch(op("add", "/metadata/finalizers/-", "a.com/b"))
        patch(op("add", "/metadata/finalizers/0", "a.com/0"))
        patch(op("add", "/metadata/finalizers/9", "a.com/9"))
        patch(op("add", "/metadata/finalizers/-1", "a.com/m"))
        patch({"op": "remove", "path": "/metadata/finalizers/7"})
        patch({"op": "remove", "path": "/metadata/finalizers/-"})
        patch(op("replace", "/metadata/finalizers/x", "a.com/m"))
        patch({"op": "remove", "path": "/metadata/finalizers"})
        patch({"op": "remove", "path": "/metadata/labels"})
        patch({"op": "remove", "path": "/metadata"})
        patch({"op": "remove", "path": "/metadata/managedFields"})
        patch(op("replace", "/metadata/managedFields", [{}]), query="?fieldManager=x")
        patch(op("replace", "/metadata/resourceVersion", "1"))
        patch(op("test", "/metadata/resourceVersion", "{{rv:a}}"), op("add", "/metadata/annotations", {"a": "1"}))
        patch(op("add", "/metadata/annotations/b", 7))
        patch(op("add", "/zork", 7), query="?fieldValidation=Strict")
        patch(op("add", "/metadata/annotations/dry", "1"), query="?dryRun=All")
        for body in ("{}", "null", "7", "true", "", "nope", "[7]", "[null]", "[[]]", '[{"op":"add","path":7}]'):
            x.ask("PATCH", path + "/a", body, Content_Type=JSON_PATCH)
        x.ask("PATCH", path + "/none", [], Content_Type=JSON_PATCH)
        x.ask("GET", path + "/a")


@case
def strategic_patch(x, ns):
    maps, things = paths(ns)
    x.quietly("POST", things, thing("a"))
    x.ask("PATCH", things + "/a", {}, Content_Type=STRATEGIC)
    x.ask("PATCH", things + "/none", {}, Content_Type=STRATEGIC)
    x.quietly("POST", maps, configmap("absent-owner"))
    x.quietly("POST", maps, configmap("a", metadata={"name": "a", "labels": {"a": "1", "b": "2"}, "finalizers": ["a.com/a"]},
                                      data={"k": "1", "l": "2"}))

    def patch(body, query=""):
        x.ask("PATCH", maps + "/a" + query, body, Content_Type=STRATEGIC)
    patch({})
    patch({"data": {"k": "2", "l": None}})
    patch({"data": {"$patch": "replace", "m": "1"}})
    patch({"data": {"$patch": "delete"}})
    patch({"data": {"a": "1"}, "$retainKeys": ["data"]})
    patch({"metadata": {"finalizers": ["a.com/b"]}})
    patch({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.com/a"]}})
    patch({"metadata": {"finalizers": None}})
    owner = {"apiVersion": "absent.example.com/v1", "kind": "Absent", "name": "o", "uid": "11111111-1111-1111-1111-111111111111"}
    patch({"metadata": {"ownerReferences": [owner]}})
    patch({"metadata": {"ownerReferences": [dict(owner, uid="2"), {"uid": owner["uid"], "name": "renamed"}]}})
    patch({"metadata": {"ownerReferences": [{"$patch": "delete", "uid": "2"}]}})
    patch({"metadata": {"ownerReferences": [{"name": "x"}]}})
    patch({"metadata": {"$setElementOrder/ownerReferences": [{"uid": "2"}]}})
    patch({"metadata": {"labels": {"$patch": "replace", "z": "1"}}})
    patch({"metadata": {"labels": {"a": 1}}})
    patch({"metadata": {"name": "other"}})
    patch({"data": "x"})
    patch({"data": []})
    patch({"zork": 1}, "?fieldValidation=Strict")
    patch({"zork": 1})
    patch([])
    patch("null")
    patch("nope")
    patch({"$patch": "nope"})
    patch({"data": {"$patch": "nope"}})
    patch({"metadata": {"resourceVersion": "1"}, "data": {"x": "y"}})
    patch({"metadata": {"uid": "x"}})
    x.ask("GET", maps + "/a")


@case
def apply(x, ns):
    for path, make in each(ns):
        member, one, two, other = ("data", {"a": "1"}, {"a": "2"}, {"b": "1"}) if make is configmap else (
            "spec", {"image": "1"}, {"image": "2"}, {"labels": {"b": "1"}})

        def put(body, query="fieldManager=m", name="a", **headers):
            x.ask("PATCH", path + "/" + name + "?" + query, body, **dict({"Content_Type": APPLY}, **headers))
        put(make("a", **{member: one}))
        put(make("a", **{member: one}))
        put(make("a", **{member: two}), "fieldManager=n")
        put(make("a", **{member: dict(two, **other)}), "fieldManager=n&force=true")
        put(make("a", **{member: one}))
        put(make("a"))
        put(make("a", **{member: other}), "fieldManager=n")
        put(make("a", **{member: one}), "")
        put(make("a", **{member: one}), "fieldManager=")
        put(make("a", **{member: one}), "fieldManager=m&force=nope")
        put(make("a", **{member: one}), "fieldManager=m&dryRun=All")
        put(make("new", **{member: one}), "fieldManager=m&dryRun=All", name="new")
        put(make("b"))
        put({"metadata": {"name": "a"}})
        put(dict(make("a"), kind="Other"))
        put(dict(make("a"), apiVersion="other/v1"))
        put(dict(make("a"), apiVersion=""))
        put({"apiVersion": make("a")["apiVersion"], "kind": make("a")["kind"]})
        put(make("a", metadata={"name": "a", "managedFields": []}))
        put(make("a", metadata={"name": "a", "managedFields": [{"manager": "x"}]}))
        put(make("a", metadata={"name": "a", "resourceVersion": "1"}))
        put(make("a", metadata={"name": "a", "resourceVersion": "{{rv:a}}"}))
        put(make("a", metadata={"name": "a", "resourceVersion": "x"}))
        put(make("none", metadata={"name": "none", "resourceVersion": "1"}), name="none")
        put(make("nobody", metadata={"name": "nobody", "uid": "x"}), name="nobody")
        put(make("a", metadata={"name": "a", "uid": "x"}))
        put(make("a", metadata={"name": "a", "uid": "{{uid:a}}"}))
        put(make("a", metadata={"name": "a", "namespace": "other"}))
        put(make("a", metadata={"name": "a", "generation": 4, "creationTimestamp": "2020-01-01T00:00:00Z"}))
        put(make("a", metadata={"name": "a", "labels": {"x": None}}))
        put(make("a", metadata={"name": "a", "labels": {"a b": "1"}}))
        put(make("a", zork=1), "fieldManager=m&dryRun=All")
        put(make("a", zork=1), "fieldManager=m&dryRun=All&fieldValidation=Strict")
        put(make("a", zork=1), "fieldManager=m&dryRun=All&fieldValidation=Ignore")
        for body in ("", "{", "[]", "null", "7", "a: [", "- a", "a: b: c", "a: 1\n---\nb: 2\n"):
            put(body)
        put("apiVersion: %s\nkind: %s\nmetadata:\n  name: yaml\n  labels: {a: \"1\"}\n" % (make("a")["apiVersion"], make("a")["kind"]), name="yaml")
        put("apiVersion: %s\nkind: %s\nmetadata:\n  name: yaml\n  labels: {a: \"1\"}\n  labels: {b: \"1\"}\n" % (
            make("a")["apiVersion"], make("a")["kind"]), name="yaml")
        put(make("a"), Content_Type="application/apply-patch+cbor")
        put(make("none"), name="none", query="fieldManager=m&fieldValidation=Strict")
        put(make("nons"), name="nons", query="fieldManager=" + "m" * 129)
        x.ask("PATCH", path.replace(ns, "no-such-namespace") + "/a?fieldManager=m", make("a"), Content_Type=APPLY)
        x.ask("GET", path + "/a")
    x.ask("PATCH", THINGS % ns + "/list?fieldManager=m", thing("list", spec={"items": [{"value": "x"}]}), Content_Type=APPLY)
    x.ask("PATCH", THINGS % ns + "/list?fieldManager=m", thing("list", spec={"items": [{"name": "a"}, {"name": "a"}]}), Content_Type=APPLY)
    x.ask("PATCH", THINGS % ns + "/list?fieldManager=m", thing("list", spec={"tags": ["a", "a"]}), Content_Type=APPLY)
    x.ask("PATCH", THINGS % ns + "/list?fieldManager=m", thing("list", spec={"items": "x"}), Content_Type=APPLY)
    x.ask("PATCH", THINGS % ns + "/list?fieldManager=m", thing("list", spec={"items": ["x"]}), Content_Type=APPLY)
    x.ask("PATCH", THINGS % ns + "/list?fieldManager=m", thing("list", spec={"replicas": "x"}), Content_Type=APPLY)
    x.ask("PATCH", THINGS % ns + "/list?fieldManager=m", thing("list", spec="x"), Content_Type=APPLY)
    x.ask("PATCH", THINGS % ns + "/list?fieldManager=m", thing("list", spec={"replicas": -1}), Content_Type=APPLY)


@case
def schema_errors(x, ns):
    def post(**spec):
        x.ask("POST", GADGETS + "?dryRun=All", gadget("e", spec=spec))
    x.ask("POST", GADGETS + "?dryRun=All", gadget("e"))
    x.ask("POST", GADGETS + "?dryRun=All", gadget("e", spec=None))
    x.ask("POST", GADGETS + "?dryRun=All", gadget("e", spec=[]))
    post()
    post(mode="fast")
    for key, values in (
            ("mode", ("other", 7, None, "")), ("code", ("a1", "A1", "a", "abcdef1", 7, "", "a\n1")), ("percent", (0, 100, -1, 101, 1.5, "1", 1.0)),
            ("small", (2147483648, -2147483649, 7, 9223372036854775808)), ("factor", (1.5, 1.3, "x", 1)), ("above", (1, 2, 0.5)),
            ("list", ([], [1], [1, 2, 3, 4], ["x"], {}, [None], [1.5])), ("map", ({}, {"a": True}, {"a": 1}, {"a": True, "b": True, "c": True}, [])),
            ("when", ("2020-01-01T00:00:00Z", "yesterday", "", 7)), ("blob", ("YQ==", "?", "")), ("either", (1, "x", 1.5, True, None, {})),
            ("level", (1, 4, "1", 2.0)), ("inner", ({}, {"a": "1"}, {"a": 1, "b": 2}, None, "x")), ("zork", (1,))):
        for value in values:
            post(mode="fast", **{key: value}) if key != "mode" else post(mode=value)
    post(code="A", percent=500, list=[], zork=1)
    x.ask("POST", GADGETS + "?dryRun=All", dict(gadget("Bad_Name", spec={"mode": "x"}), metadata={"name": "Bad_Name", "labels": {"a b": "1"}}))
    things = THINGS % ns

    def other(**spec):
        x.ask("POST", things + "?dryRun=All", thing("e", spec=spec))
    for spec in (dict(tags=["a", "a"]), dict(numbers=[1, 1, 2, 2]), dict(items=[{"name": "a"}, {"name": "a"}]), dict(items=[{}]),
                 dict(items=[None]), dict(items=["x"]), dict(ports=[{"port": 1}, {"port": 1, "protocol": "TCP"}]), dict(ports=[{"protocol": "x"}]),
                 dict(ports=[{"port": 1, "target": 1.5}]), dict(ports=[{"port": 1, "target": None}]), dict(maybe=None), dict(nothing=None),
                 dict(image=None), dict(size=None), dict(labels={"a": None}), dict(labels={"a": 1}), dict(labels=None), dict(nested={"deep": None}),
                 dict(nested={"objects": {"a": None}}), dict(free=None), dict(free="x"), dict(any=None), dict(any="x"), dict(any=[None, {"a": None}]),
                 dict(replicas=1.0), dict(replicas=1e2), dict(replicas=3000000000), dict(ratio=1), dict(ratio=1e400 if False else 1e300),
                 dict(flag="true"), dict(args="x"), dict(args=[1]), dict(args=[None]), dict(nested={}), dict(nested={"deep": {}})):
        other(**spec)
    x.ask("POST", things + "?dryRun=All", '{"apiVersion":"%s/v1","kind":"Thing","metadata":{"name":"n"},"spec":{"ratio":1e400}}' % GROUP)
    x.ask("POST", things + "?dryRun=All", '{"apiVersion":"%s/v1","kind":"Thing","metadata":{"name":"n"},"spec":{"free":'
          '{"a":9007199254740993,"b":1.0,"c":1e3,"d":-0,"e":18446744073709551615,"f":0.1,"g":1e-7,"h":123456789.125,"i":1E+2}}}' % GROUP)


def both_show(x, path, wanted):
    """A kube-apiserver serves a changed definition a little later."""
    end = time.monotonic() + 90
    while not all(wanted(answer) for answer in x.quietly("GET", path)):
        if time.monotonic() > end:
            raise ValueError("%s is not what both come to show" % path)
        time.sleep(0.2)


@case
def schema_moves(x, ns):
    """What was stored under one schema, read under another."""
    run = ns.rsplit("-", 1)[1]
    spec = {"old": STRING, "n": INTEGER, "list": {"type": "array", "items": {"type": "object", "properties": {"name": STRING, "gone": STRING}}}}
    definition = crd("Mover" + run, "movers" + run, "Namespaced", {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}})
    crds, path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "/apis/%s/v1/namespaces/%s/movers%s" % (GROUP, ns, run)
    x.quietly("POST", crds, definition)
    both_show(x, path, lambda answer: answer.code == 200)

    def mover(name, **spec):
        return {"apiVersion": GROUP + "/v1", "kind": "Mover" + run, "metadata": {"name": name}, "spec": spec}
    for name in ("a", "b", "c", "d"):
        x.ask("POST", path, mover(name, n=1, old="x", list=[{"name": "i", "gone": "y"}]))
    later = {"n": INTEGER, "m": {"type": "integer", "default": 7}, "deep": {"type": "object", "default": {}, "properties": {"k": {"type": "string", "default": "v"}}},
             "list": {"type": "array", "items": {"type": "object", "properties": {"name": STRING, "kind": {"type": "string", "default": "plain"}}}}}
    version = dict(definition["spec"]["versions"][0], schema={"openAPIV3Schema": {
        "type": "object", "properties": {"spec": {"type": "object", "default": {}, "properties": later}}}})
    x.quietly("PATCH", crds + "/movers%s.%s" % (run, GROUP), {"spec": {"versions": [version]}}, Content_Type=MERGE)
    both_show(x, path + "/a", lambda answer: answer.item().get("spec", {}).get("m") == 7)
    x.ask("GET", path + "/a")
    x.ask("GET", path)
    x.ask("GET", path + "/a", Accept="application/yaml")
    x.watch(path + "?watch=true&resourceVersion=0", 4)
    x.ask("PATCH", path + "/a", {"metadata": {"labels": {"x": "1"}}}, Content_Type=MERGE)
    x.ask("GET", path + "/a")
    x.ask("PUT", path + "/b", dict(mover("b", n=1, list=[{"name": "i"}]), metadata={"name": "b", "resourceVersion": "{{rv:b}}"}))
    x.ask("PATCH", path + "/c?fieldManager=m", mover("c", n=2), Content_Type=APPLY)
    x.ask("PATCH", path + "/c?fieldManager=m&force=true", mover("c", n=2, m=8), Content_Type=APPLY)
    x.ask("POST", path, mover("e"))
    x.ask("DELETE", path + "/d", {"dryRun": ["All"]})
    x.ask("DELETE", path)
    x.quietly("DELETE", crds + "/movers%s.%s" % (run, GROUP))


# ---- delete ----

@case
def delete(x, ns):
    for path, make in each(ns):
        def new(name="a", **metadata):
            x.quietly("POST", path, make(name, metadata=dict({"name": name}, **metadata)))

        def gone(body=None, query="", name="a", **headers):
            x.ask("DELETE", path + "/" + name + query, body, **headers)
        gone()
        new()
        gone()
        new()
        gone({"kind": "DeleteOptions", "apiVersion": "v1"})
        new()
        gone({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"})
        new()
        gone({})
        new()
        for body in ({"kind": "Other", "apiVersion": "v1"}, {"apiVersion": "other/v1", "kind": "DeleteOptions"}, {"zork": 1, "dryRun": ["All"]},
                     [], "null", "7", "nope", {"preconditions": {"uid": "x"}}, {"preconditions": {"resourceVersion": "1"}},
                     {"preconditions": {"uid": "x", "resourceVersion": "1"}}, {"preconditions": {"resourceVersion": "abc"}}, {"preconditions": "x"},
                     {"dryRun": ["All"]}, {"dryRun": ["Nope"]}, {"dryRun": "All"}, {"dryRun": ["All", "All"]}, {"propagationPolicy": "Nope"},
                     {"propagationPolicy": 7}, {"propagationPolicy": "Background", "orphanDependents": True}, {"gracePeriodSeconds": "x"},
                     {"dryRun": ["All"], "gracePeriodSeconds": -1}, {"dryRun": ["All"], "gracePeriodSeconds": 30},
                     {"dryRun": ["All"], "propagationPolicy": "Foreground"}, {"dryRun": ["All"], "propagationPolicy": "Orphan"},
                     {"dryRun": ["All"], "orphanDependents": True}, {"dryRun": ["All"], "orphanDependents": False},
                     {"dryRun": ["All"], "ignoreStoreReadErrorWithClusterBreakingPotential": True}):
            gone(body)
        for query in ("?dryRun=All", "?dryRun=Nope", "?propagationPolicy=Nope", "?propagationPolicy=Foreground&dryRun=All",
                      "?gracePeriodSeconds=x", "?gracePeriodSeconds=0&dryRun=All", "?orphanDependents=x", "?orphanDependents=true&propagationPolicy=Orphan",
                      "?fieldValidation=Strict&dryRun=All"):
            gone(query=query)
        gone({"dryRun": ["All"]}, "?dryRun=Nope")
        gone("{", Content_Type="text/plain")
        gone("kind: DeleteOptions\napiVersion: v1\ndryRun: [All]\n", Content_Type="application/yaml")
        x.ask("GET", path + "/a")
        gone({"preconditions": {"uid": "{{uid:a}}", "resourceVersion": "{{rv:a}}"}})
        new()
        gone({"gracePeriodSeconds": 0})
        new()
        gone(query="?propagationPolicy=Background")
        gone(name="A_B")


@case
def finalizers(x, ns):
    for path, make in each(ns):
        x.ask("POST", path, make("a", metadata={"name": "a", "finalizers": ["a.com/one", "a.com/two"]}))
        x.ask("DELETE", path + "/a", {"dryRun": ["All"]})
        x.ask("DELETE", path + "/a", {"gracePeriodSeconds": 30})
        x.ask("GET", path + "/a")
        x.ask("DELETE", path + "/a")
        x.ask("DELETE", path + "/a", {"propagationPolicy": "Background"})
        x.ask("DELETE", path + "/a", {"preconditions": {"uid": "x"}})
        x.ask("POST", path, make("a"))
        x.ask("PATCH", path + "/a", {"metadata": {"labels": {"a": "1"}}}, Content_Type=MERGE)
        x.ask("PATCH", path + "/a", {"metadata": {"finalizers": ["a.com/three", "a.com/one"]}}, Content_Type=MERGE)
        x.ask("PATCH", path + "/a", {"metadata": {"finalizers": ["a.com/two"]}}, Content_Type=MERGE)
        x.ask("PATCH", path + "/a", {"metadata": {"deletionTimestamp": None}}, Content_Type=MERGE)
        x.ask("PUT", path + "/a", make("a", metadata={"name": "a", "finalizers": ["a.com/two"], "resourceVersion": "{{rv:a}}"}))
        x.ask("PATCH", path + "/a?fieldManager=m", make("a", metadata={"name": "a", "finalizers": ["a.com/four"]}), Content_Type=APPLY)
        x.ask("PATCH", path + "/a?dryRun=All", {"metadata": {"finalizers": []}}, Content_Type=MERGE)
        x.ask("GET", path + "/a", only=lambda a: a["code"])
        x.ask("PATCH", path + "/a", {"metadata": {"finalizers": []}}, Content_Type=MERGE)
        x.ask("GET", path + "/a")
        x.ask("POST", path, make("b", metadata={"name": "b", "finalizers": ["a.com/one"]}))
        x.quietly("DELETE", path + "/b")
        x.ask("PUT", path + "/b", make("b"))
        x.ask("GET", path + "/b")


@case
def delete_collection(x, ns):
    secrets = CORE % ns + "secrets"
    for path, make in ((secrets, lambda n, **m: dict({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": n}}, **m)), (THINGS % ns, thing)):
        for index in range(6):
            x.quietly("POST", path, make("o%d" % index, metadata={
                "name": "o%d" % index, "labels": {"n": str(index // 2)}, "finalizers": ["a.com/a"] if index == 3 else []}))
        x.ask("DELETE", path + "?labelSelector=n%3D0&dryRun=All")
        x.ask("DELETE", path + "?labelSelector=n%3D0", {"dryRun": ["All"]})
        x.ask("DELETE", path + "?labelSelector=n%3D0", {"propagationPolicy": "Nope"})
        x.ask("DELETE", path + "?labelSelector=n%3D0")
        x.ask("DELETE", path + "?fieldSelector=metadata.name%3Do2")
        x.ask("DELETE", path + "?limit=1&labelSelector=n%3D2")
        x.ask("DELETE", path + "?limit=1&continue={{continue}}&labelSelector=n%3D2", {"dryRun": ["All"]})
        x.ask("DELETE", path + "?limit=2", {"dryRun": ["All"]})
        x.ask("DELETE", path + "?limit=2&continue={{continue}}", {"dryRun": ["All"]})
        x.ask("DELETE", path + "?continue=nope", {"dryRun": ["All"]})
        x.ask("DELETE", path + "?resourceVersion=0&labelSelector=none")
        x.ask("DELETE", path + "?resourceVersionMatch=Exact")
        x.ask("GET", path)
        x.ask("DELETE", path)
        x.ask("GET", path)
        x.quietly("PATCH", path + "/o3", {"metadata": {"finalizers": None}}, Content_Type=MERGE)
        x.ask("DELETE", path + "?labelSelector=none")


# ---- methods ----

@case
def methods(x, ns):
    for path, make in each(ns):
        x.quietly("POST", path, make("a"))
        for method in ("OPTIONS", "TRACE", "FOO", "CONNECT"):
            if method != "CONNECT":
                x.ask(method, path)
                x.ask(method, path + "/a")
        x.ask("PUT", path, make("a"))
        x.ask("PATCH", path, {}, Content_Type=MERGE)
        x.ask("POST", path + "/a", make("a"))
        x.ask("PUT", path.replace("/namespaces/" + ns, ""), make("a"))
        x.ask("DELETE", path.replace("/namespaces/" + ns, "") + "?labelSelector=never")
        x.ask("GET", path, X_HTTP_Method_Override="DELETE", only=lambda a: a["code"])
    x.ask("OPTIONS", "/api")
    x.ask("PUT", "/apis", {}, only=lambda a: (a["code"], a["headers"], a["body"]["kind"]))
    x.ask("DELETE", "/api/v1")


# ---- watch ----

@case
def watches(x, ns):
    for path, make in each(ns):
        label = {"w": "1"}
        x.quietly("POST", path, make("a", metadata={"name": "a", "labels": label}))
        start = "{{rv:a}}"
        x.ask("GET", path + "?labelSelector=w")
        x.quietly("POST", path, make("b", metadata={"name": "b", "labels": label}))
        x.quietly("PATCH", path + "/b", {"metadata": {"labels": {"w": None}}}, Content_Type=MERGE)
        x.quietly("PATCH", path + "/b", {"metadata": {"labels": {"w": "2", "x": "1"}}}, Content_Type=MERGE)
        x.quietly("DELETE", path + "/b")
        q = path + "?watch=true&labelSelector=w"
        x.watch(q + "&resourceVersion=" + start, 4)
        x.watch(q + "&resourceVersion=0", 1)
        x.watch(q, 1)
        x.watch(q + "&resourceVersion=" + start, 2, Accept=TABLE)
        x.watch(q + "&resourceVersion=" + start, 2, Accept=PARTIAL)
        x.watch(q + "&resourceVersion=" + start, 2, Accept="application/yaml")
        x.watch(q + "&resourceVersion=" + start, 1, Accept="application/json;stream=watch")
        x.watch(q + "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", 2)
        x.watch(q + "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=0", 2)
        x.watch(q + "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=0", 2, Accept=TABLE)
        x.watch(q + "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=0", 2, Accept=PARTIAL)
        x.watch(q + "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0", 1)
        x.watch(path + "/a?watch=true&resourceVersion=0", 1)
        x.watch(path + "?watch=true&fieldSelector=metadata.name%3Da&resourceVersion=0", 1)
        x.watch(path + "?watch=1&labelSelector=w&resourceVersion=0", 1)
        x.watch(path + "?watch=true&labelSelector=none&timeoutSeconds=1", 1)
        watch = path.replace("/api/v1/", "/api/v1/watch/").replace("/v1/namespaces", "/v1/watch/namespaces") \
            if make is thing else path.replace("/api/v1/", "/api/v1/watch/")
        x.watch(watch + "?labelSelector=w&resourceVersion=0", 1)
        x.watch(watch + "/a?resourceVersion=0", 1)


@case
def watch_errors(x, ns):
    for path, make in each(ns):
        q = path + "?watch=true&timeoutSeconds=1"
        for query in ("&resourceVersion=x", "&resourceVersion=-1", "&sendInitialEvents=true", "&sendInitialEvents=false",
                      "&sendInitialEvents=true&resourceVersionMatch=Exact", "&resourceVersionMatch=NotOlderThan", "&resourceVersionMatch=Exact&resourceVersion=1",
                      "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=x", "&labelSelector=a%20b", "&fieldSelector=nope%3D1",
                      "&limit=1&labelSelector=none&resourceVersion=0", "&continue=x&labelSelector=none", "&timeoutSeconds=x&labelSelector=none", "&allowWatchBookmarks=nope&labelSelector=none"):
            x.watch(q + query, 2)
        x.watch(path + "/none?watch=true&timeoutSeconds=1", 1)
        x.watch(q + "&labelSelector=none&resourceVersion=0", 1, Accept="application/vnd.kubernetes.protobuf" if make is thing else "text/html")
        x.ask("POST", path + "?watch=true&dryRun=All", make("w"))


# ---- namespaces ----

@case
def namespaces(x, ns):
    root = "/api/v1/namespaces"

    def make(name, **more):
        return dict({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, **more)
    one = ns + "-one"
    x.ask("POST", root, make(one, metadata={"name": one, "labels": {"a": "1"}}))
    x.ask("POST", root, make(one))
    x.ask("GET", root + "/" + one)
    x.ask("GET", root + "/" + one + "/")
    x.ask("GET", root + "/" + one + "/status")
    x.ask("PUT", root + "/" + one, make(one))
    x.ask("PATCH", root + "/" + one, {"metadata": {"labels": {"kubernetes.io/metadata.name": "other", "b": "1"}}}, Content_Type=MERGE)
    x.ask("PATCH", root + "/" + one, {"spec": {"finalizers": None}}, Content_Type=MERGE)
    x.ask("PATCH", root + "/" + one, {"spec": {"finalizers": ["x"]}}, Content_Type=MERGE)
    x.ask("PATCH", root + "/" + one + "/status", {"status": {"phase": "Other"}}, Content_Type=MERGE)
    x.ask("PATCH", root + "/" + one, {"status": {"phase": "Other"}}, Content_Type=MERGE)
    x.ask("PATCH", root + "/" + one, {"metadata": {"finalizers": ["a.com/a"]}}, Content_Type=STRATEGIC)
    x.ask("PATCH", root + "/" + one + "?fieldManager=m", make(one, metadata={"name": one, "labels": {"c": "1"}}), Content_Type=APPLY)
    x.ask("PUT", root + "/" + one + "/finalize?dryRun=All", make(one, spec={"finalizers": ["kubernetes", "a.com/b"]}))
    x.ask("GET", root + "/" + one + "/finalize")
    x.ask("PATCH", root + "/" + one + "/finalize", {"spec": {"finalizers": []}}, Content_Type=MERGE)
    x.ask("DELETE", root + "/" + one, {"dryRun": ["All"]})
    x.ask("DELETE", root, only=lambda a: a["code"])
    x.ask("POST", root + "?dryRun=All", make(ns + "-two", spec={"finalizers": ["a.com/x"]}))
    x.ask("POST", root + "?dryRun=All", make(ns + "-two", spec={"finalizers": ["bad one"]}))
    x.ask("POST", root + "?dryRun=All", make(ns + "-two", status={"phase": "Terminating"}))
    x.ask("POST", root + "?dryRun=All", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "gen-"}})
    x.ask("GET", root + "?fieldSelector=metadata.name%3D" + one, Accept=TABLE)
    for name in ("default", "kube-system", "kube-public"):
        x.ask("DELETE", root + "/" + name, {"dryRun": ["All"]})
    x.ask("GET", root + "/" + one)


@case
def secrets(x, ns):
    path = CORE % ns + "secrets"

    def make(name, **more):
        return dict({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}, **more)
    x.ask("POST", path, make("a", stringData={"a": "1"}, data={"b": "Mg=="}))
    x.ask("POST", path, make("b", data={"b": "?"}))
    x.ask("POST", path, make("b", data={"b": None}))
    x.ask("POST", path, make("b", data={"b c": "Mg=="}))
    x.ask("POST", path, make("b", type="kubernetes.io/tls"))
    x.ask("POST", path, make("b", type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": "eA=="}))
    x.ask("POST", path, make("b", type="kubernetes.io/basic-auth"))
    x.ask("POST", path, make("b", type="kubernetes.io/ssh-auth"))
    x.ask("POST", path, make("b", type="kubernetes.io/service-account-token"))
    x.ask("POST", path, make("c", type="custom/type", immutable=True, stringData={"x": ""}))
    x.ask("PUT", path + "/c", make("c", type="custom/type", immutable=True, stringData={"x": "y"}))
    x.ask("PUT", path + "/c", make("c", type="other/type"))
    x.ask("PATCH", path + "/c", {"immutable": False}, Content_Type=MERGE)
    x.ask("PATCH", path + "/c", {"metadata": {"labels": {"a": "1"}}}, Content_Type=MERGE)
    x.ask("PATCH", path + "/a", {"type": "other"}, Content_Type=MERGE)
    x.ask("PATCH", path + "/a", {"stringData": {"c": "3"}}, Content_Type=MERGE)
    x.ask("PATCH", path + "/a", {"stringData": {"c": "3"}}, Content_Type=STRATEGIC)
    x.ask("PATCH", path + "/a?fieldManager=m", make("a", stringData={"d": "4"}), Content_Type=APPLY)
    x.ask("PATCH", path + "/a?fieldManager=m&force=true", make("a", data={"a": "OQ=="}), Content_Type=APPLY)
    x.ask("GET", path + "/a")
    maps = CORE % ns + "configmaps"
    x.ask("POST", maps, configmap("i", immutable=True, data={"a": "1"}))
    x.ask("PATCH", maps + "/i", {"data": {"a": "2"}}, Content_Type=MERGE)
    x.ask("PATCH", maps + "/i", {"immutable": None}, Content_Type=MERGE)
    x.ask("PATCH", maps + "/i", {"binaryData": {"b": "YQ=="}}, Content_Type=MERGE)
    x.ask("POST", maps, configmap("j", data={"a": "1"}, binaryData={"a": "YQ=="}))
    x.ask("POST", maps, configmap("k", data={"a": None}))
    x.ask("POST", maps, configmap("l", data={}))
    x.ask("POST", maps, configmap("m", data={"a": "x" * (1 << 20)}))

"""kinds.py - the kinds that both servers are given: everything a structural schema can say, and what is refused."""

GROUP = "diff.example.com"
STRING = {"type": "string"}
INTEGER = {"type": "integer", "format": "int64"}

THING_SPEC = {"type": "object", "properties": {
    "replicas": {"type": "integer", "format": "int32", "minimum": 0}, "image": STRING, "flag": {"type": "boolean"},
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
    "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
              "items": {"type": "object", "required": ["port"], "properties": {
                  "port": INTEGER, "protocol": {"type": "string", "default": "TCP"},
                  "target": {"x-kubernetes-int-or-string": True}}}},
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
    "maybe": {"type": "string", "nullable": True},
    "nothing": {"type": "object", "nullable": True, "properties": {"x": INTEGER}},
    "nested": {"type": "object", "properties": {
        "deep": {"type": "object", "default": {}, "properties": {"x": INTEGER, "y": {"type": "integer", "default": 7}}},
        "objects": {"type": "object", "additionalProperties": {
            "type": "object", "properties": {"p": INTEGER, "q": INTEGER}}}}}}}
CONDITIONS = {
    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
    "items": {"type": "object", "required": ["type"], "properties": {"type": STRING, "status": STRING}}}
THING_SCHEMA = {"type": "object", "description": "Thing is what can be configured.", "properties": {
    "spec": dict(THING_SPEC, description="What is wanted."),
    "status": {"type": "object", "description": "What is.", "properties": {
        "phase": STRING, "count": INTEGER, "replicas": INTEGER, "selector": STRING, "conditions": CONDITIONS}}}}

# Refuses much, has no status of its own, belongs to the cluster, and says what an object is, as generators of definitions do.
GADGET_SCHEMA = {"type": "object", "required": ["spec"], "properties": {
    "apiVersion": STRING, "kind": STRING, "metadata": {"type": "object"},
    "spec": {"type": "object", "required": ["mode"], "properties": {
        "mode": {"type": "string", "enum": ["fast", "slow"]},
        "code": {"type": "string", "pattern": "^[a-z]+[0-9]$", "minLength": 2, "maxLength": 5},
        "percent": {"type": "integer", "minimum": 0, "maximum": 100},
        "small": {"type": "integer", "format": "int32"},
        "factor": {"type": "number", "multipleOf": 0.5},
        "above": {"type": "number", "minimum": 1, "exclusiveMinimum": True},
        "list": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "integer"}},
        "map": {"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": {"type": "boolean"}},
        "when": {"type": "string", "format": "date-time"},
        "blob": {"type": "string", "format": "byte"},
        "either": {"x-kubernetes-int-or-string": True},
        "level": {"type": "integer", "enum": [1, 2, 3]},
        "inner": {"type": "object", "required": ["a", "b"], "properties": {"a": STRING, "b": STRING}}}},
    "status": {"type": "object", "properties": {"phase": STRING}}}}


def crd(kind, plural, scope, schema, **version):
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": kind + "List",
             "shortNames": [kind.lower()[:2]], "categories": ["differences"]}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "%s.%s" % (plural, GROUP)},
            "spec": {"group": GROUP, "scope": scope, "names": names, "versions": [dict({
                "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}, **version)]}}


CRDS = [
    crd("Thing", "things", "Namespaced", THING_SCHEMA,
        subresources={"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                                              "labelSelectorPath": ".status.selector"}},
        additionalPrinterColumns=[
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "description": "How many."},
            {"name": "Image", "type": "string", "jsonPath": ".spec.image", "priority": 1},
            {"name": "Flag", "type": "boolean", "jsonPath": ".spec.flag"},
            {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]),
    crd("Gadget", "gadgets", "Cluster", GADGET_SCHEMA),
]

CORE = "/api/v1/namespaces/%s/"
THINGS = "/apis/diff.example.com/v1/namespaces/%s/things"
GADGETS = "/apis/diff.example.com/v1/gadgets"


def configmap(name, **more):
    return dict({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}, **more)


def thing(name, **more):
    return dict({"apiVersion": GROUP + "/v1", "kind": "Thing", "metadata": {"name": name}}, **more)


def gadget(name, **more):
    return dict({"apiVersion": GROUP + "/v1", "kind": "Gadget", "metadata": {"name": name}}, **more)


def served(pair):
    """Makes the kinds on both servers and waits until both serve them."""
    import time
    for one in CRDS:
        for side, answer in zip((pair.theirs, pair.ours), pair.quietly(
                "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", one)):
            if answer.code not in (201, 409):
                raise RuntimeError("%s refuses a CRD: %d %s" % (side.title, answer.code, answer.text[:500]))
    end = time.monotonic() + 90
    # A kube-apiserver publishes the schemas of new kinds some time after the kinds themselves.
    for path, words in ((THINGS % "default", ""), (GADGETS, ""),
                        ("/openapi/v3/apis/%s/v1" % GROUP, ".Thing"), ("/openapi/v3/apis/%s/v1" % GROUP, ".Gadget")):
        while any(answer.code != 200 or words not in answer.text for answer in pair.quietly("GET", path)):
            if time.monotonic() > end:
                raise RuntimeError("%s is not served by both" % path)
            time.sleep(0.1)

#!/usr/bin/env python3
"""schema_oracle.py - what a real API server says of schemas and objects, and whether another says the same.

  tests/e2e/schema_oracle.py --kubeconfig FILE            compares with tests/unit/schema_cases.json
  tests/e2e/schema_oracle.py --kubeconfig FILE --write    writes that file: FILE is then a real kube-apiserver

The cases stand below: a schema and values for it, and whole definitions that are wrong. All objects are sent with dryRun;
one definition with all schemas is made and removed. KUBECTL names the kubectl (default: build/kube kubectl, else kubectl).
"""
import argparse
import base64
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = ROOT / "tests/unit/schema_cases.json"
GROUP = "oracle.example.com"

S, I, N, B = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}
KEEP = {"x-kubernetes-preserve-unknown-fields": True}


def string(**more):
    return dict(S, **more)


def array(items, **more):
    return dict({"type": "array", "items": items}, **more)


def obj(properties=None, **more):
    schema = dict({"type": "object"}, **more)
    if properties is not None:
        schema["properties"] = properties
    return schema


def list_type(kind, items, keys=None, **more):
    schema = array(items, **{"x-kubernetes-list-type": kind})
    if keys:
        schema["x-kubernetes-list-map-keys"] = keys
    return dict(schema, **more)


NAMED = obj({"name": S, "v": I}, required=["name"])

# schema, values
VALUES = [
    # types
    (S, ["a", 1, 1.5, True, None, [], {}]),
    (I, [1, 1.0, 1.5, "1", True, None, -9223372036854775808, 9223372036854775807, 1e3]),
    (N, [1, 1.5, "1", False, -0.5, 1e300]),
    (B, [True, 0, "true"]),
    (array(S), [[], ["a"], [1, "b", None], "a", {}]),
    (obj({"a": S}), [{}, {"a": "x"}, {"b": "x"}, {"a": 1, "b": {"c": 1}}, [], "a"]),
    (obj(additionalProperties=I), [{"a": 1}, {"a": "x", "b": 2}, {"a": None}]),
    (obj(additionalProperties=True), [{"a": {"b": [1]}}]),
    (obj(), [{"a": 1}]),
    (KEEP, [1, "a", {"a": {"b": None}}, [1, {"x": 1}]]),
    (obj({"k": I, "o": obj({"a": S})}, **KEEP), [{"k": 1, "x": {"y": 1}}, {"k": "1"}, {"o": {"a": "a", "b": 1}}]),
    # int or string
    ({"x-kubernetes-int-or-string": True}, [1, "1", 1.5, True, None, {}]),
    ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}, [5, "5%", True]),
    ({"x-kubernetes-int-or-string": True, "pattern": "^[0-9]+%$"}, [5, "5%", "5"]),
    # strings
    (string(minLength=2, maxLength=4), ["ab", "a", "abcde", "éé", "ééééé", ""]),
    (string(pattern="^[a-z]+$"), ["az", "A", "", "a\n"]),
    (string(pattern=r"^\d{3}-\w+\s?$"), ["123-ab_", "12-ab", "123-ab "]),
    (string(pattern=r"^(?:a|b)+(\.c)?$"), ["abab.c", "c", "ab.d"]),
    (string(pattern=r"^[\w.-]+@[\w-]+\.[a-zA-Z]{2,}$"), ["a.b@x-y.org", "a@b", "@x.org"]),
    (string(pattern=r"\bfoo\b"), ["a foo b", "afoo"]),
    (string(pattern="(?i)^yes$"), ["YES", "no"]),
    (string(pattern="^$|^a$"), ["", "a", "b"]),
    (string(enum=["A", "B"]), ["A", "C", "", 1]),
    (string(enum=["", "a,b", "q\"x"]), ["", "z"]),
    (string(enum=["A"], minLength=2), ["A", "B"]),
    (string(nullable=True), [None, "a", 1]),
    (string(nullable=True, enum=["A", None]), [None, "A"]),
    # numbers
    (dict(I, minimum=1, maximum=10), [1, 10, 0, 11]),
    (dict(I, minimum=1, maximum=10, exclusiveMinimum=True, exclusiveMaximum=True), [1, 10, 2]),
    (dict(N, minimum=0.5, maximum=2.5), [0.5, 0.4, 3, 2.6, 2]),
    (dict(N, minimum=0.5, exclusiveMinimum=True), [0.5, 0.6]),
    (dict(I, maximum=1000000), [1000001, 1000000]),
    (dict(N, maximum=1000000.5), [12345678, 1234567.25]),
    (dict(I, minimum=-5), [-6, -5]),
    (dict(I, multipleOf=3), [9, 10, 0, -6]),
    (dict(N, multipleOf=0.1), [0.3, 0.25]),
    (dict(N, multipleOf=2.5), [5, 6, 7.5]),
    (dict(I, enum=[1, 2]), [1, 3, "1", 1.0]),
    (dict(N, enum=[1.5, 2]), [1.5, 2, 3]),
    (dict(B, enum=[True]), [True, False]),
    (dict(I, format="int32"), [2147483647, 2147483648, -2147483649, "a"]),
    (dict(I, format="int64"), [9223372036854775807, 1.5]),
    (dict(N, format="double"), [1.5, "a"]),
    (dict(N, format="float"), [1e39]),
    # objects
    (obj({"a": S, "b": S}, required=["a", "b"]), [{}, {"a": "x"}, {"a": "x", "b": 1}]),
    (obj({"a": obj({"b": obj({"c": I}, required=["c"])}, required=["b"])}, required=["a"]),
     [{"a": {"b": {}}}, {"a": {}}, {"a": {"b": {"c": "x"}}}]),
    (obj(additionalProperties=I, minProperties=1, maxProperties=2), [{}, {"a": 1, "b": 2, "c": 3}, {"a": 1}]),
    (obj({"a": S}, enum=[{"a": "x"}]), [{"a": "x"}, {"a": "y"}]),
    # arrays
    (array(S, minItems=1, maxItems=2), [[], ["a"], ["a", "b", "c"], ["a", 1, "c"]]),
    (array(array(I)), [[[1], ["x"]], [1]]),
    (array(obj({"n": I}, required=["n"])), [[{"n": 1}, {}], [{"n": "x"}, {"m": 1}]]),
    (array(string(enum=["a"]), enum=[["a"]]), [["a"], ["a", "a"]]),
    (list_type("set", S), [["a", "b"], ["a", "a"], ["a", "b", "a", "a", "b"]]),
    (list_type("set", I), [[1, 2, 1]]),
    (list_type("set", obj({"a": I}, **{"x-kubernetes-map-type": "atomic"})), [[{"a": 1}, {"a": 1}]]),
    (list_type("map", NAMED, ["name"]), [[{"name": "a"}, {"name": "b"}], [{"name": "a"}, {"name": "a", "v": 2}],
                                        [{"name": "a"}, {"v": 1}], ["a"]]),
    (list_type("map", obj({"p": I, "q": string(default="T")}, required=["p"]), ["p", "q"]),
     [[{"p": 1}, {"p": 1, "q": "U"}], [{"p": 1}, {"p": 1, "q": "T"}]]),
    (array(NAMED, **{"x-kubernetes-list-type": "atomic"}), [[{"name": "a"}, {"name": "a"}]]),
    # defaults
    (obj({"x": dict(I, default=5), "y": S}, default={}), [None, {}, {"x": 1}, {"x": None}, {"y": None}]),
    (obj({"a": obj({"b": dict(I, default=1)})}), [{}, {"a": {}}, {"a": None}]),
    (array(obj({"b": dict(I, default=1)})), [[{}, {"b": 2}], [None]]),
    (string(default="d", nullable=True), [None, "e"]),
    (obj({"m": obj(additionalProperties=obj({"d": dict(I, default=3)}))}), [{"m": {"a": {}, "b": {"d": 1}}}]),
    # all, any, one, not
    (obj({"a": I, "b": I}, anyOf=[{"required": ["a"]}, {"required": ["b"]}]), [{"a": 1}, {}, {"a": 1, "b": 1}]),
    (obj({"a": I, "b": I}, oneOf=[{"required": ["a"]}, {"required": ["b"]}]), [{"a": 1}, {}, {"a": 1, "b": 1}]),
    (obj({"a": I, "b": I}, allOf=[{"required": ["a"]}, {"required": ["b"]}]), [{"a": 1, "b": 1}, {}, {"a": 1}]),
    (obj({"a": I, "b": I}, **{"not": {"required": ["a"]}}), [{"b": 1}, {"a": 1}]),
    (dict(I, anyOf=[{"minimum": 10}, {"maximum": 0}]), [10, 0, 5]),
    (dict(I, oneOf=[{"minimum": 0}, {"maximum": 10}]), [-1, 5, 11]),
    (dict(I, allOf=[{"minimum": 0}, {"maximum": 10}]), [5, 11, -1]),
    (dict(I, **{"not": {"minimum": 5, "maximum": 7}}), [4, 6]),
    (string(anyOf=[{"pattern": "^a"}, {"maxLength": 2}]), ["abc", "bc", "bcd"]),
    (string(oneOf=[{"enum": ["a"]}, {"enum": ["b"]}]), ["a", "c"]),
    (string(allOf=[{"anyOf": [{"pattern": "a"}, {"pattern": "b"}]}, {"minLength": 2}]), ["ax", "xx", "x"]),
    (obj({"t": S, "n": I}, oneOf=[{"properties": {"t": {"enum": ["x"]}}, "required": ["n"]},
                                  {"properties": {"t": {"enum": ["y"]}}}]), [{"t": "x"}, {"t": "y"}, {"t": "z"}, {"t": "x", "n": 1}]),
    # formats
    (string(format="date-time"), ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123+02:00", "2026-01-02", "x", 5, True]),
    (string(format="date"), ["2026-01-02", "2026-13-02", "x", "2026-02-30"]),
    (string(format="byte"), ["aGk=", "aGk", "!", ""]),
    (string(format="ipv4"), ["1.2.3.4", "1.2.3", "::1", "256.1.1.1", "01.2.3.4"]),
    (string(format="ipv6"), ["::1", "1.2.3.4", "fe80::1", "x", "1::2::3", "::ffff:1.2.3.4"]),
    (string(format="cidr"), ["10.0.0.0/8", "10.0.0.1", "fe80::/64", "10.0.0.0/33"]),
    (string(format="mac"), ["00:00:5e:00:53:01", "00-00-5e-00-53-01", "x", "0000.5e00.5301"]),
    (string(format="uuid"), ["123e4567-e89b-12d3-a456-426614174000", "123E4567E89B12D3A456426614174000", "x"]),
    (string(format="uuid4"), ["123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"]),
    (string(format="email"), ["a@b.org", "A B <a@b.org>", "x", "a@b@c", "a.b+c@d-e.org"]),
    (string(format="hostname"), ["a.example.com", "a_b", "-a", "a", "1.example.com", "a..b"]),
    (string(format="uri"), ["https://x.org/a?b", "/a", "x y", "x", "http://", ":"]),
    (string(format="duration"), ["1h", "1h30m", "22 ns", "3 days", "x", "1", "-5s"]),
    (string(format="password"), ["x"]),
    (string(format="hexcolor"), ["#fff", "#FFFFFF", "fff", "#ff"]),
    (string(format="rgbcolor"), ["rgb(255,0,1)", "rgb(256,0,1)"]),
    (string(format="ssn"), ["123-45-6789", "12-345"]),
    (string(format="isbn"), ["0321751043", "978-0321751041", "0321751044"]),
    (string(format="creditcard"), ["4111111111111111", "4111111111111112", "x"]),
    (string(format="bsonobjectid"), ["507f1f77bcf86cd799439011", "x"]),
    (string(format="k8s-short-name"), ["a-b", "a.b", "A"]),
    (string(format="k8s-long-name"), ["a-b.c", "A.b", "-a"]),
    (string(format="made-up"), ["x"]),
    # embedded
    (obj(**{"x-kubernetes-embedded-resource": True, **KEEP}),
     [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"x": 1}}, {}, {"apiVersion": "", "kind": "pod"},
      {"apiVersion": "a/b/c", "kind": "P_d"}]),
    (obj({"spec": obj({"a": I})}, **{"x-kubernetes-embedded-resource": True}),
     [{"apiVersion": "v1", "kind": "Pod", "spec": {"a": 1, "b": 2}, "other": 1}]),
    # several at once
    (obj({"a": dict(I, minimum=5), "b": string(maxLength=1), "c": array(I, minItems=2)}, required=["d"]),
     [{"a": 1, "b": "xx", "c": ["x"]}]),
]

# what is changed in a good definition: path -> value ("-": removed)
GOOD = {
    "group": GROUP, "scope": "Namespaced", "names": {"plural": "wrongs", "kind": "Wrong"},
    "versions": [{"name": "v1", "served": True, "storage": True,
                  "schema": {"openAPIV3Schema": obj({"spec": obj({"a": S})})}}],
}
V = "versions.0."
ROOT_SCHEMA = V + "schema.openAPIV3Schema"
PROPS = ROOT_SCHEMA + ".properties"
DEFINITIONS = [
    {"group": "-"}, {"group": "x"}, {"group": "X.y"}, {"scope": "-"}, {"scope": "World"}, {"names.kind": "-"},
    {"names.plural": "Wrongs"}, {"names.kind": "Wr_ong"}, {"names.singular": "Wrong"}, {"names.listKind": "Wrong"},
    {"names.shortNames": ["A"]}, {"names.categories": ["a.b"]}, {"names.plural": "others"},
    {V + "name": "V1"}, {V + "schema": "-"},
    {ROOT_SCHEMA + ".type": "-"}, {ROOT_SCHEMA + ".type": "string"}, {ROOT_SCHEMA + ".nullable": True},
    {ROOT_SCHEMA + ".additionalProperties": True},
    {PROPS + ".spec.properties.a": {}}, {PROPS + ".spec.properties.a": {"type": "null"}},
    {PROPS + ".spec.properties.a": {"type": "array"}}, {PROPS + ".spec.properties.a": {"type": "array", "items": {}}},
    {PROPS + ".spec.properties.a": obj({"b": S}, additionalProperties=S)},
    {PROPS + ".spec.properties.a": array(S, uniqueItems=True)},
    {PROPS + ".spec.properties.a": string(pattern="(")}, {PROPS + ".spec.properties.a": string(pattern="a**")},
    {PROPS + ".spec.properties.a": string(pattern="(?=a)")}, {PROPS + ".spec.properties.a": string(pattern="[z-a]")},
    {PROPS + ".spec.properties.a": string(anyOf=[{"type": "string"}])},
    {PROPS + ".spec.properties.a": obj({"b": S}, anyOf=[{"properties": {"c": {"minLength": 1}}}])},
    {PROPS + ".spec.properties.a": string(allOf=[{"description": "x", "default": "y", "nullable": True}])},
    {PROPS + ".spec.properties.a": string(**{"not": {"title": "x", "x-kubernetes-int-or-string": True}})},
    {PROPS + ".spec.properties.a": dict(I, default="x")}, {PROPS + ".spec.properties.a": obj({"b": S}, default={"c": 1})},
    {PROPS + ".spec.properties.a": string(default="abc", maxLength=2)},
    {PROPS + ".spec.properties.a": list_type("map", NAMED)}, {PROPS + ".spec.properties.a": list_type("map", S, ["name"])},
    {PROPS + ".spec.properties.a": list_type("map", obj({"name": S}), ["name"])},
    {PROPS + ".spec.properties.a": list_type("map", NAMED, ["nome"])},
    {PROPS + ".spec.properties.a": list_type("bag", S)},
    {PROPS + ".spec.properties.a": string(**{"x-kubernetes-list-type": "set"})},
    {PROPS + ".spec.properties.a": list_type("set", obj({"b": S}))},
    {PROPS + ".spec.properties.a": list_type("set", string(nullable=True))},
    {PROPS + ".spec.properties.a": array(NAMED, **{"x-kubernetes-list-map-keys": ["name"]})},
    {PROPS + ".spec.properties.a": list_type("map", obj({"name": array(S)}, required=["name"]), ["name"])},
    {PROPS + ".spec.properties.a": string(**{"x-kubernetes-map-type": "atomic"})},
    {PROPS + ".spec.properties.a": obj({}, **{"x-kubernetes-map-type": "bag"})},
    {PROPS + ".spec.properties.a": {"x-kubernetes-preserve-unknown-fields": False, "type": "object"}},
    {PROPS + ".spec.properties.a": {"x-kubernetes-int-or-string": True, **KEEP}},
    {PROPS + ".spec.properties.a": {"x-kubernetes-embedded-resource": True}},
    {PROPS + ".spec.properties.a": obj(**{"x-kubernetes-embedded-resource": True})},
    {PROPS + ".spec.properties.a": {"$ref": "#/x", "type": "string"}}, {PROPS + ".spec.properties.a": string(id="x")},
    {PROPS + ".spec.properties.a": obj(patternProperties={"a": S})}, {PROPS + ".spec.properties.a": string(definitions={"a": S})},
    {PROPS + ".metadata": obj({"labels": obj(additionalProperties=S)})},
    {PROPS + ".metadata": obj({"name": string(maxLength=5)})}, {PROPS + ".kind": I},
    {PROPS + ".metadata": dict(obj({"name": S}), default={"name": "x"})},
    {V + "additionalPrinterColumns": [{"name": "a", "type": "text", "jsonPath": ".spec.a"}]},
    {V + "additionalPrinterColumns": [{"name": "a", "type": "string", "jsonPath": "spec.a"}]},
    {V + "additionalPrinterColumns": [{"name": "", "type": "", "jsonPath": ""}]},
    {V + "additionalPrinterColumns": [{"name": "a", "type": "string", "format": "x", "jsonPath": ".a"}]},
    {V + "subresources": {"scale": {"specReplicasPath": ".spec.a", "statusReplicasPath": ".spec.b"}}},
    {V + "subresources": {"scale": {"specReplicasPath": "spec.a", "statusReplicasPath": ".status.b", "labelSelectorPath": ".x"}}},
    {V + "subresources": {"status": {}}, ROOT_SCHEMA + ".maxProperties": 3},
    {V + "deprecationWarning": "x"}, {V + "deprecationWarning": "", V + "deprecated": True},
    {V + "selectableFields": [{"jsonPath": ".spec.b"}]}, {V + "selectableFields": [{"jsonPath": ".spec"}]},
    {V + "selectableFields": [{"jsonPath": ".spec.a"}, {"jsonPath": ".spec.a"}]},
    {"preserveUnknownFields": True}, {"conversion": {"strategy": "Some"}},
    {"group": "wrong.k8s.io"},
]


# What differs, and why: by the changes of a definition.
KNOWN = {
    json.dumps({"group": "X.y"}): "a name that is none is refused before the object is looked at",
    json.dumps({V + "subresources": {"status": {}}, ROOT_SCHEMA + ".maxProperties": 3}):
        "the value shown is a dump of Go's internal type",
}


class Server:
    def __init__(self, kubeconfig):
        kubectl = os.environ.get("KUBECTL", f"{ROOT}/build/kube kubectl" if (ROOT / "build/kube").exists() else "kubectl")
        view = json.loads(subprocess.check_output(
            kubectl.split() + ["--kubeconfig", kubeconfig, "config", "view", "--raw", "--minify", "--flatten", "-o", "json"]))
        cluster, user = view["clusters"][0]["cluster"], view["users"][0]["user"]
        url = urllib.parse.urlsplit(cluster["server"])
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        with tempfile.NamedTemporaryFile() as file:
            file.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
            file.flush()
            context.load_cert_chain(file.name)
        self.connection = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=60)

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                {"Content-Type": "application/json", "Accept": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text)


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definition(name, spec):
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name}, "spec": spec}


def causes(answer):
    found = [[c.get("reason", ""), c.get("field", ""), c.get("message", "")] for c in answer.get("details", {}).get("causes", [])]
    return sorted(found)


def make_values(server):
    properties = {f"c{i}": schema for i, (schema, _) in enumerate(VALUES)}
    spec = {"group": GROUP, "scope": "Namespaced", "names": {"plural": "values", "kind": "Value"},
            "versions": [{"name": "v1", "served": True, "storage": True,
                          "schema": {"openAPIV3Schema": obj({"spec": obj(properties)})}}]}
    code, answer = server.call("POST", CRDS, definition(f"values.{GROUP}", spec))
    if code not in (201, 409):
        sys.exit(f"the definition of the values was answered {code}: {answer.get('message')}")
    for _ in range(300):
        code, answer = server.call("GET", f"{CRDS}/values.{GROUP}")
        if any(c["type"] == "Established" and c["status"] == "True" for c in answer.get("status", {}).get("conditions") or []):
            code, _ = server.call("GET", f"/apis/{GROUP}/v1/values")
            if code == 200:
                return
        time.sleep(0.1)
    sys.exit("the definition of the values did not become established")


def ask_values(server):
    make_values(server)
    out = []
    for i, (schema, values) in enumerate(VALUES):
        for value in values:
            body = {"apiVersion": f"{GROUP}/v1", "kind": "Value", "metadata": {"name": "v"}, "spec": {f"c{i}": value}}
            code, answer = server.call("POST", f"/apis/{GROUP}/v1/namespaces/default/values?dryRun=All", body)
            case = {"field": f"c{i}", "schema": schema, "value": value}
            if code == 201:
                spec = answer.get("spec", {})
                case["present"] = f"c{i}" in spec
                case["result"] = spec.get(f"c{i}")
            else:
                case["causes"] = causes(answer)
            out.append(case)
    server.call("DELETE", f"{CRDS}/values.{GROUP}")
    return out


def changed(changes):
    spec = json.loads(json.dumps(GOOD))
    for path, value in changes.items():
        keys = path.split(".")
        at = spec
        for key in keys[:-1]:
            at = at[int(key)] if isinstance(at, list) else at[key]
        if value == "-":
            del at[keys[-1]]
        else:
            at[keys[-1]] = value
    return spec


def ask_definitions(server):
    out = []
    for changes in DEFINITIONS:
        spec = changed(changes)
        name = "wrongs." + (spec.get("group") or "x")
        code, answer = server.call("POST", CRDS + "?dryRun=All", definition(name, spec))
        out.append({"changes": changes, "code": code, "causes": causes(answer) if code != 201 else []})
    return out


def compare(want, got, what):
    differences = 0
    for w, g in zip(want, got):
        reason = KNOWN.get(json.dumps(w.get("changes")))
        if w != g and reason and w["code"] == g["code"]:
            print(f"known: {json.dumps(w['changes'])}: {reason}")
        elif w != g:
            differences += 1
            print(f"{what} {json.dumps({k: w[k] for k in w if k not in ('causes', 'result', 'present', 'code')})}")
            print(f"  wanted {json.dumps({k: w.get(k) for k in ('code', 'causes', 'result', 'present') if k in w})}")
            print(f"  got    {json.dumps({k: g.get(k) for k in ('code', 'causes', 'result', 'present') if k in g})}")
    return differences + abs(len(want) - len(got))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    server = Server(options.kubeconfig)
    found = {"values": ask_values(server), "definitions": ask_definitions(server)}
    n = len(found["values"]) + len(found["definitions"])
    if options.write:
        lines = [f' "{key}": [\n' + ",\n".join("  " + json.dumps(c) for c in found[key]) + "\n ]" for key in found]
        CASES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(f"{n} cases written")
        return
    want = json.loads(CASES.read_text())
    differences = compare(want["values"], found["values"], "value")
    differences += compare(want["definitions"], found["definitions"], "definition")
    print(f"{n} cases, {differences} differences")
    sys.exit(1 if differences else 0)


main()

"""messages.py - requests that no client library would send, and what is answered. KUBE in a row is where a real API
server of 1.34 answers otherwise and why we do not."""
import gzip
import json
import struct

from peer import fields, frame, literal, check_status, H2, HEADERS, DATA, CONTINUATION, END_HEADERS, END_STREAM

NS = "/api/v1/namespaces/hostile"
MAPS = NS + "/configmaps"
FED = "/apis/types.kubefed.io/v1beta1/namespaces/hostile/federatedconfigmaps"
JSON, YAML, PROTO = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
MERGE, PATCH, APPLY = "application/merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
MIB = 1 << 20
NO_SUCH_PAGE = b"404 page not found\n"  # as upstream, outside of what is an API's path


def config_map(name, **more):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


def text(name, data):
    return f'{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{data}}}'


def federated(name, template):
    return ('{"apiVersion":"types.kubefed.io/v1beta1","kind":"FederatedConfigMap","metadata":{"name":"' + name +
            '"},"spec":{"placement":{"clusters":[]},"template":' + template + "}}")


def post(body, kind=JSON, path=MAPS, headers=()):
    return lambda server: server.ask("POST", path, body, kind, headers)


def patch(body, kind, query="", path=MAPS + "/base"):
    return lambda server: server.ask("PATCH", path + query, body, kind)


def get(path, headers=()):
    return lambda server: server.ask("GET", path, headers=headers)


def raw(data, **how):
    return lambda server: server.raw(data.encode("latin-1") if isinstance(data, str) else data, **how)


def bomb(depth):
    """YAML whose anchors double each line."""
    lines = ['apiVersion: v1', 'kind: ConfigMap', 'metadata: {name: bomb}', 'data:', '  a0: &a0 "lol"']
    lines += [f"  a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, depth)]
    return "\n".join(lines)


def proto(content):
    """The Kubernetes envelope: TypeMeta v1 ConfigMap, raw."""
    meta = b"\x0a\x02v1\x12\x09ConfigMap"
    return b"k8s\0" + b"\x0a" + bytes([len(meta)]) + meta + b"\x12" + content


NESTED = "[" * 10000 + "]" * 10000
DEEP_OBJECT = '{"a":' * 10000 + "1" + "}" * 10000
LABELS = json.dumps(config_map("labels", metadata={"name": "labels", "labels": {f"l{i}": "v" for i in range(100000)}}))
DOUBLING = [{"op": "add", "path": "/data", "value": {"a": "x" * 1000}}] + \
    [{"op": "copy", "from": "/data", "path": "/data/a"} for _ in range(60)]

BODIES = [
    ("deep arrays", post(text("x", NESTED)), 400, "BadRequest"),
    ("deep objects", post(text("x", DEEP_OBJECT)), 400, "BadRequest"),
    ("deep arrays in a federated template", post(federated("x", NESTED), path=FED), {400, 413}, None),
    ("not closed", post(text("x", "[" * 100000)), 400, "BadRequest"),
    ("a number for a text", post(text("x", '{"a":1E400}')), 400, "BadRequest"),
    ("a number without end", post(text("x", '{"a":' + "9" * 400 + "}")), 400, "BadRequest"),
    ("invalid UTF-8 outside of texts", post(b'{"apiVersion":"v1",\xff}'), 400, "BadRequest"),
    ("NUL in a name", post(text("a\\u0000b", "{}")), 422, "Invalid"),
    ("NUL byte in a name", post(b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a\0b"}}'), 400, "BadRequest"),
    ("a byte order mark", post("\ufeff" + text("x", "{}")), 400, "BadRequest"),
    ("trailing garbage", post(text("x", "{}") + "}"), 400, "BadRequest"),
    ("two objects", post(text("x", "{}") + text("y", "{}")), 400, "BadRequest"),
    ("an empty body", post(""), 400, "BadRequest"),
    ("blanks alone", post(" \n\t"), 400, "BadRequest"),
    ("an array", post("[]"), 400, "BadRequest"),
    ("a text", post('"x"'), 400, "BadRequest"),
    ("null", post("null"), 422, "Invalid"),
    ("twice the same key, strictly",
     lambda s: s.ask("POST", MAPS + "?fieldValidation=Strict&dryRun=All", text("x", '{"a":"1","a":"2"}')), 400, "BadRequest"),
    ("twice the same key, deep and strictly",
     lambda s: s.ask("POST", FED + "?fieldValidation=Strict&dryRun=All", federated("x", '{"data":{"a":"1","a":"2"}}')),
     400, "BadRequest"),
    ("another kind", post('{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}'), 400, "BadRequest"),
    ("no such namespace", post(text("x", "{}"), path="/api/v1/namespaces/nowhere/configmaps"), 404, "NotFound"),
    ("a name with slashes", post(text("../../x", "{}")), 422, "Invalid"),
    ("a name of 300 bytes", post(text("n" * 300, "{}")), 422, "Invalid"),
    ("YAML bomb", post(bomb(40), YAML), {400, 413}, None),
    ("YAML that is its own member", post("a: &a [*a]\n", YAML), 400, "BadRequest"),
    ("two YAML documents", post("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\nb: 1\n", YAML), 400, "BadRequest"),
    ("YAML that ends early", post("a: [", YAML), 400, "BadRequest"),
    ("YAML nested deep", post("- " * 20000 + "1", YAML), {400, 413}, None),
    ("YAML tags", post("!!python/object/apply:os.system ['id']\n", YAML), 400, "BadRequest"),
    ("gzip", post(gzip.compress(text("x", "{}").encode()), headers=("Content-Encoding: gzip",)), {400, 415}, None),
    ("unknown type", post("x", "application/x-unknown"), 415, "UnsupportedMediaType"),
    ("protobuf of nothing", post(b"", PROTO), 400, "BadRequest"),
    ("protobuf without its magic", post(b"\x0a\x02v1", PROTO), 400, "BadRequest"),
    ("protobuf cut short", post(proto(b"\x64\x0a\x05"), PROTO), 400, "BadRequest"),
    ("protobuf that says 2 GiB", post(proto(b"\xff\xff\xff\xff\x07"), PROTO), 400, "BadRequest"),
    ("protobuf with an endless varint", post(proto(b"\xff" * 11), PROTO), 400, "BadRequest"),
    ("a body of 3 MiB and more", post(text("x", json.dumps({"a": "x" * (3 * MIB + 1)}))), 413, "RequestEntityTooLarge"),
    ("a hundred thousand labels", post(LABELS), {201, 413, 422}, None),
    ("annotations of 257 KiB", post(json.dumps(config_map(
        "x", metadata={"name": "x", "annotations": {"a": "x" * (128 << 10), "b": "x" * (129 << 10)}}))), 422, "Invalid"),
    ("a label that is none", post(json.dumps(config_map("x", metadata={"name": "x", "labels": {"a b": "c"}}))), 422, "Invalid"),
    ("a negative uid of nothing", post(json.dumps(config_map("x", metadata={"name": "x", "resourceVersion": "5"}))),
     {400, 500}, None),
]

PATCHES = [
    ("ten thousand and one operations", patch(json.dumps([{"op": "test", "path": "/kind", "value": "ConfigMap"}] * 10001), PATCH),
     413, "RequestEntityTooLarge"),
    ("copies that double", patch(json.dumps(DOUBLING), PATCH), {400, 413, 422}, None),
    ("an operation that is none", patch('[{"op":"burn","path":"/data"}]', PATCH), {400, 422}, None),
    ("a path that is none", patch('[{"op":"add","path":"data","value":1}]', PATCH), 422, "Invalid"),
    ("an index without end", patch('[{"op":"add","path":"/metadata/labels/99999999999999999999","value":"x"}]', PATCH),
     422, "Invalid"),
    ("a patch that is no list", patch("{}", PATCH), 400, "BadRequest"),
    ("a list as merge patch", patch("[]", MERGE), 400, "BadRequest"),
    ("a merge patch nested deep", patch('{"data":' + DEEP_OBJECT + "}", MERGE), 400, "BadRequest"),
    ("a merge patch of 3 MiB", patch(json.dumps({"data": {f"k{i}": "x" * 1000 for i in range(2900)}}), MERGE), {413, 422}, None),
    ("a strategic patch with unknown directives", patch('{"metadata":{"$patch":"burn"}}', STRATEGIC), {400, 422, 500}, None),
    ("an applied object without a manager", patch(text("base", "{}"), APPLY), {400, 422}, None),
    ("an applied object with managedFields", patch(json.dumps(config_map("base", metadata={
        "name": "base", "managedFields": [{"manager": f"m{i}", "operation": "Apply"} for i in range(10000)]})), APPLY,
        "?fieldManager=me"), 400, "BadRequest"),
    ("managedFields nested deep", patch(json.dumps({"metadata": {"managedFields": [{
        "manager": "m", "operation": "Update", "apiVersion": "v1", "time": "2020-01-01T00:00:00Z", "fieldsType": "FieldsV1",
        "fieldsV1": json.loads('{"f:a":' * 100 + "{}" + "}" * 100)}] * 2000}}), MERGE), {200, 400, 413, 422}, None),
    ("force without apply", patch('{"data":{}}', MERGE, "?force=true"), 422, "Invalid"),
    ("a manager of a thousand bytes", patch('{"data":{}}', MERGE, "?fieldManager=" + "m" * 1000), 422, "Invalid"),
    ("an applied YAML bomb", patch(bomb(40), APPLY, "?fieldManager=me"), {400, 413}, None),
]

PATHS = [
    ("dots", get("/api/v1/namespaces/hostile/../../../../etc/passwd"), 404, None),
    ("doubled slashes", get("//api//v1///namespaces//nowhere"), 404, None),
    ("an encoded slash in a name", get(MAPS + "/a%2fb"), 404, None),
    ("an encoded NUL", get(MAPS + "/a%00b"), {400, 404}, None),
    ("half an escape", get(MAPS + "/a%2"), 400, None),
    ("bytes that are no UTF-8", get(MAPS + "/%ff%fe"), {400, 404}, None),
    ("a path of 60,000 bytes", get(MAPS + "/" + "a" * 60000), 404, None),
    ("a path of 70,000 bytes", get(MAPS + "/" + "a" * 70000), {404, 414, 431}, None),
    ("a thousand segments", get("/a" * 1000), 404, None),
    ("slashes at the end", get(MAPS + "/none//"), 404, None),
    ("absolute form", get("https://elsewhere" + MAPS + "/none"), 404, "NotFound"),
    ("no path at all", raw("GET hub HTTP/1.1\r\nHost: hub\r\n\r\n"), 400, None),
    ("limit -1", get(MAPS + "?limit=-1"), {200, 400}, None),
    ("limit of no number", get(MAPS + "?limit=x"), 400, "BadRequest"),
    ("limit beyond 64 bits", get(MAPS + "?limit=99999999999999999999"), 400, "BadRequest"),
    ("a forged continue token", get(MAPS + "?limit=1&continue=AAAA"), 400, "BadRequest"),
    ("a continue token of 50,000 bytes", get(MAPS + "?limit=1&continue=" + "A" * 50000), {400, 410}, None),
    ("a continue token from the future", get(MAPS + "?limit=1&continue=OTk5OTk5OTk5L2hvc3RpbGUveA"), {400, 410}, None),
    ("resourceVersion of letters", get(MAPS + "?resourceVersion=abc"), 400, None),
    ("resourceVersion below zero", get(MAPS + "?resourceVersion=-5"), 400, None),
    ("resourceVersion from the future", get(MAPS + "?resourceVersion=99999999999"), 504, "Timeout"),
    ("a selector that is none", get(MAPS + "?labelSelector=a%20in%20("), 400, "BadRequest"),
    ("a selector of ten thousand terms", get(MAPS + "?labelSelector=" + ",".join(f"a{i}!=b" for i in range(6000))), {200, 400}, None),
    ("a set of ten thousand values", get(MAPS + "?labelSelector=a+in+(" + ",".join(f"v{i}" for i in range(6000)) + ")"), {200, 400}, None),
    ("a field that nobody knows", get(MAPS + "?fieldSelector=spec.x%3D1"), 400, "BadRequest"),
    ("a thousand fields", get(MAPS + "?fieldSelector=" + ",".join(["metadata.name!=x"] * 1000)), {200, 400}, None),
    ("six thousand parameters", get(MAPS + "/none?" + "&".join(f"p{i}=v" for i in range(6000))), 404, "NotFound"),
    ("the same parameter twice", get(MAPS + "?limit=1&limit=x"), {200, 400}, None),
    ("a query with half an escape", get(MAPS + "/none?fieldManager=%2"), {400, 404}, None),
    ("fieldValidation of nothing", post(text("x", "{}"), path=MAPS + "?fieldValidation=Maybe&dryRun=All"), 422, "Invalid"),
    ("dryRun of nothing", post(text("x", "{}"), path=MAPS + "?dryRun=Some"), 422, "Invalid"),
    ("a watch of no number", get(MAPS + "?watch=1&timeoutSeconds=x"), 400, "BadRequest"),
    ("Accept of nothing", get(MAPS, ("Accept: image/png",)), 406, "NotAcceptable"),
]

HTTP1 = [ # (name, bytes, codes): a Status, or None when closing is right too
    ("both lengths", "POST {M} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    ("two lengths", "POST {M} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", {400}),
    ("a signed length", "POST {M} HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", {400}),
    ("a length beyond 64 bits", "POST {M} HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", {400, 413}),
    ("a length of 4 MiB", "POST {M} HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n", {413}),
    ("chunked twice", "POST {M} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", {400}),
    ("chunked and more", "POST {M} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", {400}),
    ("an unknown coding", "POST {M} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400}),
    ("a chunk of 2^64", "POST {M} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", {400}),
    ("a chunk without its end", "POST {M} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", {400}),
    ("a chunk extension without end", "POST {M} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + "x" * 70000, {400, None}),
    ("line feeds alone", "GET /readyz HTTP/1.1\nHost: a\n\n", {400}),
    ("a blank before the colon", "GET /readyz HTTP/1.1\r\nHost : a\r\n\r\n", {400}),
    ("a folded field", "GET /readyz HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", {400}),
    ("two hosts", "GET /readyz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
    ("no host", "GET /readyz HTTP/1.1\r\n\r\n", {400}),
    ("NUL in a field", "GET /readyz HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", {400}),
    ("HTTP/0.9", "GET /readyz\r\n\r\n", {400, 505, None}),
    ("HTTP/3.0", "GET /readyz HTTP/3.0\r\nHost: a\r\n\r\n", {400, 505}),
    ("HTTP/2 where it was not agreed", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    ("a method that is none", "BURN /readyz HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405, 501}),
    ("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", {501, 405, 404}),
    ("a method of 100,000 bytes", "G" * 100000 + " / HTTP/1.1\r\n\r\n", {400, 414, 431}),
    ("two thousand fields", "GET /readyz HTTP/1.1\r\nHost: a\r\n" + "a: b\r\n" * 2000 + "\r\n", {431}),
    ("a field of 100,000 bytes", "GET /readyz HTTP/1.1\r\nHost: a\r\nX: " + "x" * 100000 + "\r\n\r\n", {431}),
    ("an expectation", "POST {M} HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 3\r\n\r\nabc", {417}),
    ("an expected body that is too long", "POST {M} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n", {413}),
]


def rows(server, table):
    wrong = []
    for name, ask, codes, reason in table:
        try:
            answer = ask(server)
            codes = codes if isinstance(codes, set) else {codes}
            if answer is not None and answer.code in codes and (answer.code < 300 or answer.body == NO_SUCH_PAGE):
                continue
            check_status(answer, codes, reason)
        except (AssertionError, ValueError, OSError) as error:
            wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(wrong)
    print(f"{len(table)} requests")
    for name in ("labels", "x"):
        server.ask("DELETE", MAPS + "/" + name)


def http1(server):
    wrong = []
    for name, request, codes in HTTP1:
        answer = server.raw(request.replace("{M}", MAPS).encode("latin-1"), timeout=3 if None in codes else 60)
        try:
            if answer is None and None in codes:
                continue
            check_status(answer, tuple(codes - {None}))
        except (AssertionError, ValueError) as error:
            wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(wrong)
    print(f"{len(HTTP1)} requests")

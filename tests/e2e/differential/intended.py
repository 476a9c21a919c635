"""intended.py - the differences that docs/kubernetes-api.md lists, and how each is recognised.

A difference that nobody recognises fails the case. One whose id is not in the document fails, too: `Intended` reads the
ids from the document's table and matches with those alone. What no longer occurs is reported at the end of a full run.
"""
import re
import threading

# id -> (case, request, path, theirs, ours): regular expressions; absent parts match all.
RULES = {
    # the wording of mistakes that no program reads
    "json-syntax": [{"path": "message$|^body$", "theirs": r"unexpected end of JSON input|invalid character|yaml: |^invalid object type: /, Kind=$",
                     "ours": r"the body cannot be read: |continue key is not valid: JSON line|redacted>\": invalid character in JSON"},
                    {"path": "^code$", "theirs": "^500 couldn't get version/kind; json parse error: invalid character", "ours": "^400 the body cannot be read: "},
                    {"path": "^headers.warning", "theirs": "already set in map", "ours": "duplicate field"}],
    "method-words": [{"request": "^FOO ", "path": "^code$"}],
    "body-too-large": [{"request": r'\{"a": "xxxxx', "path": "^headers.cache-control$"}],
    "table-words": [{"path": r"columnDefinitions\[\d+\].description$", "ours": "^$"},
                    {"request": r"configmaps.*'application/yaml;as=Table", "path": "^body$", "ours": 'description: ""'}],
    "strategic-words": [{"case": "^kubectl_patch$", "theirs": r'Invalid value: "map\['},
                        {"case": "^strategic_patch$", "path": "message$", "theirs": r"map\[|^json: cannot unmarshal array"},
                        {"case": "^strategic_patch$", "request": "configmaps/a null", "path": "^code$"}],
    # what is left out, or done otherwise
    "protobuf-answers": [{"request": "Accept.*application/vnd.kubernetes.protobuf", "path": "^body$", "theirs": "^k8s"},
                         {"request": "Accept.*application/vnd.kubernetes.protobuf", "path": "content-type", "theirs": "protobuf$"},
                         {"request": "configmaps", "path": "(message|body)$", "theirs": "(accepted|representations): .*application/vnd.kubernetes.protobuf"}],
    "not-acceptable": [{"request": r"configmaps.*'Accept': 'application/\*'", "path": "^code$", "theirs": "^406 "}],
    "watch-prefix": [{"request": "/v1/watch/", "path": "^code$"}],
    "discovery-details": [{"case": "^kubectl_explain$", "request": "--output=plaintext-openapiv2"}, {"case": "^openapi$", "request": "^GET /openapi/v3 ", "path": "^$"}],
    "numbers-as-written": [{"case": "^schema_errors$", "path": r"^body.spec.(level|percent|free.[a-i])$"},
                           {"case": "^schema_errors$", "path": "^code$", "theirs": "float64|factor MultipleOf declared", "ours": "^201 $"}],
    "no-workloads": [{"case": "^kubectl_misc$", "request": "^(describe ns|cluster-info)"}, {"case": "^kubectl_mistakes$", "request": "^get pod "}],
    "anonymous": [{"case": "^kubectl_credentials$", "request": "--username"}],
    "definition-status": [{"case": "^published_definitions$", "request": "^POST", "path": r"^body\.(status\.|metadata\.managedFields)"},
                          {"case": "^published_definitions$", "request": "^GET", "path": r"^body\.metadata\.resourceVersion$"}],
    "json-test": [{"case": "^random$", "request": r"\(escaped text\)", "path": "^code$", "theirs": "^422 the server rejected our request due to an error in our request$", "ours": "^200 "}],
    "applied-empties": [{"case": "^published$", "request": r"/kustomizations/.*apply-patch", "path": "^body.metadata.resourceVersion$", "theirs": "moved", "ours": "same"},
                        {"case": "^random$", "request": r"/secrets/.*\(an empty value\)", "path": "^body.metadata.resourceVersion$", "theirs": "moved", "ours": "same"},
                        {"case": "^random$", "request": r"apply-patch|\(after an apply\)", "path": "^body.metadata.resourceVersion$", "theirs": "moved", "ours": "same"}],
    "immutable-empties": [{"case": "^random$", "path": "^code$", "theirs": "^422 .* is invalid: (data|binaryData): Forbidden: field is immutable when `immutable` is set$", "ours": "^200 "},
                          {"case": "^random$", "path": "^body.details.causes$", "theirs": "'field': 'binaryData'", "ours": "field is immutable"},
                          {"case": "^random$", "path": "^body.message$", "theirs": r"^ConfigMap .* is invalid: \[causes\]$", "ours": "is invalid: data: Forbidden: field is immutable"}],
}


def text_of(value):
    return value if isinstance(value, str) else repr(value)


class Intended:
    def __init__(self, document, show=()):
        self.show = show
        self.shown = []
        with open(document, encoding="utf-8") as file:
            listed = set(re.findall(r"^\| `([a-z0-9-]+)` \|", file.read(), re.M))
        self.unlisted = sorted(set(RULES) - listed)
        self.unknown = sorted(listed - set(RULES))
        self.rules = {name: rules for name, rules in RULES.items() if name in listed}
        self.used = set()
        self.lock = threading.Lock()

    def match(self, case, request, path, theirs, ours):
        values = {"case": case, "request": request, "path": path, "theirs": text_of(theirs), "ours": text_of(ours)}
        for name, rules in self.rules.items():
            for rule in rules:
                if all(re.search(pattern, values[key], re.S) for key, pattern in rule.items()):
                    with self.lock:
                        self.used.add(name)
                        if name in self.show or "all" in self.show:
                            self.shown.append((name, case, request, path, values["theirs"], values["ours"]))
                    return name
        return None

    def unused(self):
        return sorted(set(self.rules) - self.used)

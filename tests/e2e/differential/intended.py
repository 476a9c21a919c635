"""intended.py - the differences that docs/kubernetes-api.md lists, and how each is recognised.

A difference that nobody recognises fails the case. One whose id is not in the document fails, too: `Intended` reads the
ids from the document's table and matches with those alone. What no longer occurs is reported at the end of a full run.
"""
import re
import threading

# id -> (case, request, path, theirs, ours): regular expressions; absent parts match all.
RULES = {
    # the wording of mistakes that no program reads
    "json-syntax": [{"theirs": r"json parse error|unexpected end of JSON|invalid character|yaml: |error decoding (YAML|patch)|Invalid JSON Patch"
                               r"|couldn't get version/kind|already set in map"},
                    {"case": "^apply$", "ours": r"^the body cannot be read: "}, {"ours": "metadata is not an object"},
                    {"case": "^bodies$", "request": "configmaps null", "path": "^code$"}],
    "selector-words": [{"case": "^kubectl_", "theirs": "unable to parse requirement"},
                       {"case": "^(selectors|watch_errors)$", "path": "message$"},
                       {"case": "^selectors$", "request": r"=n%20in%20%28%29|fieldSelector=%3D$|(namespaces|gadgets)\?fieldSelector=metadata.namespace"}],
    "method-words": [{"case": "^(methods|status|scale|create|update|merge_patch)$", "theirs": r"is not supported on resources of kind|name must be provided$"},
                     {"case": "^(methods|status|scale)$", "path": r"^body.details.(group|kind|name)$"},
                     {"case": "^methods$", "request": "^FOO|^PUT /apis |^POST .*things/a"}, {"case": "^create$", "request": "things/named"},
                     {"case": "^merge_patch$", "request": r"^PATCH \S+/things \{\}"},
                     {"case": "^(health|discovery)$", "request": "^POST"}, {"case": "^(get|discovery)$", "request": "^HEAD"}],
    "unknown-paths": [{"case": "^kubectl_get$", "request": "subresource=nope"}, {"case": "^unknown_paths$"}, {"case": "^health$", "request": "nope"}, {"case": "^status$", "request": "gadgets/a/status"},
                      {"case": "^get$", "request": "//namespaces"}],
    "media-type-words": [{"theirs": "Unsupported Media Type|in an unknown format"}, {"case": "^(merge_patch|apply)$", "path": "^body.details$", "theirs": r"^\{\}$"}],
    "body-too-large": [{"request": r'\{"a": "xxxxx'}],
    "order-of-checks": [{"path": "^code$", "theirs": "not found$", "ours": "cannot be read|cannot unmarshal|cannot be handled|error decoding"},
                        {"path": "^code$", "theirs": "cannot be handled|cannot unmarshal", "ours": "not found$"},
                        {"path": "^code$", "ours": "must be specified for an update$|the kind in the data"}],
    # what is left out, or done otherwise
    "kind-optional": [{"theirs": r"Object 'Kind' is missing|unexpected GroupVersion|must be (Thing|diff.example)|API version in the data \(\)"},
                      {"case": "^merge_patch$", "theirs": r"OBJECT.: no kind "}],
    "unknown-in-several": [{"case": "^(unknown_fields|status|metadata_rules)$", "path": "message$|warning"}],
    "table-words": [{"path": r"columnDefinitions\[\d+\].(description|type|format)$"}, {"case": "^(watches|tables)$", "path": "^body$|columnDefinitions"}],
    "list-items": [{"path": r"items\[\d+\].(kind|apiVersion)$", "theirs": "^.absent.$"}, {"case": "^delete_collection$", "path": "^body.items$"},
                   {"request": "includeObject=Object", "path": r"rows\[\d+\].object.(kind|apiVersion)$", "theirs": "^.absent.$"}],
    "answers-in-json": [{"request": "Accept.*application/(yaml|vnd.kubernetes.protobuf|cbor)"}],
    "table-v1beta1": [{"request": "v=v1beta1"}],
    "not-acceptable": [{"case": "^representations$", "theirs": "Not Acceptable|only the following media types|you requested Partial|is not a list|Unable to convert to Table"},
                       {"case": "^(representations|watch_errors)$", "path": "^body.details$", "theirs": r"^\{\}$"},
                       {"case": "^watch_errors$", "theirs": "Not Acceptable"}],
    "strategic-words": [{"case": "^kubectl_patch$", "theirs": r'Invalid value: "map\['}, {"case": "^strategic_patch$", "path": "message$"}, {"case": "^strategic_patch$", "request": "configmaps/a null"}],
    "watch-prefix": [{"request": "/v1/watch/"}],
    "namespace-finalize": [{"request": "/finalize"}, {"path": "namespaces/finalize|^namespaces.subresources$"}],
    "discovery-details": [{"case": "^kubectl_(explain|discovery)$"}, {"case": "^discovery(_aggregated)?$", "path": r"responseKind.version$|^namespaces.verbs$|^$"}, {"case": "^openapi$"}],
    "version-and-health": [{"case": "^version$"}],
    "finalizer-names": [{"case": "^random$", "path": "^body.message$", "theirs": r"\[causes\]$", "ours": "is invalid: metadata.finalizers: Invalid value"},
                        {"theirs": "neither a standard finalizer|prefer a domain-qualified"},
                        {"case": "^(metadata_rules|namespaces)$", "path": "causes$|message$", "request": "finalizers"}],
    "owner-duplicates": [{"case": "^metadata_rules$", "path": "ownerReferences$|warning$", "request": "ownerReferences"}],
    "numbers-as-written": [{"case": "^schema_errors$", "path": r"^body.spec|^code$"}],
    "dry-run-version": [{"request": "dryRun=All", "path": "^body.metadata.resourceVersion$"}],
    "request-timeout": [{"request": r"\?timeout=x"}],
    "default-namespaces": [{"request": "namespaces/kube-public"}, {"path": r"^body\[0\].object.(data|metadata)", "case": "^watch_errors$"}],
    "namespace-dry-run": [{"case": "^namespaces$", "path": "deletionGracePeriodSeconds$|managedFields"}],
    "json-test": [{"case": "^random$", "request": r"\(escaped text\)", "path": "^code$", "theirs": "^422 the server rejected our request due to an error in our request$", "ours": "^200 "}],
    "applied-empties": [{"case": "^random$", "request": r"/secrets/.*\(an empty value\)", "path": "^body.metadata.resourceVersion$", "theirs": "moved", "ours": "same"},
                        {"case": "^random$", "request": r"apply-patch|\(after an apply\)", "path": "^body.metadata.resourceVersion$", "theirs": "moved", "ours": "same"}],
    "immutable-empties": [{"case": "^random$", "path": "^code$", "theirs": "^422 .* is invalid: (data|binaryData): Forbidden: field is immutable when `immutable` is set$", "ours": "^200 "},
                          {"case": "^random$", "path": "^body.details.causes$", "theirs": "'field': 'binaryData'", "ours": "field is immutable"},
                          {"case": "^random$", "path": "^body.message$", "theirs": r"^ConfigMap .* is invalid: \[causes\]$", "ours": "is invalid: data: Forbidden: field is immutable"}],
    "last-version": [{"case": "^finalizers$", "path": "^body.metadata.resourceVersion$", "theirs": "same", "ours": "moved"},
                     {"case": "^random$", "request": r"\(being deleted\)", "path": "^body.metadata.resourceVersion$", "theirs": "same", "ours": "moved"}],
    "no-workloads": [{"case": "^kubectl_misc$", "request": "^(describe ns|cluster-info)"}],
    "continue-of-deletion": [{"case": "^delete_collection$", "path": "continue$"}],
}


def text_of(value):
    return value if isinstance(value, str) else repr(value)


class Intended:
    def __init__(self, document):
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
                    return name
        return None

    def unused(self):
        return sorted(set(self.rules) - self.used)

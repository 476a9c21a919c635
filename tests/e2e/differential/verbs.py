"""verbs.py - the real kubectl against both servers: exit code, stdout, stderr, and the object that results.

A case is a list of commands as they are typed; `<` at the end of one gives its standard input by name, from INPUTS or the
case's own. NS is the namespace of the case, FILE:NAME the path of an input as a file, @SERVER the server's URL.
"""
import json
import os
import re
import shlex
import subprocess
import threading
import time

from sides import UID, TIME

INPUTS = {
    "cm": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {app: x}}\ndata: {k: v}\n",
    "cm2": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {app: x}}\ndata: {k: w, l: '2'}\n",
    "cm3": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {app: x}}\ndata: {l: '3'}\n",
    "cmb": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, labels: {app: x}}\ndata: {k: v}\n",
    "generated": "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: gen-}\n",
    "nameless": "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n",
    "unknown": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: u}\nzork: 1\n",
    "duplicate": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\ndata: {a: '1', a: '2'}\n",
    "badname": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A_b}\n",
    "nokind": "apiVersion: v1\nmetadata: {name: a}\n",
    "nosuchkind": "apiVersion: nope.example.com/v1\nkind: Nope\nmetadata: {name: a}\n",
    "list": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: l1}\n"
            "- apiVersion: v1\n  kind: Secret\n  metadata: {name: l2}\n  stringData: {a: b}\n",
    "thing": "apiVersion: diff.example.com/v1\nkind: Thing\nmetadata: {name: t, labels: {app: x}}\n"
             "spec: {replicas: 2, image: one, items: [{name: a, value: '1'}]}\n",
    "thing2": "apiVersion: diff.example.com/v1\nkind: Thing\nmetadata: {name: t, labels: {app: x}}\n"
              "spec: {replicas: 3, image: two, items: [{name: b, value: '1'}]}\n",
    "things": "apiVersion: diff.example.com/v1\nkind: Thing\nmetadata: {name: t1, labels: {app: x}}\nspec: {replicas: 1}\n---\n"
              "apiVersion: diff.example.com/v1\nkind: Thing\nmetadata: {name: t2, labels: {app: y}}\nspec: {replicas: 2}\n---\n"
              "apiVersion: diff.example.com/v1\nkind: Thing\nmetadata: {name: t3, labels: {app: x}}\nspec: {replicas: 3}\n",
    "badthing": "apiVersion: diff.example.com/v1\nkind: Thing\nmetadata: {name: bad}\nspec: {replicas: many, image: 7}\n",
    "badgadget": "apiVersion: diff.example.com/v1\nkind: Gadget\nmetadata: {name: bad}\nspec: {percent: 200, code: X}\n",
    "final": "apiVersion: diff.example.com/v1\nkind: Thing\nmetadata: {name: f, finalizers: [a.com/b]}\n",
    "prune1": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p1, labels: {set: s}}\n---\n"
              "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p2, labels: {set: s}}\n",
    "prune2": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p2, labels: {set: s}}\n",
    "merge": '{"data":{"m":"1"}}',
    "noconfig": "clusters: {\n",
    "emptyconfig": "apiVersion: v1\nkind: Config\n",
    "noca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}
SED = {"image": r"s/image: .*/image: edited/", "nothing": "s/never/never/", "name": "s/^  name: .*/  name: other/",
       "label": "s/    app: x/    app: edited/", "bad": r"s/replicas: .*/replicas: many/"}

# name: commands. `editor:NAME` in front sets the editor.
CASES = {
    "get": ["create -f - < things", "get things", "get thing t1", "get things -o wide", "get th", "get thing.v1.diff.example.com",
            "get things -o yaml", "get thing t1 -o yaml", "get things -o json", "get thing/t1 thing/t2", "get things -o name",
            "get things -o jsonpath={.items[*].metadata.name}", "get thing t1 -o jsonpath={.spec.replicas}",
            "get things -o custom-columns=N:.metadata.name,R:.spec.replicas", "get things -o go-template={{len .items}}",
            "get things --show-labels", "get things -L app", "get things --sort-by=.spec.replicas", "get things --sort-by=.metadata.name -o name",
            "get things --chunk-size=1", "get things --no-headers", "get things -l app=x", "get things -l app!=x -o name",
            "get things -l 'app in (x,z)' -o name", "get things -l '!app'", "get things --field-selector metadata.name=t2",
            "get things --field-selector spec.nope=1", "get things -l 'a b'", "get thing none", "get thing none --ignore-not-found",
            "get thing t1 none", "get nope", "get things.nope.example.com", "get thing t1 --subresource=status -o name",
            "get thing t1 --subresource=scale -o yaml", "get thing t1 --subresource=nope", "get differences -o name",
            "get things --show-kind", "get things --show-managed-fields -o json", "get things -A -l app=y -o name",
            "get things --output-watch-events -w --request-timeout=1s -o name", "get --raw /apis/diff.example.com/v1/namespaces/NS/things/t1",
            "get --raw /nope", "get --raw /readyz", "get things,cm -l app=x -o name", "get things -o jsonpath-as-json={.items[0].spec}",
            "get gadgets", "get events", "get thing t1 -o wide --server-print=false", "describe thing t1", "describe things", "describe thing none"],
    "create": ["create -f - < cm", "create -f - < cm", "create -f - < nameless", "create -f - < unknown", "create -f - --validate=false < unknown",
               "create -f - --validate=warn < duplicate", "create -f - < duplicate", "create -f - < badname", "create -f - < nokind",
               "create -f - < nosuchkind", "create -f - < list", "create -f - --dry-run=server -o yaml < cmb", "create -f - --dry-run=client -o yaml < cmb",
               "create -f - -o name < cmb", "create configmap c --from-literal=a=1 -o yaml", "create secret generic s --from-literal=a=1 -o yaml",
               "create secret tls s2 --cert=/none --key=/none", "create configmap c", "create namespace NS-extra", "create namespace NS-extra",
               "create namespace Bad_Name", "create -f - < badthing", "create -f - < badgadget", "create -f /none.yaml",
               "create configmap other -n no-such-namespace", "create --raw /api/v1/namespaces/NS/configmaps -f FILE:cmb", "create -f - --save-config < thing",
               "get thing t -o yaml"],
    "apply": ["apply -f - < cm", "apply -f - < cm", "apply -f - < cm2", "get cm a -o yaml", "apply -f - < cm3", "get cm a -o yaml",
              "apply view-last-applied cm a", "apply view-last-applied cm a -o json", "apply set-last-applied -f FILE:cm2",
              "apply edit-last-applied cm a", "diff -f - < cm2", "diff -f - < cm3", "apply -f - --dry-run=server < cm2", "apply -f - --dry-run=client < cm2",
              "apply -f - < thing", "apply -f - < thing", "apply -f - < thing2", "get thing t -o yaml", "apply -f - < unknown", "apply -f - < badthing",
              "apply -f - < badname", "apply -f - < list", "apply -f - < list", "apply -f - --force < thing", "apply -f - --overwrite=false < thing2",
              "diff -f - < thing", "diff -f - < badthing", "apply -f - < generated", "apply -f - < nosuchkind", "apply -f - -n other < cm",
              "apply -f - --server-side < thing", "apply -f - --force-conflicts < thing"],
    "server_side": ["apply --server-side -f - < thing", "apply --server-side -f - < thing", "apply --server-side --field-manager=other -f - < thing2",
                    "apply --server-side --field-manager=other --force-conflicts -f - < thing2", "get thing t -o yaml --show-managed-fields",
                    "apply --server-side -f - < cm", "apply --server-side --field-manager=other -f - < cm2", "apply --server-side --dry-run=server -f - < cm2",
                    "diff --server-side -f - < cm2", "diff --server-side --field-manager=other -f - < cm3", "apply --server-side -f - < unknown", "apply --server-side -f - < badthing",
                    "apply --server-side -f - < nameless", "apply --server-side -f - -o yaml < cmb"],
    "migrate": ["apply -f - < cm", "apply --server-side -f - < cm2", "get cm a -o yaml --show-managed-fields", "apply --server-side -f - < cm2",
                "apply --server-side -f - < cm3", "get cm a -o yaml --show-managed-fields", "apply -f - < cm", "get cm a -o yaml --show-managed-fields",
                "apply -f - < thing", "apply --server-side -f - < thing2", "get thing t -o yaml --show-managed-fields"],
    "replace": ["create -f - < cm", "replace -f - < cm2", "get cm a -o yaml", "replace -f - < cmb", "replace --force -f - < cm3", "replace -f - --dry-run=server < cm",
                "create -f - < thing", "replace -f - < thing2", "replace -f - < badthing", "get thing t -o yaml", "replace --raw /api/v1/namespaces/NS/configmaps/a -f FILE:cm"],
    "edit": ["create -f - < thing", "editor:image edit thing t", "get thing t -o jsonpath={.spec.image}", "editor:nothing edit thing t", "editor:bad edit thing t",
             "editor:name edit thing t", "create -f - < cm", "editor:label edit cm a -o yaml", "editor:image edit thing none", "editor:label edit thing t --subresource=status"],
    "patch": ["create -f - < thing", "patch thing t --type=merge -p '{\"spec\":{\"image\":\"m\"}}'", "patch thing t --type=merge -p '{\"spec\":{\"image\":\"m\"}}'",
              "patch thing t --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":9}]'", "patch thing t -p '{\"spec\":{\"image\":\"s\"}}'",
              "patch thing t --type=json -p '[{\"op\":\"test\",\"path\":\"/spec/replicas\",\"value\":1}]'",
              "patch thing t --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/none\"}]'", "patch thing t --type=json -p '{}'",
              "patch thing t --type=merge -p 'nope'", "patch thing none --type=merge -p '{}'", "patch thing t --type=merge -p '{\"spec\":{\"replicas\":\"x\"}}'",
              "patch thing t --type=merge -p '{\"spec\":{\"zork\":\"x\"}}'", "patch thing t --type=merge --subresource=status -p '{\"status\":{\"phase\":\"Ready\"}}'",
              "patch thing t --type=merge --subresource=scale -p '{\"spec\":{\"replicas\":4}}'", "patch thing t --type=merge -p '{\"metadata\":{\"name\":\"x\"}}'",
              "patch thing t --type=merge --dry-run=server -o yaml -p '{\"spec\":{\"image\":\"d\"}}'", "get thing t -o yaml", "create -f - < cm",
              "patch cm a -p '{\"data\":{\"k\":null,\"z\":\"1\"}}' -o yaml", "patch cm a -p '{\"data\":{\"k\":1}}'", "patch cm a --type=nope -p '{}'",
              "patch cm a -p '{\"data\":[]}'", "patch cm a -p '{\"metadata\":{\"resourceVersion\":\"1\"}}'"],
    "label": ["create -f - < thing", "label thing t a=1", "label thing t a=1", "label thing t a=2", "label thing t a=2 --overwrite", "label thing t a-", "label thing t a-",
              "label thing t 'a b=c'", "label thing t 'a=b c'", "label thing none a=1", "label things --all z=1", "label thing t --list", "label thing t x=1 --dry-run=server -o yaml",
              "label thing t x=1 --resource-version=1", "annotate thing t n=1", "annotate thing t n=2", "annotate thing t n=2 --overwrite", "annotate thing t n-",
              "annotate things --all y=1", "annotate thing t --list", "annotate thing t 'n n=1'", "get thing t -o yaml"],
    "scale": ["create -f - < thing", "scale thing t --replicas=5", "scale thing/t --replicas=6 --current-replicas=5", "scale thing t --replicas=6 --current-replicas=1",
              "scale thing none --replicas=1", "scale cm a --replicas=1", "scale things --all --replicas=2", "scale thing t --replicas=1 --resource-version=1", "scale -f - --replicas=8 < thing",
              "get thing t -o yaml"],
    "delete": ["create -f - < things", "delete thing t1 --dry-run=server", "delete thing t1", "delete thing t1", "delete thing t1 --ignore-not-found", "delete things -l app=x",
               "delete things --all", "delete things --all", "delete thing", "create -f - < thing", "delete -f - < thing", "delete -f - < thing", "create -f - < thing",
               "delete thing t --cascade=orphan", "create -f - < thing", "delete thing t --cascade=foreground", "create -f - < thing", "delete thing t --now", "create -f - < thing",
               "delete thing t --force --grace-period=0", "create -f - < final", "delete thing f --wait=false", "delete thing f --timeout=1s", "get thing f -o yaml",
               "patch thing f --type=merge -p '{\"metadata\":{\"finalizers\":null}}'", "get thing f", "create -f - < list", "delete -f - < list", "delete cm none", "delete nope x",
               "create -f - < thing", "delete thing t -o name", "delete --raw /apis/diff.example.com/v1/namespaces/NS/things/none", "delete things --field-selector metadata.name=q"],
    "wait": ["create -f - < thing", "wait thing t --for=jsonpath={.spec.image}=one --timeout=30s", "wait thing t --for=condition=Ready --timeout=1s",
             "patch thing t --type=merge --subresource=status -p '{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}'",
             "wait thing t --for=condition=Ready --timeout=30s", "wait thing none --for=condition=Ready --timeout=1s", "wait thing t --for=delete --timeout=1s",
             "wait thing none --for=delete --timeout=1s", "wait things --all --for=jsonpath={.metadata.name}=t --timeout=30s", "wait thing t --for=create --timeout=30s"],
    "explain": ["explain thing", "explain thing.spec", "explain thing.spec.items", "explain thing.spec.items.inner", "explain thing --recursive", "explain thing.nope",
                "explain nope", "explain gadget.spec", "explain thing.metadata.labels", "explain thing.spec.free", "explain thing.spec.ports.target",
                "explain thing.spec.labels", "explain thing.status.conditions", "explain thing --output=plaintext-openapiv2"],
    "discovery": ["api-resources --api-group=diff.example.com", "api-resources --api-group=diff.example.com -o wide", "api-resources --api-group=diff.example.com -o name",
                  "api-resources --api-group=diff.example.com --namespaced=false", "api-resources --categories=differences", "api-resources --verbs=list,get --api-group=diff.example.com -o name",
                  "get --raw /apis/diff.example.com"],
    "prune": ["apply --prune -l set=s -f - --prune-allowlist=core/v1/ConfigMap < prune1", "apply --prune -l set=s -f - --prune-allowlist=core/v1/ConfigMap < prune2",
              "get cm -l set=s -o name", "apply --prune -l set=none -f - --prune-allowlist=core/v1/Nope < prune2"],
    "applyset": ["apply --prune --applyset=configmaps/set --server-side -f - < prune1", "get cm set -o yaml", "apply --prune --applyset=configmaps/set --server-side -f - < prune2",
                 "get cm -o name -l applyset.kubernetes.io/part-of", "apply --prune --applyset=none/set -f - < prune2"],
    "who": ["auth can-i create things", "auth can-i get things/status", "auth can-i '*' '*'", "auth can-i nope things", "auth can-i create nope", "auth can-i get /healthz",
            "auth can-i create things --as=nobody", "get things --as=nobody", "get thing x --as=nobody", "get gadgets --as=nobody", "delete thing x --as=nobody", "get --raw /metrics --as=nobody",
            "create -f - --as=nobody < thing", "get things --as=nobody --as-group=system:masters", "auth whoami --as=nobody --as-group=g -o yaml"],
    "misc": ["get things -n no-such-namespace", "create -f - -n no-such-namespace < thing", "events", "get ns NS -o jsonpath={.status.phase}", "describe ns NS", "create -f - < cm",
             "describe cm a", "create secret generic s --from-literal=a=1", "describe secret s", "get secret s -o jsonpath={.data.a}", "rollout status thing/t", "logs thing/t", "get cm a -o yaml --show-managed-fields",
             "annotate cm a z=1", "get cm a -w --request-timeout=1s -o name", "cluster-info", "get cm,secret -o name -l nope", "expose thing t --port=1", "set image thing/t a=b", "get -f - < cm", "get -f - < list"],
    # What somebody types who does not know yet, or mistypes.
    "mistakes": ["create -f - < cm", "get nosuch", "get nosuch x", "get nosuch/x", "get nosuch.example.com", "get things.v9.diff.example.com", "get cm/a/b",
                 "get cm A_b", "get cm 'a b'", "get cm ..", "get cm a%2fb", "get thing a..b", "get", "get cm a -o nosuch", "get cm --nosuch", "get cm -o jsonpath={",
                 "get cm -o custom-columns=x", "get cm -l ==", "get cm -l a=b,", "get cm -l 'a in (b'", "get cm -l 'A_/b=c'", "get cm -l 'a=b c'", "get cm -l 'a=_'",
                 "get cm --field-selector=x", "get cm --field-selector==", "get cm --field-selector=metadata.name", "get cm --field-selector=metadata.nope=a",
                 "get cm --field-selector=data.k=v", "get cm --chunk-size=-1", "get cm --limit=x", "get cm -n Bad_NS", "get cm -n 'a b'", "get cm -n ''",
                 "get cm a -n no-such-namespace", "delete cm a -n no-such-namespace", "get cm --request-timeout=foo", "get pod x --as=", "delete", "delete cm",
                 "delete nosuch --all", "delete cm a b", "delete cm/a cm/b", "delete cm a --cascade=maybe", "delete cm a --grace-period=x", "create", "create nosuch",
                 "create cm 'a b'", "create cm a/b", "create cm A", "create cm a.b. --from-literal=x", "create sa Bad_Name", "create ns a.b", "create token nosuch",
                 "create token default --duration=1s", "create token default --duration=-1s", "create token default --audience=", "create token default --bound-object-kind=Thing --bound-object-name=x",
                 "create token default --bound-object-kind=Secret --bound-object-name=nosuch", "create rolebinding Bad_Name --role=x --user=y",
                 "create rolebinding r --role=x --user=", "create role r --verb=get --resource=nosuch", "create role r --verb=nope --resource=cm",
                 "create clusterrolebinding r --clusterrole= --user=y", "create secret generic s --type=kubernetes.io/tls", "create secret docker-registry s",
                 "patch cm", "patch cm a", "patch cm a -p", "patch cm a -p ''", "patch cm a -p '{'", "patch cm a -p '[]'", "patch cm a --type=json -p '[{}]'",
                 "patch cm a --type=json -p '[{\"op\":\"nope\",\"path\":\"/data\"}]'", "patch cm a --type=json -p '[{\"op\":\"add\",\"path\":\"data\",\"value\":1}]'",
                 "patch cm a --subresource=nosuch -p '{}'", "label cm a", "label cm a a", "label cm a =b", "label cm a -b=c", "label cm a a=" + "x" * 64,
                 "annotate cm a /a=b", "scale thing", "scale thing t --replicas=-1", "scale thing t --replicas=x", "apply", "apply -f", "apply -f FILE:none-such.yaml",
                 "apply -f - --field-manager=" + "m" * 129 + " --server-side < cm", "apply -f - --server-side --field-manager= < cm", "apply -k .", "replace -f - < badname",
                 "edit cm nosuch", "wait cm a --for=nope", "wait cm a --for=condition= --timeout=1s", "explain", "explain cm.nosuch", "describe nosuch x", "describe cm nosuch",
                 "auth can-i", "auth can-i get", "cp a b", "autoscale thing t --max=1", "rollout restart cm/a", "rollout undo thing/t", "diff -f - < nokind"],
    "credentials": ["get cm --kubeconfig /none", "get cm --kubeconfig FILE:noconfig", "get cm --kubeconfig FILE:emptyconfig", "get cm --context=nosuch",
                    "get cm --cluster=nosuch", "get cm --user=nosuch", "get cm --kubeconfig /dev/null --server=@SERVER --token=nonsense",
                    "get cm --kubeconfig /dev/null --server=@SERVER --token=nonsense --insecure-skip-tls-verify",
                    "get cm --kubeconfig /dev/null --server=@SERVER --token=a.b.c --insecure-skip-tls-verify",
                    "get cm --kubeconfig /dev/null --server=@SERVER --token=eyJhbGciOiJub25lIn0.e30. --insecure-skip-tls-verify",
                    "get cm --kubeconfig /dev/null --server=@SERVER --username=a --password=b --insecure-skip-tls-verify",
                    "get cm --kubeconfig /dev/null --server=@SERVER --certificate-authority=FILE:noca --token=x",
                    "get cm --server=https://127.0.0.1:1", "get cm --server=127.0.0.1:1", "get cm --server=nonsense://x",
                    "auth whoami --kubeconfig /dev/null --server=@SERVER --token=nonsense --insecure-skip-tls-verify",
                    "version --kubeconfig /dev/null --server=@SERVER --token=nonsense --insecure-skip-tls-verify",
                    "create -f - --kubeconfig /dev/null --server=@SERVER --token=nonsense --insecure-skip-tls-verify < cm",
                    "delete cm a --kubeconfig /dev/null --server=@SERVER --token=nonsense --insecure-skip-tls-verify"],
}
ENVIRONMENT = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}


class Kubectl:
    """kubectl for one side, with a home and a cache of its own."""

    def __init__(self, side, command, folder):
        self.side, self.command, self.folder = side, command, folder
        os.makedirs(folder, exist_ok=True)
        for name, expression in SED.items():
            path = os.path.join(folder, "editor-" + name)
            with open(path, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\nsed -i '%s' \"$1\"\n" % expression)
            os.chmod(path, 0o755)

    def run(self, line, ns, inputs):
        stdin = None
        if " < " in line:
            line, name = line.rsplit(" < ", 1)
            stdin = inputs[name]
        environment = dict(ENVIRONMENT, KUBECTL_APPLYSET="true", HOME=self.folder)
        words = shlex.split(line.replace("NS", ns).replace("@SERVER", "https://" + self.side.host))
        if words[0].startswith("editor:"):
            environment["KUBE_EDITOR"] = os.path.join(self.folder, "editor-" + words.pop(0)[7:])
        else:
            environment["KUBE_EDITOR"] = "true"
        for index, word in enumerate(words):
            before, mark, name = word.partition("FILE:")
            if mark and name in inputs:
                path = os.path.join(self.folder, "input-%s.yaml" % name)
                words[index] = before + path
                with open(path, "w", encoding="utf-8") as file:
                    file.write(json.dumps(yaml_object(inputs[name])) if "--raw" in words else inputs[name])
        if "-n" not in words:
            words += ["-n", ns]
        process = subprocess.run(
            self.command + ["--kubeconfig", self.side.kubeconfig, "--cache-dir", os.path.join(self.folder, "cache")] + words,
            input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, text=True, timeout=180, env=environment,
            cwd=self.folder, check=False)
        stdout = self.plain(process.stdout)
        if words[0] in ("label", "annotate") and "--list" in words:  # kubectl walks a Go map
            stdout = "\n".join(sorted(stdout.splitlines()))
        return {"code": process.returncode, "stdout": stdout, "stderr": self.plain(process.stderr)}

    def plain(self, text):
        if text.startswith("{"):
            try:
                text = json.dumps(json.loads(text), sort_keys=True)
            except ValueError:
                pass
        text = text.replace(self.folder, "FOLDER").replace("https://" + self.side.host, "https://SERVER").replace(self.side.host, "SERVER")
        text = re.sub(r"(LIVE|MERGED)-\d+", r"\1-N", text)
        text = re.sub(r"kubectl(\.real)?-edit-\w+\.yaml|edit-\w+\.yaml", "EDITED", text)
        text = UID.sub("UID", TIME.sub("TIME", text))
        text = re.sub(r"^[+-]?\w{3}, \d\d .*GMT", "DATE", text, flags=re.M)
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4}( \w+)?", "TIME", text)
        text = re.sub(r"(resourceVersion\"?: )\"\d+\"", r'\1"RV"', text)
        text = re.sub(r"(Resource Version:\s+)\d+", r"\1RV", text)
        text = re.sub(r"(resource_?version|current:) \"?\d+\"?", r"\1 RV", text, flags=re.I)
        text = re.sub(r"\b\w\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", "LOG ", text)
        text = re.sub(r"\s(\d+[smh])+(?=\s|$)", " AGE", text)
        text = re.sub(r"gen-[a-z0-9]{5}\b", "gen-XXXXX", text)
        text = re.sub(r"(resource version to be \d+, was) \d+", r"\1 RV", text)
        lines = [re.sub(r"[ \t]+", " ", line.rstrip()) if not line.startswith(" ") else line.rstrip() for line in text.splitlines()]
        # Causes come in any order.
        for head in ("* ", "  ."):
            causes = iter(sorted(line for line in lines if line.startswith(head)))
            lines = [next(causes) if line.startswith(head) else line for line in lines]
        # A client on a busy machine sees its watch of one second end sooner.
        return "\n".join(line for line in lines if "kube-root-ca.crt" not in line and "very short watch" not in line)


def yaml_object(text):
    """The one-line flow mappings of INPUTS."""
    out = {}
    for line in text.splitlines():
        key, value = line.split(": ", 1)
        if value.startswith("{"):
            value = json.loads(re.sub(r"([{,]\s*)([\w.]+):", r'\1"\2":', re.sub(r": ([\w.]+)", r': "\1"', value)))
        out[key] = value
    return out


def run_case(name, commands, pair, kubectls, ns):
    """Both sides at once, command by command."""
    for line in commands:
        answers = [None, None]

        def one(index, kubectl):
            answers[index] = kubectl.run(line, ns, INPUTS)
        threads = [threading.Thread(target=one, args=item) for item in enumerate(kubectls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pair.requests += 1
        for part in ("code", "stdout", "stderr"):
            theirs, ours = answers[0][part], answers[1][part]
            if theirs != ours and not pair.intended.match("kubectl_" + name, line, part, theirs, ours):
                pair.found.append(("kubectl " + line, part, theirs, ours))

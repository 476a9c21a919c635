#!/usr/bin/env python3
"""contexts.py - one kubeconfig of several: contexts.py OUT NAME KUBECONFIG [NAME KUBECONFIG]... -- KUBECTL...

The first name is the current context. Written with mode 0600, because the credentials are in it.
"""
import json
import os
import subprocess
import sys

arguments = sys.argv[1:]
cut = arguments.index("--")
out, pairs, kubectl = arguments[0], arguments[1:cut], arguments[cut + 1:]
whole = {"apiVersion": "v1", "kind": "Config", "current-context": pairs[0], "clusters": [], "users": [], "contexts": []}
for name, path in zip(pairs[0::2], pairs[1::2]):
    one = json.loads(subprocess.run([*kubectl, "--kubeconfig", path, "config", "view", "--raw", "--flatten", "-o", "json"],
                                    check=True, stdout=subprocess.PIPE).stdout)
    whole["clusters"].append({"name": name, "cluster": one["clusters"][0]["cluster"]})
    whole["users"].append({"name": name, "user": one["users"][0]["user"]})
    whole["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
    json.dump(whole, file)

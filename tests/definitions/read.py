"""read.py - what the modules' YAML files hold, as lines of JSON.

    read.py OUT DIR...

OUT/definitions.jsonl: their CustomResourceDefinitions, the newest of a name. Rules in CEL are taken out of them, and conversion
by webhook, because the hub enforces neither: with them nothing could be said of the rest.
OUT/objects.jsonl: every object of these definitions' kinds that stands in a file of DIR, once, with a name of its own, without
namespace: [file, object]. Templates of other tools ("{{", "${") are left out.
"""
import json
import os
import sys

import yaml

try:
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader


def without_rules(value):
    if isinstance(value, dict):
        value.pop("x-kubernetes-validations", None)
        for one in value.values():
            without_rules(one)
    elif isinstance(value, list):
        for one in value:
            without_rules(one)
    return value


def documents(folder):
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if not name.endswith((".yaml", ".yml")):
                continue
            file = os.path.join(path, name)
            try:
                with open(file, encoding="utf-8") as text:
                    for item in yaml.load_all(text, Loader=Loader):
                        # Dates and the like, which YAML has and JSON has not, are left out with a TypeError.
                        if isinstance(item, dict) and isinstance(item.get("metadata"), dict):
                            yield os.path.relpath(file, folder), json.loads(json.dumps(item))
            except (yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError):
                continue


def is_definition(item):
    return item.get("kind") == "CustomResourceDefinition" and item.get("apiVersion") == "apiextensions.k8s.io/v1" and \
        all("schema" in version for version in item["spec"].get("versions", [{}]))


def is_used_by_tools(item):
    text = json.dumps(item)
    return "{{" in text or "${" in text


def main():
    out, folders = sys.argv[1], sys.argv[2:]
    definitions, objects, kinds = {}, {}, set()
    everything = [(file, item) for folder in folders for file, item in documents(folder)]
    for file, item in everything:
        if not is_definition(item) or any(part in file for part in ("test", "hack")):
            continue
        item.pop("status", None)
        if item["spec"].get("conversion", {}).get("strategy") == "Webhook":
            del item["spec"]["conversion"]
        have = definitions.get(item["metadata"]["name"])
        if not have or len(json.dumps(item)) > len(json.dumps(have)):
            definitions[item["metadata"]["name"]] = without_rules(item)
    for item in definitions.values():
        kinds.update((item["spec"]["group"], version["name"], item["spec"]["names"]["kind"]) for version in item["spec"]["versions"])
    for file, item in everything:
        group, _, version = str(item.get("apiVersion")).partition("/")
        if (group, version, item.get("kind")) not in kinds or is_used_by_tools(item):
            continue
        for key in ("name", "namespace", "generateName"):
            item["metadata"].pop(key, None)
        objects.setdefault(json.dumps(item, sort_keys=True), (file, item))
    with open(os.path.join(out, "definitions.jsonl"), "w", encoding="utf-8") as file:
        for name in sorted(definitions):
            file.write(json.dumps(definitions[name]) + "\n")
    with open(os.path.join(out, "objects.jsonl"), "w", encoding="utf-8") as file:
        for number, (source, item) in enumerate(objects.values()):
            item["metadata"]["name"] = "x%d" % number
            file.write(json.dumps([source, item]) + "\n")


main()

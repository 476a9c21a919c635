#!/usr/bin/env python3
"""main.py - a hub next to a real kube-apiserver with the same kinds: the same requests, and what differs.

    build/kube up --dir /tmp/d
    tests/e2e/differential/main.py --theirs /tmp/d/admin.kubeconfig --ours HUB/admin.kubeconfig

Parts: wire (requests as they stand), verbs (the real kubectl), published (definitions and objects of other projects), random
(seeded sequences). Prints TAP. A difference is fine only when docs/kubernetes-api.md lists it (see intended.py). Exit codes:
0 none, 1 differences, 2 could not run.
"""
import argparse
import concurrent.futures
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import kinds  # noqa: E402
import published  # noqa: E402
import sequences  # noqa: E402
import verbs  # noqa: E402
import wire  # noqa: E402
from intended import Intended  # noqa: E402
from sides import Pair, Side  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def short(value, width):
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= width else text[:width] + "..."


class Tap:
    def __init__(self, width):
        self.number = self.failed = 0
        self.width = width

    def result(self, name, found, requests, seconds):
        self.number += 1
        if not found:
            print("ok %d - %s (%d requests, %d ms)" % (self.number, name, requests, seconds * 1000), flush=True)
            return
        self.failed += 1
        print("not ok %d - %s: %d differences" % (self.number, name, len(found)))
        before = None
        for what, path, theirs, ours in found:
            if what != before:
                print("#   " + what.replace("\n", "\n#   "))
            before = what
            print("#     %s\n#       theirs: %s\n#       ours:   %s" % (
                path, short(theirs, self.width).replace("\n", "\n#               "), short(ours, self.width).replace("\n", "\n#               ")))
        sys.stdout.flush()


def make_namespace(pair, ns):
    pair.quietly("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})


def guarded(pair, function, *arguments):
    """What a case's own code cannot digest is a difference, too."""
    try:
        function(*arguments)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        pair.found.append(("the case's code", type(error).__name__, "an answer it can read", str(error)))


def run_wire(options, theirs, ours, intended, tap):
    def one(function):
        started = time.monotonic()
        pair = Pair(theirs, ours, function.__name__, intended)
        ns = "w-%s-%s" % (function.__name__.replace("_", "-"), options.run)
        make_namespace(pair, ns)
        guarded(pair, function, pair, ns)
        pair.close()
        return "wire " + function.__name__, pair.found, pair.requests, time.monotonic() - started
    chosen = [f for f in wire.CASES if not options.only or f.__name__ in options.only]
    with concurrent.futures.ThreadPoolExecutor(options.threads) as pool:
        for result in pool.map(one, chosen):
            tap.result(*result)


def run_verbs(options, theirs, ours, intended, tap):
    def one(name):
        started = time.monotonic()
        pair = Pair(theirs, ours, "kubectl_" + name, intended)
        ns = "v-%s-%s" % (name.replace("_", "-"), options.run)
        make_namespace(pair, ns)
        kubectls = [verbs.Kubectl(side, options.kubectl.split(), os.path.join(options.folder, side.title, name)) for side in (theirs, ours)]
        verbs.run_case(name, verbs.CASES[name], pair, kubectls, ns)
        pair.close()
        return "kubectl " + name, pair.found, pair.requests, time.monotonic() - started
    chosen = [name for name in verbs.CASES if not options.only or name in options.only]
    with concurrent.futures.ThreadPoolExecutor(options.threads) as pool:
        for result in pool.map(one, chosen):
            tap.result(*result)


def run_published(options, theirs, ours, intended, tap):
    """What other projects publish, a group a case."""
    started = time.monotonic()
    pair = Pair(theirs, ours, "published_definitions", intended)
    served = published.make_definitions(pair, options.definitions)
    pair.close()
    tap.result("published definitions", pair.found, pair.requests, time.monotonic() - started)

    def one(group, objects):
        began = time.monotonic()
        each = Pair(theirs, ours, "published", intended)
        ns = "p-%s-%s" % (group.replace(".", "-"), options.run)
        make_namespace(each, ns)
        guarded(each, published.run_group, each, group, served, objects, ns)
        each.close()
        return "published %s (%d objects)" % (group, len(objects)), each.found, each.requests, time.monotonic() - began
    with concurrent.futures.ThreadPoolExecutor(options.threads) as pool:
        for result in pool.map(one, *zip(*published.groups(options.definitions, served))):
            tap.result(*result)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--theirs", required=True, help="kubeconfig of the kube-apiserver")
    parser.add_argument("--ours", required=True, help="kubeconfig of the hub")
    parser.add_argument("--parts", default="wire,verbs,random")
    parser.add_argument("--only", action="append", help="names of cases")
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--folder", default=None, help="for kubectl's files")
    parser.add_argument("--definitions", help="folder of tests/definitions/build, for the part published")
    parser.add_argument("--operations", type=int, default=5000, help="of the random part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sequence", type=int, help="only this one of the random part, without shrinking the rest")
    parser.add_argument("--stop", type=int, default=20, help="after so many sequences that differ")
    parser.add_argument("--width", type=int, default=700, help="of what is shown of one value")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--show", action="append", default=[], help="print the differences that this id of the document covers; all: of every one")
    options = parser.parse_args()
    options.run = "%x" % (int(time.time()) & 0xfffff)
    theirs, ours = Side("theirs", options.theirs), Side("ours", options.ours)
    intended = Intended(os.path.join(ROOT, "docs", "kubernetes-api.md"), options.show)
    tap = Tap(options.width)
    pair = Pair(theirs, ours, "start", intended)
    kinds.served(pair)
    parts = options.parts.split(",")
    if options.folder is None:
        import tempfile
        folder = tempfile.TemporaryDirectory(prefix="differential.")
        options.folder = folder.name
    if "wire" in parts:
        run_wire(options, theirs, ours, intended, tap)
    if "verbs" in parts:
        run_verbs(options, theirs, ours, intended, tap)
    if "published" in parts:
        run_published(options, theirs, ours, intended, tap)
    if "random" in parts:
        sequences.run(options, theirs, ours, intended, tap)
    tap.result("every intended difference is in docs/kubernetes-api.md, and every one there is known here", [
        (name, "document", "listed", "not listed") for name in intended.unlisted] + [
        (name, "rules", "a rule", "none") for name in intended.unknown], 0, 0)
    if not options.only and {"wire", "verbs"} <= set(parts):
        for name in intended.unused():
            print("# no longer occurs: %s" % name)
    for name, case, what, path, theirs_said, ours_said in sorted(intended.shown):
        print("# %s: %s: %s\n#     %s\n#       theirs: %s\n#       ours:   %s" % (
            name, case, *(short(one).replace("\n", "\\n") for one in (what, path, theirs_said, ours_said))))
    print("1..%d" % tap.number)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""compaction.py KUBECONFIG STOP NAME - writers, and readers who are too late, against a hub that forgets its history fast.

Writers are those of durability.py. A late watcher goes on from the last resourceVersion it saw after a pause, now short, now
long; told 410 it lists again and goes on from there, as an informer does. A late lister reads a page and, after a pause, the
next one; told 410 it goes on with the token of that answer. When the file STOP exists the writers end and everything is
compared; the verdict goes to stdout, and a line `lost`, `twice`, `order`, `wrong` for each complaint."""
import base64
import json
import os
import random
import sys
import threading
import time
import urllib.parse

from durability import NAMES, OUTAGE, PATH, WRITERS, Complaints, Hub, Writer, listing, state_of

PAGE = 9
TOO_OLD = "The provided continue parameter is too old to display a consistent list result."


class Ballast(threading.Thread):
    """Writes much, so that what was before is forgotten in memory as well."""

    def __init__(self, hub, prefix, stop, complaints):
        super().__init__(daemon=True)
        self.hub, self.stop, self.complaints = hub, stop, complaints
        self.secret = f"ballast-{prefix}"
        self.written = 0

    def run(self):
        connection = self.hub.connect()
        path = PATH.replace("configmaps", "secrets")
        while not os.path.exists(self.stop):
            body = {"metadata": {"name": self.secret}, "stringData": {"k": "xyz"[self.written % 3] * 150000}}
            method, to = ("PUT", f"{path}/{self.secret}") if self.written else ("POST", path)
            connection.request(method, to, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status not in (200, 201):
                self.complaints.add(f"wrong: ballast was answered {answer.status}")
                return
            self.written += 1
            time.sleep(0.01)


class Late(threading.Thread):
    """Keeps what an informer would keep: names, numbers and resourceVersions."""

    def __init__(self, hub, prefix, number, stop, complaints):
        super().__init__(daemon=True)
        self.hub, self.prefix, self.complaints, self.stop = hub, prefix + "-", complaints, stop
        self.random = random.Random(number)
        self.version = None
        self.there = {}
        self.highest = {}  # the greatest number ever seen of a name: numbers of a writer only rise
        self.gone = self.resumed = self.events = 0
        self.until = None  # the resourceVersion at which to end

    def saw(self, name, number, version):
        if number < self.highest.get(name, 0):
            self.complaints.add(f"order: {name} is {number} at {version} after {self.highest[name]}")
        self.highest[name] = max(number, self.highest.get(name, 0))

    def list(self):
        whole = listing(self.hub)
        version = int(whole["metadata"]["resourceVersion"])
        if self.version is not None and version < self.version:
            self.complaints.add(f"order: a list at {version} after an event at {self.version}")
        self.there = {}
        for item in whole["items"]:
            name = item["metadata"]["name"]
            if name.startswith(self.prefix):
                self.there[name] = state_of(item)
                self.saw(name, self.there[name], version)
        self.version = version

    def take(self, line):
        """False when the watch is over because what it asked for is forgotten."""
        event = json.loads(line)
        item = event["object"]
        if event["type"] == "ERROR":
            if item.get("code") != 410 or item.get("reason") != "Expired":
                self.complaints.add(f"wrong: {item}")
            return False
        version = int(item["metadata"]["resourceVersion"])
        if version <= self.version:
            self.complaints.add(f"twice: {event['type']} {item['metadata']['name']} at {version} after {self.version}")
        self.version = version
        name = item["metadata"]["name"]
        if not name.startswith(self.prefix):
            return True
        self.events += 1
        number = state_of(item)
        known = name in self.there
        if event["type"] != ("DELETED" if event["type"] == "DELETED" else "MODIFIED" if known else "ADDED"):
            self.complaints.add(f"lost: {event['type']} {name} at {version}, known: {known}")
        if event["type"] == "DELETED":
            if not known:
                self.complaints.add(f"lost: {name} is deleted at {version} and was never there")
            self.there.pop(name, None)
        else:
            if self.there.get(name, 0) >= number:
                self.complaints.add(f"twice: {name} {number} at {version} after {self.there[name]}")
            self.there[name] = number
            self.saw(name, number, version)
        return True

    def watch(self, seconds):
        connection = self.hub.connect()
        try:
            connection.request("GET", f"{PATH}?watch=1&resourceVersion={self.version}&timeoutSeconds={seconds}")
            answer = connection.getresponse()
            if answer.status == 410:
                self.gone += 1
                self.list()
                return
            self.resumed += 1
            while True:
                line = answer.readline()
                if not line.endswith(b"\n"):
                    return
                if not self.take(line):
                    self.gone += 1
                    self.list()
                    return
                if self.until is not None and self.version >= self.until:
                    return
        finally:
            connection.close()

    def run(self):
        self.list()
        while self.until is None:
            self.watch(1)
            if not os.path.exists(self.stop):
                time.sleep(self.random.choice((0.01, 0.05, 1.5, 3.0)))
        while self.version < self.until:
            self.watch(5)


class Lister(threading.Thread):
    """Pages through the list, and is sometimes too late for the next page."""

    def __init__(self, hub, stop, complaints):
        super().__init__(daemon=True)
        self.hub, self.stop, self.complaints = hub, stop, complaints
        self.random = random.Random(1)
        self.whole = self.expired = 0

    def page(self, connection, token):
        more = "&continue=" + urllib.parse.quote(token) if token else ""
        connection.request("GET", f"{PATH}?limit={PAGE}{more}")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def go_on(self, connection, refusal, last):
        """After 410: the token of the answer leads to what follows, as it is now."""
        token = refusal["metadata"].get("continue")
        if refusal["reason"] != "Expired" or not refusal["message"].startswith(TOO_OLD) or not token:
            self.complaints.add(f"wrong: {refusal}")
            return None
        inside = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if inside.get("rv") != -1:
            self.complaints.add(f"wrong: the token to go on with is {inside}")
        before = int(listing(self.hub)["metadata"]["resourceVersion"])
        status, body = self.page(connection, token)
        if status != 200 or int(body["metadata"]["resourceVersion"]) < before:
            self.complaints.add(f"wrong: going on was answered {status} at {body['metadata'].get('resourceVersion')}, "
                                f"the hub was at {before}")
            return None
        if any(item["metadata"]["name"] <= last for item in body["items"]):
            self.complaints.add(f"twice: names up to {last} were listed, and again {body['items'][0]['metadata']['name']}")
        return body

    def read(self, connection):
        names, token, version, late = [], None, None, self.random.random() < 0.5
        while True:
            status, body = self.page(connection, token)
            if status == 410 and names:
                self.expired += 1
                body = self.go_on(connection, body, names[-1])
                if body is None:
                    return
                version = None
            elif status != 200:
                self.complaints.add(f"wrong: a page was answered {status}: {body}")
                return
            now = body["metadata"]["resourceVersion"]
            if version is not None and now != version:
                self.complaints.add(f"wrong: a page at {now} after one at {version}")
            version = now
            names += [item["metadata"]["name"] for item in body["items"]]
            token = body["metadata"].get("continue")
            if not token:
                break
            if late:
                time.sleep(self.random.choice((0.2, 2.0)))
        if names != sorted(set(names)):
            self.complaints.add(f"twice: the pages are not in order, or repeat something: {names}")
        self.whole += 1

    def run(self):
        connection = self.hub.connect()
        while not os.path.exists(self.stop):
            self.read(connection)
        connection.close()


def main():
    hub, stop, prefix = Hub(sys.argv[1]), sys.argv[2], sys.argv[3]
    complaints = Complaints()
    writers = [Writer(hub, prefix, number, stop, complaints) for number in range(WRITERS)]
    late = [Late(hub, prefix, number, stop, complaints) for number in range(3)]
    ballast, lister = Ballast(hub, prefix, stop, complaints), Lister(hub, stop, complaints)
    for thread in [*late, *writers, ballast, lister]:
        thread.start()
    print("running", flush=True)
    for thread in [*writers, ballast, lister]:
        thread.join()
    # A last change, made for the late: who has seen it has seen all.
    status, mark = Writer(hub, prefix, WRITERS, stop, complaints).ask(
        "POST", f"{prefix}-mark", {"metadata": {"name": f"{prefix}-mark"}, "data": {"a": "1", "b": "1"}})
    if status != 201:
        complaints.add(f"lost: the last write was answered {status}")
    for thread in late:
        thread.until = int(mark["metadata"]["resourceVersion"])
    for thread in late:
        thread.join(180)
        if thread.is_alive():
            complaints.add(f"lost: a late watcher never came to {thread.until}, it is at {thread.version}")
    items = {item["metadata"]["name"]: state_of(item) for item in listing(hub)["items"]
             if item["metadata"]["name"].startswith(prefix + "-")}
    for thread in late:
        if thread.there != items:
            complaints.add(f"lost: a late watcher keeps another state: {set(thread.there.items()) ^ set(items.items())}")
    for writer in writers:
        for name, number in writer.is_now.items():
            if items.get(name) != number:
                complaints.add(f"lost: {name} is {items.get(name)} in the list, must be {number}")
    print(f"{sum(len(w.acknowledged) for w in writers)} writes to {WRITERS * NAMES} names, {ballast.written} of ballast, "
          f"{sum(t.events for t in late)} events, {sum(t.gone for t in late)} times 410, "
          f"{sum(t.resumed for t in late)} watches that went on, "
          f"{lister.whole} lists in pages, {lister.expired} expired")
    for what, times in (("watch", sum(t.gone for t in late)), ("page", lister.expired),
                        ("watch that goes on", sum(t.resumed for t in late))):
        if times == 0:
            complaints.add(f"wrong: there was no {what} to learn from: this shows nothing")
    for text in complaints.list[:30]:
        print(text)
    return 1 if complaints.list else 0


if __name__ == "__main__":
    sys.exit(main())

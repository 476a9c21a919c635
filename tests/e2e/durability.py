#!/usr/bin/env python3
"""durability.py KUBECONFIG STOP NAME - writers and watchers against a hub that is killed again and again.

Each writer owns its ConfigMaps and knows what every one of them must be: what was acknowledged, or, where a kill came
between request and answer, that or what it asked for. After each outage it looks. Two watchers go on from the last
resourceVersion they saw. When the file STOP exists the writers end, and everything is compared; the verdict goes to stdout,
and a line `lost`, `torn`, `missed`, `twice`, `order` or `gone` for each complaint. NAME begins the objects' names."""
import base64
import http.client
import json
import os
import random
import re
import ssl
import sys
import tempfile
import threading
import time

WRITERS = 4
NAMES = 12
PATH = "/api/v1/namespaces/default/configmaps"
OUTAGE = (OSError, http.client.HTTPException)


def field(text, name):
    return base64.b64decode(re.search(name + r": *\"?([A-Za-z0-9+/=]+)", text).group(1))


class Hub:
    def __init__(self, kubeconfig):
        with open(kubeconfig, encoding="utf-8") as file:
            text = file.read()
        self.host, self.port = re.search(r"server: *\"?https://([^:/\s\"]+):(\d+)", text).groups()
        self.context = ssl.create_default_context(cadata=field(text, "certificate-authority-data").decode())
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(field(text, "client-certificate-data") + field(text, "client-key-data"))
            pem.flush()
            self.context.load_cert_chain(pem.name)

    def connect(self, timeout=20):
        return http.client.HTTPSConnection(self.host, int(self.port), context=self.context, timeout=timeout)


class Complaints:
    def __init__(self):
        self.list = []
        self.lock = threading.Lock()

    def add(self, text):
        with self.lock:
            self.list.append(text)


def state_of(item):
    """What an object says: its number, or None with a complaint's text when its two halves differ."""
    data = item.get("data", {})
    if data.get("a") != data.get("b"):
        return "torn"
    return int(data["a"])


class Writer(threading.Thread):
    def __init__(self, hub, prefix, number, stop, complaints):
        super().__init__(daemon=True)
        self.hub, self.stop, self.complaints = hub, stop, complaints
        self.random = random.Random(number)
        self.names = [f"{prefix}-{number}-{n}" for n in range(NAMES)]
        self.is_now = {name: None for name in self.names}  # number, None: absent
        self.next_number = 1
        self.acknowledged = []  # (resourceVersion, name, number or None)
        self.connection = None
        self.outages = 0
        self.refused = {}

    def ask(self, method, name, body=None, kind="application/json"):
        if self.connection is None:
            self.connection = self.hub.connect()
        path = PATH if method == "POST" else f"{PATH}/{name}"
        self.connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": kind})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def drop(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def look(self, name, allowed):
        """Waits for the hub and compares; the object must be one of allowed."""
        while True:
            try:
                status, item = self.ask("GET", name)
                break
            except OUTAGE:
                self.drop()
                time.sleep(0.02)
        found = None if status == 404 else state_of(item) if status == 200 else f"status {status}"
        if found == "torn":
            self.complaints.add(f"torn: {name}: {item.get('data')}")
        elif found not in allowed:
            self.complaints.add(f"lost: {name} is {found}, must be one of {allowed}")
        self.is_now[name] = found if isinstance(found, int) else None

    def step(self, name):
        before, number = self.is_now[name], self.next_number
        self.next_number += 1
        data = {"a": str(number), "b": str(number)}
        if before is None:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
            request, after, success = ("POST", name, body), number, 201
        elif self.random.random() < 0.3:
            request, after, success = ("DELETE", name), None, 200
        elif self.random.random() < 0.5:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
            request, after, success = ("PUT", name, body), number, 200
        else:
            request, after, success = ("PATCH", name, {"data": data}, "application/merge-patch+json"), number, 200
        try:
            status, item = self.ask(*request)
        except OUTAGE:
            self.outages += 1
            self.drop()
            self.look(name, [before, after])
            for other in self.names:
                if other != name:
                    self.look(other, [self.is_now[other]])
            return
        if status != success:
            self.refused[status] = self.refused.get(status, 0) + 1
            self.look(name, [before])
            time.sleep(0.05)
            return
        self.is_now[name] = after
        version = item.get("metadata", {}).get("resourceVersion") if after is not None else None
        self.acknowledged.append((int(version) if version else None, name, after))

    def run(self):
        while not os.path.exists(self.stop):
            self.step(self.random.choice(self.names))
        for name in self.names:
            self.look(name, [self.is_now[name]])
        self.drop()


class Watcher(threading.Thread):
    def __init__(self, hub, prefix, version, complaints):
        super().__init__(daemon=True)
        self.hub, self.prefix, self.version, self.complaints = hub, prefix, version, complaints
        self.events = []  # (resourceVersion, type, name, number)
        self.resumed = 0
        self.ended = False

    def take(self, line):
        event = json.loads(line)
        item = event["object"]
        if event["type"] == "ERROR":
            self.complaints.add(f"gone: watch from {self.version}: {item.get('message')}")
            self.ended = True
            return
        version = int(item["metadata"]["resourceVersion"])
        if version <= self.version:
            self.complaints.add(f"twice: {event['type']} {item['metadata']['name']} at {version} after {self.version}")
        self.version = version
        if item["metadata"]["name"].startswith(self.prefix + "-"):
            self.events.append((version, event["type"], item["metadata"]["name"], state_of(item)))

    def watch(self):
        connection = self.hub.connect()
        try:
            connection.request("GET", f"{PATH}?watch=1&resourceVersion={self.version}&timeoutSeconds=300")
            answer = connection.getresponse()
            if answer.status != 200:
                self.complaints.add(f"gone: watch from {self.version}: status {answer.status}")
                self.ended = True
            while not self.ended:
                line = answer.readline()
                if not line.endswith(b"\n"):
                    return
                self.take(line)
        finally:
            connection.close()

    def run(self):
        while not self.ended:
            try:
                self.watch()
            except OUTAGE:
                time.sleep(0.02)
            self.resumed += 1


def judge(watchers, writers, items, complaints):
    """Every watcher told the same, in order, and what it told leads to what is there."""
    first, second = watchers[0].events, watchers[1].events
    if first != second:
        at = next((i for i, (a, b) in enumerate(zip(first, second)) if a != b), min(len(first), len(second)))
        complaints.add(f"missed: the watchers differ at event {at}: {first[at:at + 2]} {second[at:at + 2]}")
    there = {}
    for version, kind, name, number in first:
        known = name in there
        if kind != ("DELETED" if kind == "DELETED" else "MODIFIED" if known else "ADDED") or (kind == "DELETED" and not known):
            complaints.add(f"missed: {kind} {name} at {version}, known: {known}")
        if kind == "DELETED":
            there.pop(name, None)
        else:
            if known and number <= there[name]:
                complaints.add(f"order: {name} {there[name]} -> {number} at {version}")
            there[name] = number
    if there != items:
        complaints.add(f"missed: the events lead to another state: {set(there.items()) ^ set(items.items())}")
    told = {(name, number) for _, kind, name, number in first if kind != "DELETED"}
    at_version = {version: (name, number) for version, kind, name, number in first if kind != "DELETED"}
    for writer in writers:
        for version, name, number in writer.acknowledged:
            if number is not None and (name, number) not in told:
                complaints.add(f"missed: {name} {number} was acknowledged at {version} and never told")
            elif number is not None and at_version.get(version) != (name, number):
                complaints.add(f"order: {name} {number} was acknowledged at {version}, told is {at_version.get(version)}")


def listing(hub):
    connection = hub.connect()
    connection.request("GET", PATH)
    body = json.loads(connection.getresponse().read())
    connection.close()
    return body


def main():
    hub, prefix = Hub(sys.argv[1]), sys.argv[3]
    complaints = Complaints()
    start = int(listing(hub)["metadata"]["resourceVersion"])
    watchers = [Watcher(hub, prefix, start, complaints) for _ in range(2)]
    writers = [Writer(hub, prefix, number, sys.argv[2], complaints) for number in range(WRITERS)]
    for thread in watchers + writers:
        thread.start()
    print("running", flush=True)
    for writer in writers:
        writer.join()
    items = {item["metadata"]["name"]: state_of(item) for item in listing(hub)["items"]
             if item["metadata"]["name"].startswith(prefix + "-")}
    # The watchers are done when they told of a last change, made for that.
    mark = f"{prefix}-mark"
    status, _ = Writer(hub, prefix, WRITERS, sys.argv[2], complaints).ask(
        "POST", mark, {"metadata": {"name": mark}, "data": {"a": "1", "b": "1"}})
    if status != 201:
        complaints.add(f"lost: the last write was answered {status}")
    until = time.monotonic() + 60
    while status == 201 and any(not w.events or w.events[-1][2] != mark for w in watchers):
        if time.monotonic() > until or any(w.ended for w in watchers):
            complaints.add("missed: a watcher never told of the last change")
            break
        time.sleep(0.02)
    for watcher in watchers:
        watcher.ended = True
        watcher.events = [event for event in watcher.events if event[2] != mark]
    for writer in writers:
        for name, number in writer.is_now.items():
            if items.get(name) != number:
                complaints.add(f"lost: {name} is {items.get(name)} in the list, must be {number}")
    judge(watchers, writers, items, complaints)
    print(f"{sum(len(w.acknowledged) for w in writers)} writes acknowledged, {sum(w.outages for w in writers)} cut by an outage, "
          f"{sum(sum(w.refused.values()) for w in writers)} refused {[w.refused for w in writers if w.refused]}, "
          f"{len(watchers[0].events)} events, watches resumed {[w.resumed for w in watchers]} times")
    for text in complaints.list[:30]:
        print(text)
    return 1 if complaints.list else 0


if __name__ == "__main__":
    sys.exit(main())

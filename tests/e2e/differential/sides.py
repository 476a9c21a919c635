"""sides.py - two API servers asked the same question, and what differs between their answers.

`Side` is one server: a connection that is kept, and what it has shown so far (uids, resource versions), so that answers of
two servers can be compared after replacing only what must differ. `Pair.ask` sends one request to both.

Placeholders in paths and bodies become what that side has shown: {{rv:NAME}}, {{uid:NAME}} of the object last seen under that
name, {{listrv}} and {{continue}} of the last list, {{generated}} the last name the server made.
"""
import base64
import copy
import http.client
import json
import os
import re
import ssl
import tempfile
import threading

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
AGE = re.compile(r"^(\d+[smh])+$")
PLACEHOLDER = re.compile(r"\{\{(\w+)(?::([^}]*))?\}\}")
# What a server writes about the connection or itself, not about the request.
HEADERS = ("content-type", "warning", "retry-after", "cache-control", "allow", "location", "content-length")


class Answer:
    """Code, headers (lower case; a list where they may repeat) and the body, parsed when it is JSON."""

    def __init__(self, code, headers, text):
        self.code = code
        self.text = text
        self.headers = {}
        for key, value in headers:
            self.headers.setdefault(key.lower(), []).append(value)
        self.body = text
        if "json" in self.type() or text.startswith("{"):
            try:
                self.body = json.loads(text) if text else None
            except ValueError:
                try:
                    self.body = [json.loads(line) for line in text.splitlines() if line]
                except ValueError:
                    pass

    def type(self):
        return self.headers.get("content-type", [""])[0]

    def item(self):
        return self.body if isinstance(self.body, dict) else {}


def credentials(kubeconfig):
    """Host and TLS context of a kubeconfig with embedded certificates."""
    with open(kubeconfig, encoding="utf-8") as file:
        text = file.read()
    host = re.search(r"server: \"?https://([^\s\"]+)", text).group(1)
    files = {}
    for key in ("certificate-authority-data", "client-certificate-data", "client-key-data"):
        handle, files[key] = tempfile.mkstemp()
        os.write(handle, base64.b64decode(re.search(key + r": \"?([A-Za-z0-9+/=]+)", text).group(1)))
        os.close(handle)
    context = ssl.create_default_context(cafile=files["certificate-authority-data"])
    context.load_cert_chain(files["client-certificate-data"], files["client-key-data"])
    for name in files.values():
        os.unlink(name)
    return host, context


class Side:
    def __init__(self, title, kubeconfig, like=None):
        self.title = title
        self.kubeconfig = kubeconfig
        self.host, self.context = (like.host, like.context) if like else credentials(kubeconfig)
        self.connection = None
        self.uids = {}      # uid -> name of its object
        self.versions = {}  # uid -> resource versions in order of appearance
        self.moved = set()  # uids that the last answer showed in a new version
        self.numbers = set()
        self.seen = {}      # name -> object
        self.list_version = "0"
        self.token = ""
        self.generated = ""

    def again(self):
        """Another connection to the same server, which has seen nothing."""
        return Side(self.title, self.kubeconfig, self)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    # ---- placeholders ----
    def fill(self, text):
        def value(match):
            what, name = match.groups()
            if what == "rv":
                return self.seen.get(name, {}).get("metadata", {}).get("resourceVersion", "1")
            if what == "uid":
                return self.seen.get(name, {}).get("metadata", {}).get("uid", "none")
            return {"listrv": self.list_version, "continue": self.token, "generated": self.generated}[what]
        return PLACEHOLDER.sub(value, text)

    # ---- requests ----
    def send(self, method, path, body, headers):
        path = self.fill(path)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = self.fill(body).encode()
        headers = dict(headers)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        headers = {key: value for key, value in headers.items() if value is not None}
        headers.setdefault("User-Agent", "differential/1")
        for attempt in (0, 1):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=60)
            try:
                self.connection.putrequest(method, path, skip_accept_encoding=True)
                for key, value in headers.items():
                    self.connection.putheader(key, value)
                if body is not None and "Content-Length" not in headers:
                    self.connection.putheader("Content-Length", str(len(body)))
                elif body is None and method in ("POST", "PUT", "PATCH"):
                    self.connection.putheader("Content-Length", "0")
                self.connection.endheaders(body)
                return
            except (ConnectionError, http.client.CannotSendRequest, ssl.SSLError, BrokenPipeError):
                # A kept connection may have been closed meanwhile; a body may be refused before its end.
                if attempt and body is None:
                    raise
                if body is not None and len(body) > 1 << 20:
                    return
                self.close()

    def receive(self):
        try:
            answer = self.connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (ConnectionError, http.client.HTTPException, ssl.SSLError, TimeoutError) as error:
            self.close()
            return Answer(0, [], "no answer: %s" % type(error).__name__)
        if answer.will_close:
            self.close()
        return Answer(answer.status, answer.getheaders(), text)

    def call(self, method, path, body=None, headers=None):
        self.send(method, path, body, headers or {})
        answer = self.receive()
        self.moved.clear()
        self.learn(answer.body)
        return answer

    def watch(self, path, lines, headers=None):
        try:
            return self.stream(path, lines, headers)
        except (OSError, http.client.HTTPException):
            self.close()  # a kept connection that had been closed meanwhile
            return self.stream(path, lines, headers)

    def stream(self, path, lines, headers):
        """A stream: its first lines, or all when it ends before."""
        self.send("GET", path, None, headers or {})
        try:
            answer = self.connection.getresponse()
            if answer.status != 200:
                return Answer(answer.status, answer.getheaders(), answer.read().decode("utf-8", "replace"))
            out = []
            while len(out) < lines:
                line = answer.readline()
                if not line:
                    break
                if line.strip():
                    out.append(line.decode("utf-8", "replace"))
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(0, [], "no answer: %s" % type(error).__name__)
        self.close()
        answer = Answer(200, answer.getheaders(), "".join(out))
        if isinstance(answer.body, dict):
            answer.body = [answer.body]
        for event in answer.body if isinstance(answer.body, list) else []:
            self.learn(event.get("object"))
        return answer

    # ---- what was shown ----
    def learn_yaml(self, text):
        """Of an answer in YAML, which is compared as text, only what must differ."""
        for uid in re.findall(r"^ *uid: ([-0-9a-f]{36})$", text, re.M):
            self.uids.setdefault(uid, "yaml")
        self.numbers.update(re.findall(r'^ *resourceVersion: "(\d+)"$', text, re.M))

    def learn(self, body):
        if isinstance(body, str) and body.startswith("apiVersion: "):
            self.learn_yaml(body)
        if not isinstance(body, dict):
            return
        metadata = body.get("metadata")
        if isinstance(body.get("items"), list):
            for item in body["items"]:
                self.learn(item)
            if isinstance(metadata, dict):
                self.list_version = metadata.get("resourceVersion", self.list_version)
                self.token = metadata.get("continue", "")
                self.numbers.add(self.list_version)
            return
        if body.get("kind") == "Table":
            for row in body.get("rows") or []:
                self.learn(row.get("object"))
        if isinstance(body.get("details"), dict) and isinstance(body["details"].get("uid"), str):
            self.know(body["details"]["uid"], body["details"].get("name"))
        if not isinstance(metadata, dict) or not isinstance(metadata.get("uid"), str):
            return
        uid, version = metadata["uid"], metadata.get("resourceVersion")
        self.know(uid, metadata.get("generateName") or metadata.get("name"))
        if isinstance(version, str) and version:
            known = self.versions.setdefault(uid, [])
            if version not in known:
                known.append(version)
                self.moved.add(uid)
            self.numbers.add(version)
            self.seen[metadata.get("name")] = body
        if metadata.get("generateName") and metadata.get("name", "").startswith(metadata["generateName"]):
            self.generated = metadata["name"]

    def know(self, uid, name):
        if uid not in self.uids:
            self.uids[uid] = name

    # ---- made comparable ----
    def text(self, text):
        text = UID.sub(lambda m: "UID(%s)" % self.uids[m.group()] if m.group() in self.uids else m.group(), text)
        text = TIME.sub("TIME", text)
        # What a patch made of an object, members in the order of whoever prints it.
        text = re.sub(r'Invalid value: "\{.*\}": ', 'Invalid value: "OBJECT": ', text, flags=re.S)
        # Whoever decodes into a struct meets them as they stand, others one kind of mistake after the other.
        text = re.sub(r"strict decoding error: (.*)$", lambda m: "strict decoding error: " + ", ".join(sorted(m.group(1).split(", "))), text)
        # Go walks its maps in random order: so do the mistakes of an applied configuration.
        text = re.sub(r"(?<=errors:\n)(  [^\n]*\n?)+", lambda m: "\n".join(sorted(m.group().splitlines())), text)
        text = text.replace(self.host, "SERVER")
        # So do the mistakes of an applied configuration.
        text = re.sub(r"(patch object [^\n]*: errors:)((?:\n  \.[^\n]*)+)", lambda m: m.group(1) + "\n".join(sorted(m.group(2).split("\n"))), text)
        text = re.sub(r"\bA_[a-z0-9]{5}\b", "A_XXXXX", text)
        if self.generated:
            text = text.replace(self.generated, "GENERATED")
        text = re.sub(r"(oo large resource version: \d+, current:) \d+", r"\1 N", text)
        text = re.sub(r"(too old resource version: \d+) \(\d+\)", r"\1 (N)", text)
        if re.search(r"resource ?version", text, re.I):
            text = re.sub(r"(?<![-\w])\d+(?![-\w])", lambda m: "RV" if m.group() in self.numbers and len(m.group()) > 1 else m.group(), text)
        return text

    def plain(self, value, uid=None):
        if isinstance(value, dict):
            return self.plain_object(value)
        if isinstance(value, list):
            return [self.plain(one) for one in value]
        return self.text(value) if isinstance(value, str) else value

    def plain_object(self, value):
        out = {}
        uid = value.get("uid")
        for key, one in value.items():
            if key == "resourceVersion" and isinstance(one, str) and isinstance(uid, str) and uid in self.versions:
                known = self.versions[uid]
                out[key] = "older" if one != known[-1] else "moved" if uid in self.moved else "same"
            elif key == "resourceVersion" and isinstance(one, str):
                out[key] = "RV" if one not in ("", "0") else one
            elif key == "continue" and isinstance(one, str):
                out[key] = "CONTINUE" if one else ""
            elif key == "managedFields" and isinstance(one, list):
                out[key] = sorted((self.plain(entry) for entry in one), key=lambda e: json.dumps(e, sort_keys=True))
            elif key == "causes" and isinstance(one, list):
                out[key] = sorted((self.plain(entry) for entry in one), key=lambda e: json.dumps(e, sort_keys=True))
            elif key == "cells" and isinstance(one, list):
                out[key] = ["AGE" if isinstance(c, str) and AGE.match(c) else self.plain(c) for c in one]
            elif key == "items" and isinstance(one, list):
                out[key] = [self.plain(item) for item in one if not made_by_controllers(item)]
            elif key == "storageVersionHash":
                continue
            else:
                out[key] = self.plain(one)
        if value.get("kind") == "Status":
            self.plain_causes(value, out)
        return out

    def plain_causes(self, value, out):
        """Go walks its maps in random order: several causes, and the message that lists them, may come in any."""
        causes = (value.get("details") or {}).get("causes") or []
        listed = list(dict.fromkeys("%s: %s" % (c.get("field", "<nil>"), c.get("message")) for c in causes))
        text = "[%s]" % ", ".join(listed)
        if len(listed) > 1 and isinstance(value.get("message"), str) and value["message"].endswith(text):
            out["message"] = self.text(value["message"][:-len(text)]) + "[causes]"


def made_by_controllers(item):
    """The ConfigMap that kube-controller-manager puts into every namespace, whenever it comes to it."""
    return isinstance(item, dict) and isinstance(item.get("metadata"), dict) and \
        item["metadata"].get("name") == "kube-root-ca.crt"


def differences(theirs, ours, path=""):
    """Leaves that differ: (path, theirs, ours)."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(set(theirs) | set(ours)):
            there = "%s.%s" % (path, key) if path else key
            if key not in theirs:
                yield there, "(absent)", ours[key]
            elif key not in ours:
                yield there, theirs[key], "(absent)"
            else:
                yield from differences(theirs[key], ours[key], there)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (one, other) in enumerate(zip(theirs, ours)):
            yield from differences(one, other, "%s[%d]" % (path, index))
    elif theirs != ours or type(theirs) is not type(ours):
        yield path, theirs, ours


def shown(side, answer):
    """An answer as it is compared."""
    headers = {key: answer.headers[key] for key in HEADERS if key in answer.headers}
    headers.pop("content-length", None)
    if "warning" in headers:
        headers["warning"] = sorted(side.text(one) for one in headers["warning"])
    return {"code": answer.code, "headers": headers, "body": side.plain(copy.deepcopy(answer.body))}


class Pair:
    """The same requests to both; every difference is noted with the request that showed it."""

    def __init__(self, theirs, ours, name, intended):
        self.theirs, self.ours, self.name, self.intended = theirs.again(), ours.again(), name, intended
        self.found = []
        self.requests = 0
        self.context = ""  # said behind every request
        self.diverged = False  # the last request had two codes

    def close(self):
        self.theirs.close()
        self.ours.close()

    def both(self, method, path, body=None, headers=None):
        """Sends to both before it waits for either."""
        self.requests += 1
        for side in (self.theirs, self.ours):
            side.send(method, path, body, headers or {})
        answers = [side.receive() for side in (self.theirs, self.ours)]
        for side, answer in zip((self.theirs, self.ours), answers):
            side.moved.clear()
            side.learn(answer.body)
        return answers

    def note(self, what, answers, only=None):
        theirs, ours = shown(self.theirs, answers[0]), shown(self.ours, answers[1])
        self.diverged = answers[0].code != answers[1].code
        if only:
            theirs, ours = only(theirs), only(ours)
        for path, one, other in self.compare(theirs, ours, answers):
            if not self.intended.match(self.name, what, path, one, other):
                self.found.append((what, path, one, other))
        return answers[0]

    def compare(self, theirs, ours, answers):
        """Where even the code differs the rest follows from it."""
        if not isinstance(theirs, dict) or answers[0].code == answers[1].code:
            return differences(theirs, ours)
        said = ["%d %s" % (answer.code, side.text(answer.item().get("message", "") if answer.item() else str(answer.body)[:200]))
                for side, answer in zip((self.theirs, self.ours), answers)]
        return [("code", *said)]

    def ask(self, method, path, body=None, only=None, **headers):
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        what = "%s %s" % (method, path)
        if body is not None:
            text = body if isinstance(body, str) else json.dumps(body)
            what += " %s%s" % (text[:200], "..." if len(text) > 200 else "")
        if headers:
            what += " %s" % headers
        return self.note(what + self.context, self.both(method, path, body, headers), only)

    def quietly(self, method, path, body=None, **headers):
        """What a case needs but does not compare."""
        return self.both(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})

    def watch(self, path, lines, only=None, **headers):
        self.requests += 1
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        answers = [None, None]

        def one(index, side):
            answers[index] = side.watch(path, lines, headers)
        threads = [threading.Thread(target=one, args=pair) for pair in enumerate((self.theirs, self.ours))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.note("WATCH %s (%d lines) %s" % (path, lines, headers or ""), answers, only)

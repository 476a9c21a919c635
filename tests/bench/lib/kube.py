"""A Kubernetes client with one persistent connection, and watches that note the time of each event."""

import base64
import http.client
import json
import os
import re
import ssl
import tempfile
import threading
import time

TIMEOUT_S = 60
KEPT_S = 15  # servers close connections that are idle for longer
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(RuntimeError):
    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path}: {status} {body[:400].decode('utf-8', 'replace')}")
        self.status = status


class Api:
    def __init__(self, kubeconfig):
        with open(kubeconfig, encoding="utf-8") as source:
            text = source.read()
        self._host, self._port = self._server(text)
        self._tls = self._context(text)
        self._conn = None
        self._used_s = 0.0

    @staticmethod
    def _server(text):
        found = re.search(r"server\"?:\s*\"?https://([^:/\s\"]+|\[[^]]+\]):(\d+)", text)
        if not found:
            raise RuntimeError("the kubeconfig names no https server with a port")
        return found.group(1), int(found.group(2))

    @staticmethod
    def _context(text):
        def data(key):
            found = re.search(rf"{key}\"?:\s*\"?([A-Za-z0-9+/=]+)", text)
            if not found:
                raise RuntimeError(f"the kubeconfig has no {key}")
            return base64.b64decode(found.group(1))

        tls = ssl.create_default_context(cadata=data("certificate-authority-data").decode())
        tls.check_hostname = False  # the CA is the cluster's own; the address is loopback
        pair = data("client-certificate-data") + b"\n" + data("client-key-data")
        handle, path = tempfile.mkstemp()
        try:
            os.write(handle, pair)
            tls.load_cert_chain(path)
        finally:
            os.close(handle)
            os.unlink(path)
        return tls

    def _open(self, timeout_s):
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=self._tls)

    def _connect(self):
        if self._conn and time.monotonic() - self._used_s > KEPT_S:
            self._conn.close()
            self._conn = None
        if not self._conn:
            self._conn = self._open(TIMEOUT_S)
            self._conn.connect()
        self._used_s = time.monotonic()

    def call(self, method, path, body=None, content_type=JSON):
        """The answer's document; ApiError for anything but 2xx."""
        raw = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        status, answer = self.send(method, path, raw, content_type)
        if not 200 <= status < 300:
            raise ApiError(method, path, status, answer)
        return json.loads(answer) if answer else None

    def send(self, method, path, raw, content_type=JSON, accept=JSON):
        headers = {"Accept": accept}
        if raw is not None:
            headers["Content-Type"] = content_type
        self._connect()
        self._conn.request(method, path, raw, headers)
        answer = self._conn.getresponse()
        return answer.status, answer.read()

    def watch(self, path, seen):
        """Calls seen(at_s, line) for each event, on a thread of its own, until the Watch is closed."""
        return Watch(self._open(None), path, seen)


class Watch:
    def __init__(self, conn, path, seen):
        self._conn = conn
        self._seen = seen
        joint = "&" if "?" in path else "?"
        conn.request("GET", f"{path}{joint}watch=1&timeoutSeconds=3600", headers={"Accept": JSON})
        self._sock = conn.sock
        self._answer = conn.getresponse()
        if self._answer.status != 200:
            raise ApiError("GET", path, self._answer.status, self._answer.read())
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            while line := self._answer.readline():
                self._seen(time.monotonic(), line)
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # closed

    def close(self):
        try:
            self._sock.shutdown(2)
        except OSError:
            pass
        self._conn.close()


class Marks:
    """Times at which something was seen first, and waiting for them."""

    def __init__(self):
        self._at = {}
        self._changed = threading.Condition()

    def put(self, what, at_s):
        with self._changed:
            self._at.setdefault(what, at_s)
            self._changed.notify_all()

    def wait(self, whats, limit_s=TIMEOUT_S):
        """The time at which the last of them was seen."""
        whats = list(whats)
        with self._changed:
            if not self._changed.wait_for(lambda: all(w in self._at for w in whats), limit_s):
                lacking = [w for w in whats if w not in self._at]
                raise TimeoutError(f"not seen within {limit_s} s: {lacking[:5]} ({len(lacking)} in all)")
            return max(self._at[w] for w in whats)

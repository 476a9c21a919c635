#!/usr/bin/env python3
"""agent.py - a small agent over HTTPS, written from docs/protocol.md alone: the standard library, the codecs beside this file,
and the command openssl for keys and certificates.

  agent.py join DIR NAME TOKEN    makes a key, joins with the first https:// address of the token, keeps what it was given in DIR
  agent.py bundle DIR             prints the bundle: a line for its head, then one for each work
  agent.py report DIR [MESSAGE]   reports every work as applied and the member as healthy; with MESSAGE every work as failed, with it
  agent.py follow DIR CHANGES     observes: prints each bundle as it comes and reports it as applied, so many times
  agent.py ask DIR METHOD PATH    one request, without anything else; prints status and body

It applies nothing: what it reports is what it is told to. Ends with 1 and one sentence when the hub refuses."""
import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import bundle  # noqa: E402
import codec  # noqa: E402
import https  # noqa: E402
import join  # noqa: E402
import report  # noqa: E402

TIMEOUT_S, PULL_TRIES = 60, 5
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.S)


class Failure(Exception):
    """What ends the agent, in a sentence."""


def require(condition, sentence):
    if not condition:
        raise Failure(sentence)


# ---- keys and certificates, by openssl ----

def openssl(*arguments, given=b""):
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, timeout=TIMEOUT_S)
    require(done.returncode == 0, f"openssl {arguments[0]}: {done.stderr.decode(errors='replace').strip()[:200]}")
    return done.stdout


def public_key_of_certificate(pem):
    return openssl("pkey", "-pubin", "-outform", "DER", given=openssl("x509", "-noout", "-pubkey", given=pem.encode()))


def check_server(pem):
    """3.1: the extended key usage of a hub, in so many words."""
    usage = openssl("x509", "-noout", "-ext", "extendedKeyUsage", given=pem.encode())
    require(b"TLS Web Server Authentication" in usage, "the server's certificate is not one of a hub")


def shown_chain(host, port):
    """The certificates that the server shows, without trust."""
    shown = openssl("s_client", "-connect", f"{host}:{port}", "-showcerts").decode()
    chain = PEM.findall(shown)
    require(chain, f"{host}:{port} shows no certificate")
    return chain


def pinned_ca(host, port, pin):
    """4.2: the CA of the chain whose public key is the pinned one."""
    chain = shown_chain(host, port)
    check_server(chain[0])
    for pem in chain[1:]:
        if hashlib.sha256(public_key_of_certificate(pem)).digest() == pin:
            return pem
    raise Failure(f"{host}:{port} is not the hub of the token: no CA with its pin")


# ---- the binding, 5.4 to 5.7 ----

class Session:
    """One session: a random id, and connections of HTTP/1.1, one for the observation and one for the rest."""

    def __init__(self, host, port, ca_pem, identity=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False  # 3.1: a hub is reached by any address
        self.context.load_verify_locations(cadata=ca_pem)
        self.context.set_alpn_protocols(["http/1.1"])
        if identity:
            self.context.load_cert_chain(*identity)
        self.host, self.port, self.id = host, port, secrets.token_hex(16)
        self.line, self.stream = self.connect(), None

    def connect(self):
        return http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT_S, context=self.context)

    def send(self, line, method, path, payload=None, **headers):
        fields = {"fedlet-session": self.id, **{key.replace("_", "-"): value for key, value in headers.items()}}
        line.request(method, https.PREFIX + path, payload, fields)
        return line.getresponse()

    def ask(self, method, path, payload=None, **headers):
        """Status, headers and body; what says when to come back is waited for, a few times."""
        for _ in range(PULL_TRIES):
            answer = self.send(self.line, method, path, payload, **headers)
            body = answer.read()
            if answer.status != 503:
                break
            time.sleep(int(answer.headers["retry-after"]))
        return answer.status, answer.headers, body

    def want(self, method, path, payload=None, **headers):
        status, _, body = self.ask(method, path, payload, **headers)
        require(status < 300, f"{method} {path}: {status} {body.decode(errors='replace')}")
        return body

    def observe(self, path):
        """Records as they come."""
        self.stream = self.connect()
        answer = self.send(self.stream, "GET", path, fedlet_observe="stream")
        if answer.status != 200:
            raise Failure(f"GET {path}: {answer.status} {answer.read().decode(errors='replace')}")
        require(answer.headers["content-type"] == "application/vnd.fedlet.stream", "the answer is no stream")
        held = b""
        while True:
            more = answer.read1(65536)
            require(more, "the observation ended")
            records, left = https.take_records(held + more)
            held = (held + more)[-left:] if left else b""
            yield from records


# ---- joining, section 4 ----

def address_of(token):
    for address in token["addresses"]:
        match = re.fullmatch(r"https://\[?([^\]]*?)\]?:([0-9]+)/?", address.decode())
        if match:
            return match[1], int(match[2])
    raise Failure("the token has no https:// address")


def check_joined(given, name, public_key, pin, folder):
    """4.3, before anything is kept."""
    require(given["cluster"] == name, "the answer is for another cluster")
    require(hashlib.sha256(public_key_of_certificate(given["ca"])).digest() == pin, "the CA is not the one of the token")
    require(public_key_of_certificate(given["certificate"]) == public_key, "the certificate is for another key")
    subject = openssl("x509", "-noout", "-subject", "-nameopt", "multiline,utf8", given=given["certificate"].encode()).decode()
    require(re.search(rf"commonName += {re.escape(name)}$", subject, re.M), "the certificate is for another name")
    ca = os.path.join(folder, "ca.tmp")
    write(ca, given["ca"])
    openssl("verify", "-CAfile", ca, "-purpose", "sslclient", given=given["certificate"].encode())
    os.remove(ca)


def write(path, text):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def make_key(folder):
    """Once; the private key never leaves the folder."""
    path = os.path.join(folder, "key.pem")
    if not os.path.exists(path):
        write(path, openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout").decode())
    return openssl("pkey", "-in", path, "-pubout", "-outform", "DER")


def do_join(folder, name, text):
    token = codec.take_token(text)
    host, port = address_of(token)
    os.makedirs(folder, 0o700, exist_ok=True)
    public_key = make_key(folder)
    session = Session(host, port, pinned_ca(host, port, token["pin"]))
    request = join.put_request({"token": token["id"].decode(), "name": name, "public_key": public_key, "labels": {},
                                "proof": codec.join_proof(token["secret"], name.encode(), public_key)})
    given = join.take_answer(session.want("POST", "j", request))
    while not given["approved"]:
        print(f"pending, asking again in {given['retry_after']} s", flush=True)
        time.sleep(given["retry_after"])
        given = join.take_answer(session.want("POST", "j", request))
    check_joined(given, name, public_key, token["pin"], folder)
    write(os.path.join(folder, "cert.pem"), given["certificate"])
    write(os.path.join(folder, "ca.pem"), given["ca"])
    write(os.path.join(folder, "hub.json"), json.dumps({"host": host, "port": port, "cluster": name}))
    print(f"joined as {name}")


# ---- a session of a cluster, section 6 ----

def open_session(folder):
    with open(os.path.join(folder, "hub.json")) as file:
        hub = json.load(file)
    with open(os.path.join(folder, "ca.pem")) as file:
        ca = file.read()
    return Session(hub["host"], hub["port"], ca, (os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")))


class Agent:
    def __init__(self, folder):
        self.session = open_session(folder)
        self.hello = codec.take_hello(self.session.want("GET", "h"))
        self.held, self.blobs, self.seq = bundle.EMPTY, {}, self.hello["seq"]

    def query(self):
        return "b?" + codec.put_query(self.hello["epoch"], self.held["revision"])

    def take(self, frame):
        """6.4; whether there is something new. A head alone says that there is something to pull."""
        head, flags = bundle.take_head(codec.Cursor(frame))
        if head["epoch"] == self.held["epoch"] and head["revision"] <= self.held["revision"]:
            return False
        if not flags & bundle.BODY:
            frame = self.session.want("GET", self.query())
        self.held, _, travelled = bundle.decode_frame(frame, self.held, self.blobs)
        self.blobs.update({hashlib.sha256(blob).digest(): blob for blob in travelled})
        return True

    def pull(self):
        self.take(self.session.want("GET", self.query()))

    def print(self):
        print(f"bundle {self.held['revision']} of epoch {self.held['epoch']}: {len(self.held['works'])} works", flush=True)
        for work in self.held["works"]:
            overrides = f" overrides {work['overrides'].decode()}" if work["overrides"] else ""
            print(f"{bundle.work_id(work).decode()} {self.blobs[work['blob']].decode()}{overrides}", flush=True)

    def report(self, message=""):
        """9: a full one, which needs no memory of the ones before."""
        self.seq += 1
        entry = {"state": report.FAILED if message else report.APPLIED, "health": 0 if message else 1, "deed": 0 if message else 1,
                 "generation": 1, "resource_version": b"", "reason": b"CreationFailed", "message": message.encode()}
        facts = json.dumps({"kubernetesVersion": "v0.0.0-python", "healthz": "ok"}).encode()
        self.session.want("POST", "s", report.encode_report({
            "full": True, "more": False, "removed": [], "removed_cut": False, "remote": [], "scales": [], "facts": facts,
            "epoch": self.held["epoch"] or self.hello["epoch"], "revision": self.held["revision"], "seq": self.seq,
            "entries": [{"index": i, **entry} for i in range(len(self.held["works"]))]}))
        print(f"reported bundle {self.held['revision']}", flush=True)


def do_bundle(folder):
    agent = Agent(folder)
    agent.pull()
    agent.print()


def do_report(folder, message=""):
    agent = Agent(folder)
    agent.pull()
    agent.report(message)


def do_follow(folder, changes):
    agent, left = Agent(folder), int(changes)
    print(f"session {agent.session.id}", flush=True)
    for frame in agent.session.observe(agent.query()):
        if agent.take(frame):
            agent.print()
            agent.report()
            left -= 1
        if left <= 0:
            return


def do_ask(folder, method, path):
    status, _, body = open_session(folder).ask(method, path)
    print(status, base64.b64encode(body).decode() if b"\0" in body else body.decode(errors="replace"))


COMMANDS = {"join": do_join, "bundle": do_bundle, "report": do_report, "follow": do_follow, "ask": do_ask}


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except codec.Refused as refusal:
        sys.exit(f"agent: the hub's message is refused: {refusal.code}")
    except (Failure, OSError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
        sys.exit(f"agent: {error or type(error).__name__}")


if __name__ == "__main__":
    main()

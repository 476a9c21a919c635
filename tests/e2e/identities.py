#!/usr/bin/env python3
"""identities.py FLEET WORK CLUSTER TOKEN REVOKED - every wrong identity at every resource of the link, by CoAP over DTLS and by
HTTPS: refused, in the words of the protocol, and with nothing told. The hub's log must name each one, and not over and over.

CLUSTER has joined; TOKEN is a good token and REVOKED one that was revoked. Certificates are made with the openssl program and the
hub's CA key, DTLS is that program's, and CoAP is put together here."""
import os
import re
import secrets
import subprocess
import sys
import threading

FLEET, WORK, CLUSTER, TOKEN, REVOKED = sys.argv[1:]
HUB = os.path.join(FLEET, "hub")
PORTS = open(os.path.join(FLEET, "hub.ports")).read().split()
PATHS = [("GET", "h"), ("GET", "b?e=0&r=0"), ("POST", "s"), ("GET", "k"), ("POST", "c"), ("POST", "j"), ("GET", "nosuch"), ("POST", "h")]
os.makedirs(WORK, exist_ok=True)
SILENCE_S, ANSWER_S = 15, 60  # how long no answer is waited for, and one
failed = 0


def verdict(good, text):
    global failed
    failed += not good
    print(("ok   " if good else "FAIL ") + text)


def run(*argv, text=""):
    return subprocess.run(argv, input=text, text=True, capture_output=True, check=True).stdout


# ---- certificates ----

def at(name):
    return os.path.join(WORK, name)


def make(name, subject, ca=None, key=None, usage="clientAuth", days=("-1 hour", "+1 day")):
    """A certificate WORK/NAME.crt with its key; ca: (certificate, key), None for a self-signed one."""
    key = key or at(name + ".key")
    if not os.path.exists(key):
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    run("openssl", "req", "-new", "-key", key, "-subj", subject, "-out", at("request"))
    database = at("db-" + name)
    os.makedirs(database, exist_ok=True)
    open(os.path.join(database, "index.txt"), "w").close()
    with open(os.path.join(database, "serial"), "w") as file:
        file.write(secrets.token_hex(8) + "\n")
    with open(at("config"), "w") as file:
        file.write(f"[ca]\ndefault_ca = one\n[one]\nnew_certs_dir = {database}\ndatabase = {database}/index.txt\nserial = {database}/serial\n"
                   "default_md = sha256\npolicy = any\nunique_subject = no\nemail_in_dn = no\n"
                   "[any]\ncommonName = optional\norganizationName = optional\n"
                   "[extensions]\nbasicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n"
                   f"extendedKeyUsage = {usage}\nauthorityKeyIdentifier = keyid\n")
    start, end = (run("date", "-u", "-d", day, "+%y%m%d%H%M%SZ").strip() for day in days)
    signer = ["-selfsign", "-keyfile", key] if ca is None else ["-cert", ca[0], "-keyfile", ca[1]]
    if ca is None:
        signer += ["-cert", at("request")]
        signer = ["-selfsign", "-keyfile", key]
    run("openssl", "ca", "-batch", "-config", at("config"), "-extensions", "extensions", "-in", at("request"), "-out", at(name + ".crt"),
        "-notext", "-startdate", start, "-enddate", end, *signer)
    return at(name + ".crt"), key


def make_ca(name):
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at(name + ".key"))
    run("openssl", "req", "-x509", "-new", "-key", at(name + ".key"), "-subj", "/CN=fedlet hub CA 00000000", "-days", "2", "-out", at(name + ".crt"))
    return at(name + ".crt"), at(name + ".key")


def of_kubeconfig():
    text = open(os.path.join(HUB, "admin.kubeconfig")).read()
    for member, name in (("client-certificate-data", "admin.crt"), ("client-key-data", "admin.key")):
        with open(at(name), "w") as file:
            file.write(run("base64", "-d", text=re.search(member + r": (\S+)", text)[1]))
    return at("admin.crt"), at("admin.key")


# ---- one request ----

def split(path):
    path, _, query = path.partition("?")
    return path, query.split("&") if query else []


def coap(method, path):
    """A CON request, RFC 7252."""
    path, query = split(path)
    message, last = bytes([0x41, 1 if method == "GET" else 2]) + secrets.token_bytes(3), 0
    for number, value in [(11, path)] + [(15, part) for part in query]:
        message += bytes([(number - last) << 4 | min(len(value), 13)]) + (bytes([len(value) - 13]) if len(value) >= 13 else b"") + value.encode()
        last = number
    return message + (b"\xffx" if method == "POST" and path != "c" else b"")


def options_end(message):
    where = 4 + (message[0] & 15)
    while where < len(message) and message[where] != 0xff:
        delta, length = message[where] >> 4, message[where] & 15
        where += 1 + (delta == 13) + 2 * (delta == 14)
        if length == 13:
            length, where = message[where] + 13, where + 1
        where += length
    return where


def by_dtls(identity, method, path, limit_s):
    """(code as 403, payload), or None when the handshake failed."""
    argv = ["openssl", "s_client", "-dtls1_2", "-quiet", "-connect", f"127.0.0.1:{PORTS[1]}"]
    if identity.get("psk"):
        argv += ["-psk_identity", identity["psk"][0], "-psk", identity["psk"][1], "-cipher", "PSK-AES128-GCM-SHA256"]
    else:
        argv += ["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    if identity.get("cert"):
        argv += ["-cert", identity["cert"][0], "-key", identity["cert"][1]]
    client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    timer = threading.Timer(limit_s, client.kill)
    timer.start()
    try:
        client.stdin.write(coap(method, path))
        client.stdin.flush()
        answer = os.read(client.stdout.fileno(), 4096)
    except BrokenPipeError:
        answer = b""
    timer.cancel()
    client.kill()
    client.communicate()
    if len(answer) < 4:
        return None
    if answer[1] == 0:  # an empty acknowledgement: the answer comes by itself
        return "separate", b""
    return (answer[1] >> 5) * 100 + (answer[1] & 31), answer[options_end(answer) + 1:]


def by_https(identity, method, path, limit_s):
    argv = ["curl", "-sS", "--max-time", str(limit_s), "-k", "-X", method, "-H", "fedlet-session: " + secrets.token_hex(16), "-o", at("body"), "-w", "%{http_code}",
            f"https://127.0.0.1:{PORTS[2]}/fedlet/v1/{path}"]
    if method == "POST" and path != "c":
        argv += ["-d", "x"]
    if identity.get("cert"):
        argv += ["--cert", identity["cert"][0], "--key", identity["cert"][1]]
    open(at("body"), "w").close()
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        return None
    return int(done.stdout), open(at("body"), "rb").read()


# ---- the table ----

def main():
    ca = (os.path.join(HUB, "ca.crt"), os.path.join(HUB, "ca.key"))
    other = make_ca("other-ca")
    agents = "/O=fedlet:agents/CN="
    key = os.path.join(FLEET, CLUSTER, "state", "key.pem")
    token = {name: run(os.path.join(os.path.dirname(os.path.abspath(__file__)), "token.py"), TOKEN, "print=" + name).strip() for name in ("id", "secret")}
    revoked = {name: run(os.path.join(os.path.dirname(os.path.abspath(__file__)), "token.py"), REVOKED, "print=" + name).strip() for name in ("id", "secret")}
    bound = {"cert": None}
    no, forbidden, unauthorized = "handshake", 403, 401
    # name, identity, what it gets by DTLS, what by HTTPS; paths of POST that are answered otherwise, None: not asked
    joining = {"j": 400}
    table = [
        ("nobody", bound, no, unauthorized, joining),
        ("another key for the cluster's name", {"cert": make("key", agents + CLUSTER, ca)}, forbidden, forbidden, {}),
        ("a name that is not registered", {"cert": make("name", agents + "nobody", ca)}, forbidden, forbidden, {}),
        ("the beginning of a name", {"cert": make("prefix", agents + CLUSTER[:-1], ca, key)}, forbidden, forbidden, {}),
        ("a name in capitals", {"cert": make("capitals", agents + CLUSTER.upper(), ca, key)}, forbidden, forbidden, {}),
        ("no organization", {"cert": make("bare", "/CN=" + CLUSTER, ca, key)}, forbidden, forbidden, {}),
        ("two organizations", {"cert": make("two", "/O=fedlet:agents/O=system:masters/CN=" + CLUSTER, ca, key)}, forbidden, forbidden, {}),
        ("the admin", {"cert": of_kubeconfig()}, forbidden, forbidden, {}),
        ("one that has ended, of another key", {"cert": make("ended", agents + CLUSTER, ca, days=("-2 days", "-1 day"))}, forbidden, forbidden, {}),
        ("one that has ended, for servers", {"cert": make("ended-server", agents + CLUSTER, ca, key, "serverAuth", ("-2 days", "-1 day"))}, no, no, {}),
        ("one that has ended, of another CA", {"cert": make("ended-other", agents + CLUSTER, other, key, days=("-2 days", "-1 day"))}, no, no, {}),
        # The hub's clock may have been ahead: it may be exchanged, which would give a certificate here.
        ("one that begins tomorrow", {"cert": make("tomorrow", agents + CLUSTER, ca, key, days=("+1 day", "+2 days"))}, unauthorized, unauthorized, {"c": None}),
        ("one that begins tomorrow, of another key", {"cert": make("tomorrow-key", agents + CLUSTER, ca, days=("+1 day", "+2 days"))}, forbidden, forbidden, {}),
        ("one that begins tomorrow, for servers", {"cert": make("tomorrow-server", agents + CLUSTER, ca, key, "serverAuth", ("+1 day", "+2 days"))}, no, no, {}),
        ("one that begins tomorrow, of another CA", {"cert": make("tomorrow-other", agents + CLUSTER, other, key, days=("+1 day", "+2 days"))}, no, no, {}),
        ("self-signed", {"cert": make("self", agents + CLUSTER, None, key)}, no, no, {}),
        ("another CA of the same name", {"cert": make("other", agents + CLUSTER, other, key)}, no, no, {}),
        ("for servers", {"cert": make("server", agents + CLUSTER, ca, key, "serverAuth")}, no, no, {}),
        ("the hub's own", {"cert": (os.path.join(HUB, "server.crt"), os.path.join(HUB, "server.key"))}, no, no, {}),
        ("the CA itself", {"cert": ca}, no, no, {}),
        ("a token", {"psk": (token["id"], token["secret"])}, unauthorized, None, joining),
        ("a token's id with another secret", {"psk": (token["id"], "00" * 20)}, no, None, {}),
        ("a token that was revoked", {"psk": (revoked["id"], revoked["secret"])}, no, None, {}),
        ("a token that nobody made", {"psk": ("nosuchtoken", "11" * 20)}, no, None, {}),
    ]
    log = os.path.join(FLEET, "logs", "hub.err")
    for name, identity, dtls, https, others in table:
        for binding, ask, expected in (("dtls", by_dtls, dtls), ("https", by_https, https)):
            before = os.path.getsize(log)
            for method, path in PATHS:
                if expected is None or (expected == no and path != "h"):
                    continue  # one handshake says it
                if method == "POST" and others.get(path, expected) is None:
                    continue
                got = ask(identity, method, path, SILENCE_S if expected == no else ANSWER_S)
                want = expected if expected == no else others.get(path, expected) if method == "POST" else expected
                good = got is None if want == no else got is not None and got[0] == want
                # A sentence, and nothing of what the hub knows.
                quiet = got is None or (len(got[1]) < 300 and not re.search(rb"PRIVATE|BEGIN|secret|epoch|\{", got[1]))
                verdict(good and quiet, f"{name}, {binding}, {method} {path}: {got and (got[0], got[1][:80])}" + ("" if good else f", wanted {want}"))
            if expected is not None:
                said = open(log, "rb").read()[before:].decode(errors="replace")
                lines = [line for line in said.splitlines() if re.search("refused|failed|handshake", line)]
                verdict(len(lines) <= 2 * len(PATHS), f"{name}, {binding}: {len(lines)} lines in the log")
    sys.exit(1 if failed else 0)


main()

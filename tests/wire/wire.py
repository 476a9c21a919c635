"""wire.py - what the scripts of this folder share: datagrams and TLS connections of our own, and the hub's memory."""
import os
import random
import socket
import ssl
import struct

API = int(os.environ["WIRE_API"])
COAP = int(os.environ["WIRE_COAP"])
AGENTS = int(os.environ["WIRE_AGENTS"])
HUB_PID = int(os.environ["WIRE_HUB_PID"])

HANDSHAKE, ALERT, DTLS_1_0, DTLS_1_2 = 22, 21, 0xFEFF, 0xFEFD
CLIENT_HELLO, HELLO_VERIFY_REQUEST = 1, 3


def udp(port=COAP, timeout=0.7):
    """A datagram socket connected to the hub."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(timeout)
    sock.connect(("127.0.0.1", port))
    return sock


def answer(sock, datagram):
    """What comes back for one datagram; None for silence, which must not be an ICMP refusal either."""
    sock.send(datagram)
    try:
        return sock.recv(65536)
    except socket.timeout:
        return None


def answer_in_the_end(sock, datagram):
    """What comes back for a datagram that is to be answered: a hub that is short of time loses some, and a peer sends again."""
    for _ in range(8):
        got = answer(sock, datagram)
        if got:
            return got
    return None


def client_hello(cookie=b"", rand=None, suites=(0xC0AE, 0xC0A8, 0xC02B), sequence=0, extensions=b""):
    """A ClientHello of DTLS 1.2 in one record (RFC 6347 section 4.3.2)."""
    rand = rand or random.randbytes(32)
    body = struct.pack("!H", DTLS_1_2) + rand + b"\0" + bytes([len(cookie)]) + cookie
    body += struct.pack("!H", 2 * len(suites)) + b"".join(struct.pack("!H", suite) for suite in suites) + b"\1\0"
    extensions += struct.pack("!HHHH", 10, 4, 2, 23)  # supported_groups: secp256r1
    extensions += struct.pack("!HHBB", 11, 2, 1, 0)  # ec_point_formats: uncompressed
    extensions += struct.pack("!HHHH", 13, 4, 2, 0x0403)  # signature_algorithms: ecdsa_secp256r1_sha256
    body += struct.pack("!H", len(extensions)) + extensions
    message = struct.pack("!B", CLIENT_HELLO) + len(body).to_bytes(3, "big") + struct.pack("!H", sequence)
    message += (0).to_bytes(3, "big") + len(body).to_bytes(3, "big") + body
    return record(HANDSHAKE, message, sequence)


def record(kind, fragment, sequence=0, version=DTLS_1_2, epoch=0):
    return struct.pack("!BHH", kind, version, epoch) + sequence.to_bytes(6, "big") + struct.pack("!H", len(fragment)) + fragment


def hello_verify_cookie(datagram):
    """The cookie of a datagram that is a HelloVerifyRequest and nothing else (RFC 6347 section 4.2.1)."""
    kind, version, epoch = struct.unpack("!BHH", datagram[:5])
    assert kind == HANDSHAKE and version in (DTLS_1_0, DTLS_1_2) and epoch == 0, datagram.hex()
    assert struct.unpack("!H", datagram[11:13])[0] == len(datagram) - 13, datagram.hex()
    assert datagram[13] == HELLO_VERIFY_REQUEST, datagram.hex()
    size = datagram[27]
    assert len(datagram) == 28 + size and 0 < size <= 255, datagram.hex()
    return datagram[28:]


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def hub_rss_kib():
    """Of the hub and its gateway workers."""
    with open(f"/proc/{HUB_PID}/task/{HUB_PID}/children", encoding="ascii") as children:
        return sum(rss_kib(pid) for pid in (HUB_PID, *map(int, children.read().split())))


def tls(port=API, alpn="http/1.1", identity=()):
    """A TLS connection to the hub; identity: files of a certificate and its key, nothing for none."""
    context = ssl.create_default_context(cafile=os.environ["WIRE_CA"])
    context.set_alpn_protocols([alpn])
    if identity:
        context.load_cert_chain(*identity)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60), server_hostname="localhost")


def read_all(sock):
    data = b""
    while True:
        try:
            more = sock.recv(65536)
        except (ConnectionError, socket.timeout, ssl.SSLError):
            return data
        if not more:
            return data
        data += more

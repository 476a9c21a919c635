"""CoAP without DTLS gets nothing (RFC 7252 section 9: coaps is the only door)."""
import wire

ping = bytes.fromhex("40000001")
get_hello = bytes.fromhex("4001000201") + b""  # GET, then a truncated option
get_h = bytes([0x40, 1, 0, 3, 0xB1]) + b"h"
well_known = bytes([0x40, 1, 0, 4, 0xBB]) + b".well-known" + bytes([4]) + b"core"
post_join = bytes([0x40, 2, 0, 5, 0xB1]) + b"j" + b"\xff{}"
for message in (ping, get_hello, get_h, well_known, post_join):
    got = wire.answer(wire.udp(timeout=0.3), message)
    assert got is None, got.hex()

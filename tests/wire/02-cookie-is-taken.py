"""The ClientHello repeated with its cookie begins a handshake: the hub's answer is a ServerHello with the right session start."""
import wire

sock = wire.udp(timeout=4)
rand = bytes(range(32))
got = wire.answer_in_the_end(sock, wire.client_hello(rand=rand))
cookie = wire.hello_verify_cookie(got)
got = wire.answer_in_the_end(sock, wire.client_hello(cookie, rand=rand, sequence=1))
assert got, "no answer to the ClientHello with cookie"
assert got[0] == wire.HANDSHAKE and got[13] == 2, got[:32].hex()
assert int.from_bytes(got[25:27], "big") == wire.DTLS_1_2, got[:32].hex()
print(f"ServerHello and what follows: first datagram {len(got)} bytes")

# One changed bit in the cookie is another request for a cookie, not a handshake and not an alert.
other = wire.udp(timeout=4)
cookie = wire.hello_verify_cookie(wire.answer_in_the_end(other, wire.client_hello(rand=rand)))
wrong = bytes([cookie[0] ^ 1]) + cookie[1:]
got = wire.answer(other, wire.client_hello(wrong, rand=rand, sequence=1))
assert got is None or got[13] == wire.HELLO_VERIFY_REQUEST, got.hex()

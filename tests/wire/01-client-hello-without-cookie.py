"""A ClientHello without cookie gets one HelloVerifyRequest that is no larger than it, and no state is kept for it."""
import wire

sock = wire.udp(timeout=4)
hello = wire.client_hello()
got = wire.answer_in_the_end(sock, hello)
assert got, "no answer"
cookie = wire.hello_verify_cookie(got)
assert len(got) <= len(hello), (len(got), len(hello))
print(f"{len(hello)} bytes in, {len(got)} bytes out, cookie of {len(cookie)}")

# The cookie is bound to the address: from another port it is worth nothing.
stranger = wire.udp()
got = wire.answer(stranger, wire.client_hello(cookie, sequence=1))
assert got is None or got[13] == wire.HELLO_VERIFY_REQUEST, got.hex()



def flood(count):
    for _ in range(count):
        one = wire.udp(timeout=2)
        assert wire.answer_in_the_end(one, wire.client_hello()) is not None
        one.close()


# Thousands of them from as many addresses leave nothing behind. The first are for pools that fill once.
flood(2000)
before = wire.hub_rss_kib()
flood(3000)
grown = wire.hub_rss_kib() - before
print(f"{grown} KiB grown by 3000 of them")
assert grown < 1000, grown

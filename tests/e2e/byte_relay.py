#!/usr/bin/env python3
"""byte_relay HUB_PORT FILE - a UDP relay to the hub that counts: its port on stdout, and in FILE, renewed as it counts, bytes and
datagrams from and to the agents: "FROM TO DATAGRAMS_FROM DATAGRAMS_TO", payload without headers."""
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))

from lib.relay import Relay, payload  # noqa: E402


def main():
    relay, told = Relay(int(sys.argv[1])), -1
    print(relay.port, flush=True)
    while True:
        log = relay.since(0)
        if len(log) != told:
            told = len(log)
            up, down = [d for d in log if d.up], [d for d in log if not d.up]
            with open(sys.argv[2] + ".new", "w", encoding="ascii") as out:
                out.write(f"{payload(up)} {payload(down)} {len(up)} {len(down)}\n")
            os.rename(sys.argv[2] + ".new", sys.argv[2])
        time.sleep(0.05)


main()

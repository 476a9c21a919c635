#!/usr/bin/env python3
"""free_ports N: N ports of loopback that nobody has, by TCP and by UDP.

A hub that is started again wants its ports back. So they lie below those that the kernel gives to whoever connects or
does not ask for one: between two starts any process of the machine could have been given such a port. Nor are they those of
a hub of another suite, which may be stopped at the moment.
"""

import glob
import os
import random
import socket
import sys

LOWEST = 10240
BEYOND = 20000  # from here on are those of API servers (tests/kube/control/ports.go), which are stopped and started, too


def is_free(port):
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def taken():
    """The ports in the files hub.ports of lib.sh, of every folder that is there."""
    found = set()
    folders = os.path.join(os.environ.get("TMPDIR") or "/tmp", "fedlet.*")
    for path in glob.glob(f"{folders}/hub.ports") + glob.glob(f"{folders}/*/hub.ports"):
        try:
            with open(path, encoding="ascii") as file:
                found.update(int(word) for word in file.read().split())
        except OSError:
            pass  # its suite has just ended
    return found


def main():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first_given = int(file.read().split()[0])
    end = min(first_given, BEYOND)
    ports = range(LOWEST, end) if end > LOWEST + 1000 else range(61000, 65536)
    found, others = [], taken()
    while len(found) < int(sys.argv[1]):
        port = random.choice(ports)
        if port not in found and port not in others and is_free(port):
            found.append(port)
    print(*found)


main()

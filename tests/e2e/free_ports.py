#!/usr/bin/env python3
"""free_ports N: N ports of loopback that nobody has, by TCP and by UDP.

A hub that is started again wants its ports back. So they lie below those that the kernel gives to whoever connects or
does not ask for one: between two starts any process of the machine could have been given such a port.
"""

import random
import socket
import sys

LOWEST = 10240


def is_free(port):
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def main():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first_given = int(file.read().split()[0])
    ports = range(LOWEST, first_given) if first_given > LOWEST + 1000 else range(61000, 65536)
    found = []
    while len(found) < int(sys.argv[1]):
        port = random.choice(ports)
        if port not in found and is_free(port):
            found.append(port)
    print(*found)


main()

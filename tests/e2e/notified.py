#!/usr/bin/env python3
"""notified.py SOCKET - a service manager's notification socket: prints each message on one line, line feeds as " | "."""
import os
import socket
import sys

end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
end.bind(sys.argv[1])
try:
    while True:
        # Opened anew each time: the test empties the file.
        print(end.recv(65536).decode().replace("\n", " | "), flush=True)
finally:
    os.unlink(sys.argv[1])

#!/usr/bin/env python3
"""flip.py PATH PATCH MANAGER SECONDS [PERIOD] - a foreign hand that does not give in: merges PATCH (with %d for a number that counts up)
into the object of cluster1 once a PERIOD (1 s), under the name MANAGER, and prints how often it had been put back meanwhile."""
import json
import sys
import time

from chaos import MERGE, Server, difference


def main():
    path, patch, manager, seconds = sys.argv[1:5]
    period = float(sys.argv[5]) if len(sys.argv) > 5 else 1.0
    server = Server("cluster1")
    corrections, wanted, n = 0, {}, 0
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        n += 1
        corrections += difference(wanted, server.call("GET", path)[1]) is not None
        wanted = json.loads(patch.replace("%d", str(n)))
        status, made = server.call("PATCH", f"{path}?fieldManager={manager}", wanted, MERGE)
        if status != 200:
            raise SystemExit(f"{path}: {status} {made.get('message')}")
        time.sleep(period)
    print(corrections)


if __name__ == "__main__":
    main()

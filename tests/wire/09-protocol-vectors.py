"""The vectors of docs/protocol.md, read by its Python implementation; the constants and the bytes in the document. The unit tests
proto_vectors_test and proto_frame_vectors_test read the same files."""
import os
import subprocess
import sys

done = subprocess.run(
    [sys.executable, "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)), "protocol/check")], capture_output=True, text=True)
lines = done.stdout.splitlines()
good = sum(line.startswith("ok") for line in lines)
print("\n".join(line for line in lines if not line.startswith("ok")), done.stderr)
print(f"{good} of {len([line for line in lines if line[:2] in ('ok', 'no')])} hold")
assert done.returncode == 0 and good > 200

"""Sends each line of its input to `db` over the mesh, as `web`, and prints what comes back."""

import sys

from mesh import Service

with Service("web").dial("db") as secure, secure.makefile("rw") as lines:
    for line in sys.stdin:
        lines.write(line)
        lines.flush()
        print(lines.readline().strip(), flush=True)

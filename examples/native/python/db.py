"""A service of the mesh without a sidecar. Each line that comes in goes back with the name of who sent it."""

import signal

from mesh import Service


def handle(secure, source):
    with secure.makefile("rw") as lines:
        for line in lines:
            lines.write(f"{line.strip()} for {source}\n")
            lines.flush()


STOPS = {signal.SIGTERM, signal.SIGINT}
# Before there are threads, so that none of them takes the signal.
signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
service = Service("db")
port = service.serve(handle, host="127.0.0.1")
service.register(port, address="127.0.0.1")
print(f"db listens on {port}", flush=True)
signal.sigwait(STOPS)
service.deregister()

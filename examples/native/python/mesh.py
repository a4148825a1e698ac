"""Connect for applications in Python, over an agent's HTTP API, with the standard library only."""

import http.client
import json
import os
import random
import socket
import ssl
import tempfile
import threading
import time
import urllib.parse

HANDSHAKE_SECONDS = 10
RETRY_SECONDS = 1
TELL_SECONDS = 10
WAIT = "60s"


class Agent:
    """The HTTP API of an agent of Tribune or Consul."""

    def __init__(self, address=None):
        self.address = address or os.environ.get("CONSUL_HTTP_ADDR", "127.0.0.1:8500")
        self.token = os.environ.get("CONSUL_HTTP_TOKEN", "")

    def ask(self, method, path, body=None, timeout=10):
        """Answers the body and its index; raises OSError for any status but 200."""
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        try:
            headers = {"X-Consul-Token": self.token} if self.token else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
            if response.status != 200:
                raise OSError(f"{method} {path}: {response.status} {text.strip()}")
            return (json.loads(text) if text else None), int(response.headers.get("X-Consul-Index", 0))
        finally:
            connection.close()

    def follow(self, path, took):
        """Calls `took` with the present answer and its index, and with each later one, for ever. Indexes that go back count from the start."""
        index = 0
        while True:
            try:
                waiting = f"{path}{'&' if '?' in path else '?'}index={index}&wait={WAIT}"
                body, now = self.ask("GET", waiting if index else path, timeout=80)
                if now != index or index == 0:
                    took(body, now)
                index = now if now >= index else 0
            except (OSError, ValueError, http.client.HTTPException) as error:
                print(f"follow {path}: {error}", flush=True)
                index = 0
                time.sleep(RETRY_SECONDS)


class Service:
    """A service of the mesh: its certificate, whom it believes, and who may connect to it, always the newest."""

    def __init__(self, name, agent=None):
        self.name = name
        self.agent = agent or Agent()
        self._lock = threading.Lock()
        self._leaf = self._roots = self._intentions = None
        self._contexts = None
        self._open = {}
        self._in_force = 0
        self._closed = 0
        self._news = threading.Event()
        self._ready = threading.Event()
        quoted = urllib.parse.quote(name)
        for path, took in (
            (f"/v1/agent/connect/ca/leaf/{quoted}", self._took_leaf),
            ("/v1/agent/connect/ca/roots", self._took_roots),
            (f"/v1/connect/intentions/match?by=destination&name={quoted}", self._took_intentions),
        ):
            threading.Thread(target=self.agent.follow, args=(path, took), daemon=True).start()
        self._ready.wait()

    def dial(self, service):
        """A TLS socket to a healthy instance that proved to be `service`. Tries them in random order; raises the last OSError."""
        entries, _ = self.agent.ask("GET", f"/v1/health/connect/{urllib.parse.quote(service)}?passing")
        failure = OSError(f"{service} has no healthy instance")
        for entry in random.sample(entries, len(entries)):
            found, node = entry["Service"], entry["Node"]
            expected = f"/ns/default/dc/{node['Datacenter']}/svc/{urllib.parse.quote(service)}"
            try:
                plain = socket.create_connection((found["Address"] or node["Address"], found["Port"]), HANDSHAKE_SECONDS)
                secure = self._secure(plain, server_side=False)
                trust_domain, path, _ = identity_of(secure)
                if (trust_domain, path.lower()) == (self._trust_domain(), expected.lower()):
                    return secure
                secure.close()
                failure = OSError(f"the certificate is for {path}, expected {expected}")
            except OSError as error:
                failure = error
        raise failure

    def serve(self, handle, host="", port=0):
        """Calls `handle(socket, source)` in a thread of its own for each connection of a service that may connect. Answers the port."""
        listener = socket.create_server((host, port))
        threading.Thread(target=self._accept, args=(listener, handle), daemon=True).start()
        return listener.getsockname()[1]

    def register(self, port, address=""):
        registration = {"Name": self.name, "Port": port, "Address": address, "Connect": {"Native": True}}
        self.agent.ask("PUT", "/v1/agent/service/register", registration)
        threading.Thread(target=self._tell, daemon=True).start()

    def deregister(self):
        self.agent.ask("PUT", f"/v1/agent/service/deregister/{urllib.parse.quote(self.name)}")

    def _tell(self):
        """Says what is in force whenever that changes, and before the agent takes this program for dead. Agents of Consul have no ear."""
        while True:
            self._news.clear()
            report = {
                "LeafSerialNumber": self._leaf["SerialNumber"],
                "LeafValidAfter": self._leaf["ValidAfter"],
                "LeafValidBefore": self._leaf["ValidBefore"],
                "TrustedRoots": [root["ID"] for root in self._roots["Roots"]],
                "IntentionIndex": self._in_force,
                "ClosedConnections": self._closed,
                "ConnectionsOpen": len(self._open),
            }
            try:
                self.agent.ask("PUT", f"/v1/tribune/report/{urllib.parse.quote(self.name)}", report)
            except (OSError, http.client.HTTPException) as error:
                print(f"tell: {error}", flush=True)
            self._news.wait(TELL_SECONDS)

    def _accept(self, listener, handle):
        while True:
            plain, address = listener.accept()
            threading.Thread(target=self._admit, args=(plain, address, handle), daemon=True).start()

    def _admit(self, plain, address, handle):
        try:
            plain.settimeout(HANDSHAKE_SECONDS)
            with self._secure(plain, server_side=True) as secure:
                trust_domain, path, serial = identity_of(secure)
                uri = f"spiffe://{trust_domain}{path}"
                # In the list before it is judged: a change of the intentions meanwhile finds it there.
                with self._lock:
                    self._open[secure] = (uri, serial)
                try:
                    reason = self._refusal(trust_domain, uri, serial)
                    if reason:
                        print(f"refused {uri} from {address[0]}:{address[1]}: {reason}", flush=True)
                        return
                    secure.settimeout(None)
                    handle(secure, urllib.parse.unquote(path.rsplit("/", 1)[-1]))
                finally:
                    with self._lock:
                        del self._open[secure]
        except OSError as error:
            print(f"{address[0]}:{address[1]}: {error}", flush=True)
        finally:
            plain.close()

    def _refusal(self, trust_domain, uri, serial):
        """Why somebody may not connect; nothing if it may. An agent that does not answer is a reason."""
        if trust_domain != self._trust_domain():
            return "another trust domain"
        body = {"Target": self.name, "ClientCertURI": uri, "ClientCertSerial": serial}
        try:
            answer, _ = self.agent.ask("POST", "/v1/agent/connect/authorize", body)
        except (OSError, http.client.HTTPException) as error:
            return f"the agent could not be asked: {error}"
        return None if answer["Authorized"] else answer["Reason"]

    def _took_leaf(self, leaf, _index):
        self._leaf = leaf
        self._renew()

    def _took_roots(self, roots, _index):
        self._roots = roots
        self._renew()

    def _took_intentions(self, intentions, index):
        """Asks again about whoever is connected, and closes what is not allowed any more. Then they are in force."""
        self._intentions = intentions
        self._renew()
        with self._lock:
            connections = list(self._open.items())
        closed = 0
        for secure, (uri, serial) in connections:
            reason = self._refusal(self._trust_domain(), uri, serial)
            if reason:
                print(f"closed {uri}: {reason}", flush=True)
                closed += 1
                try:
                    secure.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # It has ended meanwhile.
        self._in_force, self._closed = index, closed
        self._news.set()

    def _renew(self):
        """New contexts, because a root cannot be taken out of one. Handshakes that have begun keep theirs."""
        with self._lock:
            if self._leaf is None or self._roots is None:
                return
            self._contexts = {side: self._context(side) for side in (False, True)}
            if self._intentions is not None:
                self._ready.set()
            self._news.set()

    def _context(self, server_side):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Services are told apart by SPIFFE id, never by host.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata="".join(root["RootCert"] for root in self._roots["Roots"]))
        # The library takes certificates from files only; this one is readable by its owner alone, and gone at once.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(self._leaf["CertPEM"] + self._leaf["PrivateKeyPEM"])
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _secure(self, plain, server_side):
        with self._lock:
            context = self._contexts[server_side]
        return context.wrap_socket(plain, server_side=server_side)

    def _trust_domain(self):
        return self._roots["TrustDomain"].lower()


def identity_of(secure):
    """Trust domain, path and serial number of the peer's certificate, which names one service; raises OSError if it does not."""
    certificate = secure.getpeercert()
    uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    if len(uris) != 1:
        raise OSError(f"the certificate names {len(uris)} URIs, a service has one")
    uri = urllib.parse.urlsplit(uris[0])
    if uri.scheme != "spiffe" or "/svc/" not in uri.path:
        raise OSError(f"{uris[0]} is not the identity of a service")
    serial = certificate["serialNumber"].lower()
    return uri.netloc.lower(), uri.path, ":".join(serial[at : at + 2] for at in range(0, len(serial), 2))

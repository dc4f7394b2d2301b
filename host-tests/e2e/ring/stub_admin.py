"""A stub in the place of Pulsar's admin REST: it passes on to the real one, or misbehaves as it is told. Pulsar itself stays real."""

import contextlib
import http.client
import http.server
import threading

from dev.servers import free_ports
from dev.servers.ports import LOOPBACK

# Longer than anybody waits.
FOR_EVER_S = 600
PIECE = b" " * (1 << 20)


class StubAdmin:
    """Listens on `address` from the start. `behaviour` is a function of a request's handler; by default requests are passed on."""

    def __init__(self, real):
        (self.port,) = free_ports(1)
        self.real = real
        self.address = f"{LOOPBACK}:{self.port}"
        self.behaviour = pass_on
        self.relieved = threading.Event()
        self.server = None
        self._listen()

    def _listen(self):
        self.server = Server((LOOPBACK, self.port), Handler)
        self.server.stub = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        """Nothing listens any more."""
        self.relieved.set()
        self.server.shutdown()
        self.server.server_close()

    @contextlib.contextmanager
    def behaving(self, behaviour):
        """Misbehave meanwhile."""
        self.relieved.clear()
        self.behaviour = behaviour
        if behaviour is down:
            self.close()
        try:
            yield
        finally:
            self.behaviour = pass_on
            self.relieved.set()
            if behaviour is down:
                self._listen()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Whoever asked has given up: that is what the tests are about."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.stub.behaviour(self)

    do_PUT = do_POST = do_DELETE = do_GET

    def answer(self, status, body=b"", content_type="application/json", headers=()):
        """Send a whole answer; the connection ends with it, so that none outlives a change of behaviour."""
        self.send_response(status)
        for name, value in [("Content-Type", content_type), ("Content-Length", len(body)), ("Connection", "close"), *headers]:
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Not in the tests' output."""


def pass_on(handler):
    """What Pulsar answers."""
    pulsar = http.client.HTTPConnection(handler.server.stub.real, timeout=30)
    with contextlib.closing(pulsar):
        headers = {name: value for name, value in handler.headers.items() if name.lower() in ("content-type", "authorization")}
        pulsar.request(handler.command, handler.path, handler.body, headers)
        answer = pulsar.getresponse()
        handler.answer(answer.status, answer.read(), answer.headers.get("Content-Type", "application/json"))


def down(_handler):
    """Nobody listens."""
    raise AssertionError("asked although nobody listens")


def silent(handler):
    """Takes the request and says nothing."""
    handler.server.stub.relieved.wait(FOR_EVER_S)
    handler.close_connection = True


def slow(after_s):
    """Passes on what it is asked, so much later."""

    def answer(handler):
        handler.server.stub.relieved.wait(after_s)
        pass_on(handler)

    return answer


def status(code, reason="stub"):
    """Refuses with that status, as Pulsar words a refusal."""
    return lambda handler: handler.answer(code, b'{"reason": "%s"}' % reason.encode())


def round_in_circles(handler):
    """Redirects to itself for ever."""
    where = f"http://{handler.server.stub.address}{handler.path}"
    handler.answer(307, headers=[("Location", where)])


def saying(body, content_type="application/json"):
    """Says 200, and this."""
    return lambda handler: handler.answer(200, body, content_type)


def cut_off(handler):
    """Ends in the middle of its answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"partitions": ')
    handler.close_connection = True


def huge(mebibytes):
    """Says 200 and a body of that size."""

    def answer(handler):
        handler.send_response(200)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", mebibytes << 20), ("Connection", "close")):
            handler.send_header(name, str(value))
        handler.end_headers()
        for _ in range(mebibytes):
            handler.wfile.write(PIECE)

    return answer

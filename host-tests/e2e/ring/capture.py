"""A TCP proxy between a client and a broker that keeps what the client sent."""

import socket
import socketserver
import threading

CHUNK = 1 << 16


class CapturingProxy:
    """Listens on `port` and passes everything to `upstream` (host, port); `streams` holds each connection's bytes from the client."""

    def __init__(self, port, upstream):
        self.upstream = upstream
        self.streams = []
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                kept = bytearray()
                proxy.streams.append(kept)
                with socket.create_connection(proxy.upstream) as broker:
                    back = threading.Thread(target=_copy, args=(broker, self.request, None))
                    back.start()
                    _copy(self.request, broker, kept)
                    back.join()

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.listener = Listener(("127.0.0.1", port), Handler)
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def take(self):
        """The bytes of each connection so far; what comes later starts anew."""
        taken = [bytes(stream) for stream in self.streams]
        self.streams.clear()
        return taken

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()


def _copy(source, sink, kept):
    try:
        while data := source.recv(CHUNK):
            if kept is not None:
                kept += data
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

"""TCP ports on loopback."""

import contextlib
import socket

LOOPBACK = "127.0.0.1"


def free_ports(count):
    """`count` different ports that nothing listens on now. Take all a test needs in one call, and use them soon."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


def busy(port):
    """Whether somebody listens on `port`. Asked by binding: Envoy would share a port with another Envoy unasked."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def loopback_interface():
    """The name of the loopback interface: `lo`, or `lo0` on macOS."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")

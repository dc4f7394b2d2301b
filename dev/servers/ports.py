"""TCP ports on loopback."""

import contextlib
import random
import socket

LOOPBACK = "127.0.0.1"

# Below what Linux and macOS give to outgoing connections. A client that dials a killed server's port over and over
# would else one day be given that very port, and keep the server from coming back by talking to itself.
CHOICE = range(20000, 32000)


def free_ports(count):
    """`count` different ports that nothing listens on now."""
    ports = []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            probe, port = held.enter_context(socket.socket()), random.choice(CHOICE)
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, port))
                ports.append(port)
    return ports


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

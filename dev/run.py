"""`make run`: Pulsar, and Envoy with the filter in front of it, on loopback and in the foreground."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time

from dev import data, install, tools, wasm
from dev.children import die_with_parent
from dev.errors import DevError, main_guard
from dev.follow import Follower
from dev.servers import Envoy, Pulsar
from dev.servers.envoy import split_address
from dev.settings import from_environment

CONNECT_TIMEOUT_S = 5
CHECK_INTERVAL_S = 0.5
SHORTEST_LIFE_S = 20

TRY = """
Kafka clients connect to {bootstrap}. Try, in another terminal:

  echo hello | dev/kafka-tool console-producer --bootstrap-server {bootstrap} --topic greetings
  dev/kafka-tool console-consumer --bootstrap-server {bootstrap} --topic greetings --group readers --from-beginning

Ctrl-C stops; the data stays in {data} until `make wipe`.
"""


class Stopped(BaseException):
    """Somebody asked us to end."""


def main():
    """Start, say so, and watch until told to stop."""
    if "--with-make" in sys.argv:
        # A killed make takes us along, and we the servers.
        die_with_parent(os.getppid(), signal.SIGTERM)
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, on_signal)
    settings = from_environment()
    try:
        serve(settings)
    except Stopped:
        say("stopped")


def on_signal(_sig, _frame):
    """The first signal ends the run in order; later ones do not disturb that."""
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_IGN)
    raise Stopped


def serve(settings):
    """Start what is asked for and return only by an exception."""
    settings.check_ports()
    require_tools(settings)
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(data.held(settings.data))
        install.envoy()
        if settings.pulsar is None:
            install.pulsar()
        else:
            require_pulsar(settings)
        module = wasm.build()
        settings.check_ports()
        servers = {server.name: server for server in make_servers(settings, module)}
        follower = Follower({name: server.log_path for name, server in servers.items()})
        cleanup.callback(follower.close)
        started = {}
        for server in servers.values():
            cleanup.callback(end, server)
            start(server)
            started[server] = time.monotonic()
        follower.show_news()
        envoy = servers["envoy"]
        print(TRY.format(bootstrap=envoy.bootstrap, data=settings.data))
        print(f"ready: {envoy.bootstrap}", flush=True)
        while True:
            time.sleep(CHECK_INTERVAL_S)
            for server in servers.values():
                if not server.alive:
                    revive(server, started)


def require_tools(settings):
    """All at once, before anything long begins."""
    tools.require("rustup", "cargo", "cc")
    if settings.pulsar is None:
        tools.require("java")


def require_pulsar(settings):
    """That the Pulsar that is said to run does."""
    for variable, address in (("PULSAR", settings.pulsar), ("PULSAR_ADMIN", settings.pulsar_admin)):
        try:
            socket.create_connection(split_address(address), CONNECT_TIMEOUT_S).close()
        except OSError as error:
            raise DevError(f"nothing answers at {variable}={address} ({error}): start that Pulsar first.") from None


def make_servers(settings, module):
    """Pulsar, unless there is one, then Envoy: the order of starting."""
    pulsar = settings.pulsar
    if pulsar is None:
        pulsar = Pulsar(
            settings.data / "pulsar",
            port=settings.pulsar_port,
            web_port=settings.pulsar_web_port,
            kafka_port=settings.kafka_port,
            log_level=settings.pulsar_log,
            log_path=settings.data / "logs" / "pulsar.log",
        )
        yield pulsar
    yield Envoy(
        settings.data / "envoy",
        pulsar=pulsar,
        pulsar_admin=settings.pulsar_admin,
        wasm=module,
        kafka_port=settings.kafka_port,
        admin_port=settings.envoy_admin_port,
        concurrency=settings.envoy_concurrency,
        log_level=settings.filter_log,
        # Nobody who tries something wants to wait for members that do not come.
        filter_config={"group_initial_rebalance_delay_ms": 0},
        log_path=settings.data / "logs" / "envoy.log",
    )


def start(server):
    """Start a server and tell how long it takes."""
    say(f"starting {server.name} ...")
    begun = time.monotonic()
    server.launch()
    waiting = threading.Event()
    threading.Thread(target=tell_patience, args=(server, begun, waiting), daemon=True).start()
    try:
        server.wait_ready()
    finally:
        waiting.set()
    say(f"{server.name} serves after {time.monotonic() - begun:.0f} s")


def tell_patience(server, begun, waiting):
    """A line every five seconds, so that nobody takes a slow start for a hang."""
    while not waiting.wait(5):
        say(f"waiting for {server.name}, {time.monotonic() - begun:.0f} s of at most {server.start_patience_s} s")


def revive(server, started):
    """Start a server that died again, unless it had hardly lived."""
    status = server.child.returncode
    if time.monotonic() - started[server] < SHORTEST_LIFE_S:
        raise DevError(f"{server.name} ended with status {status} again and again: {server.why()}")
    say(f"{server.name} ended with status {status}")
    start(server)
    started[server] = time.monotonic()


def end(server):
    """Stop a server and say so."""
    if server.alive:
        say(f"stopping {server.name}")
    server.stop()


def say(text):
    """A line of our own among the servers'. Whoever read them may be gone; the servers are stopped all the same."""
    with contextlib.suppress(BrokenPipeError):
        print(f"run    | {text}", flush=True)


if __name__ == "__main__":
    main_guard(main)

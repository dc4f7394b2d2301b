"""The lines that come while a group member works: "commit", and "stop", which is the last one taken from the input."""

import json
import queue
import sys
import threading


def read():
    """A queue of orders. The end of the input is a "stop" too."""
    orders = queue.SimpleQueue()

    def forward():
        order = None
        while order != "stop":
            text = sys.stdin.readline()
            order = json.loads(text)["op"] if text else "stop"
            orders.put(order)

    threading.Thread(target=forward, daemon=True).start()
    return orders


def next_of(orders):
    """The next order, or None where there is none yet."""
    try:
        return orders.get_nowait()
    except queue.Empty:
        return None

"""Shows what is added to log files, each line with the name of its server."""

import sys
import threading

INTERVAL_S = 0.2


class Follower:
    """Follows several files from their present end on a thread of its own, until `close`."""

    def __init__(self, logs):
        """`logs` maps a server's name to the path of its log, which need not exist yet."""
        self.width = max(map(len, logs))
        self.logs = {name: (path, path.stat().st_size if path.exists() else 0, b"") for name, path in logs.items()}
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self):
        while not self.closing.wait(INTERVAL_S):
            self.show_news()

    def show_news(self):
        """Print the whole lines that have come since."""
        for name, (path, seen, rest) in self.logs.items():
            if not path.exists():
                continue
            with open(path, "rb") as file:
                file.seek(seen)
                news = file.read()
            *lines, last = (rest + news).split(b"\n")
            self.logs[name] = (path, seen + len(news), last)
            for line in lines:
                print(f"{name:{self.width}} | {line.decode(errors='replace')}")
        sys.stdout.flush()

    def close(self):
        """Show what is left, and end."""
        self.closing.set()
        self.thread.join()
        self.show_news()

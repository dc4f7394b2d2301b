"""How many partitions topics have, asked of Pulsar by hand-written bytes: what the broker needs for that at least."""

from dev.bench.pulsar_send import Link, block, frame, number

PARTITIONED_METADATA, PARTITIONED_METADATA_RESPONSE = 21, 22


class Counter(Link):
    """All questions go out at once; nothing is made."""

    def ask_all(self, topics):
        """Until the last answer is there."""
        asked = [frame(PARTITIONED_METADATA, block(1, topic) + number(2, at) + number(6, 0)) for at, topic in enumerate(topics)]
        self.socket.sendall(b"".join(asked))
        kind = b"\x08" + bytes([PARTITIONED_METADATA_RESPONSE])
        left = b""
        missing = len(topics)
        while missing:
            left += self.socket.recv(1 << 20)
            at = 0
            while len(left) - at >= 4 and len(left) - at >= 4 + (total := int.from_bytes(left[at : at + 4], "big")):
                missing -= left[at + 8 : at + 10] == kind
                at += 4 + total
            left = left[at:]

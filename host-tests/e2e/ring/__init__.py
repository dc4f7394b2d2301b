"""What the tests of the end-to-end ring stand on: the clients, the wire, the servers they are pointed at."""

"""The development environment: what it installs, the servers it starts, and the verbs of the Makefile.

Only Python's standard library is used. Run modules from the repository's root: `python3 -m dev.run`.
"""

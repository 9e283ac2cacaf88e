"""A word to a daemon that takes its time: does its event loop run?

A daemon that was stopped keeps its connections, and ZeroMQ's own heartbeats are not to be had
(cluster/socket_options.py). PING is a Call that no daemon decodes: one that knows it answers PONG,
an earlier one says `bad-request` to number 0, which nobody waits for and is a sign of life as well.
"""

from packages.core.values import to_msgpack

PING = to_msgpack({"number": 0, "ask": {"ask": "ping"}})
PONG = b""

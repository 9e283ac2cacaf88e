"""Requests about the record as a whole, and about the room that it and the guests need."""

from cluster.api.request import Request


class AskRoom(Request, tag="room"):
    """Of a node. Result: [Room] (packages/core/room.py) of its folders."""

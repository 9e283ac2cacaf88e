"""Requests about the record as a whole, and about the room that it and the guests need."""

from cluster.api.bounds import BackupText
from cluster.api.request import Changing, Request


class AskRoom(Request, tag="room"):
    """Of a node. Result: [Room] (packages/core/room.py) of its folders."""


class BackUpCluster(Changing, tag="cluster-backup"):
    """Result: {"text": of the file (cluster/core/backup.py), "packages": how many, "entry": the
    last that is in it}."""


class RestoreCluster(Changing, tag="cluster-restore"):
    """`text` of a backup's file; with `operators` those that are missing are let in again. Result:
    {"packages": [name], "cluster_file_differs": bool}."""

    text: BackupText = ""
    operators: bool = False

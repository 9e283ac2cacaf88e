"""What must not wait behind anything large: it has a connection of its own, and no limit that a
busy caller could use up. What is made to be stuck, if anything is, has one of its own as well."""

from cluster.api.messages import AskEcho, AskLease, AskReady, AskSilence

VITAL = (AskLease, AskReady, AskSilence)
"""Each fits into a small packet, and so does its answer in a cluster of a dozen nodes."""

WAY: dict[type[object], str] = {each: "vital" for each in VITAL} | {AskEcho: "probe"}
"""Request -> the connection that it has to itself."""

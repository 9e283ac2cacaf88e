"""Certificates for this node and for those it lets in, from whichever host holds the authority.

One host holds the key that certifies (docs/security.md): this one is asked first, then the
others. What must never happen here: a certificate asked for in the name of a third.
"""

import asyncio
from collections.abc import Mapping

from cluster.api.messages import AskCertificate, Reply
from cluster.api.neighbour import Neighbour
from cluster.config.vault import Certified, authority_missing
from cluster.keyring import HostKeys
from packages.core.problem import Problem
from packages.core.values import Undecodable, shaped

ASK_S = 5.0


class Certifier:
    def __init__(
        self, *, node: str, host: HostKeys, neighbours: Mapping[str, Neighbour],
    ) -> None:
        self._node, self._host, self._neighbours = node, host, neighbours

    async def certify(self, node: str, request: str) -> Certified | Problem:
        """A certificate, or why none: the authority's own words if it was found."""
        found = self._host.certify(node, request)
        if isinstance(found, Certified) or found.code != "authority-missing":
            return found
        ask = AskCertificate(node=node, certificate_request=request)
        replies = await asyncio.gather(*(
            each.ask(ask, deadline_s=ASK_S) for _, each in sorted(self._neighbours.items())))
        refused: list[Problem] = []
        for reply in replies:
            if not isinstance(reply, Reply):
                continue
            if reply.verdict != "done":
                refused += [each for each in reply.problems if each.code != "authority-missing"]
                continue
            try:
                certified: Certified = shaped(reply.result, Certified)
                return certified
            except Undecodable:
                continue
        return refused[0] if refused else authority_missing(self._node)

    async def is_possible(self) -> Problem | None:
        """Why no certificate could be issued now; the host that can says so of an empty request."""
        found = await self.certify(self._node, "")
        return found if isinstance(found, Problem) and found.code != "bad-request" else None

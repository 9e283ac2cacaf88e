"""What every request has; the requests themselves are in `messages.py` and `record_messages.py`."""

from cluster.api.bounds import Reason, RequestId
from packages.core.values import Value


class Request(Value, tag_field="ask"):
    """Base. `request` is the client's own id for it; empty for pure questions. A question on whose
    answer something is decided asks for what is `current`: a node that has just come back knows
    the past. It is answered once a majority has confirmed the answering node's record."""

    request: RequestId = ""
    current: bool = False


class Changing(Request):
    """Base of what changes something; with `dry_run` everything is checked and nothing done.
    The reply's result then is {"would": [line, ...]}."""

    dry_run: bool = False
    reason: Reason = ""
    confirmed: bool = True
    """False: `not-confirmed`, with what follows, for what cannot be taken back or worsens it."""

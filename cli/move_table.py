"""A MOVE as lines for people. PURE."""

from typing import Any

from cli.output import coloured, size, span, table


def move_lines(move: dict[str, Any]) -> list[str]:
    """How far it is, or what came of it, and how long each part took."""
    result = move["result"]
    if result == "completed":
        first = f"{move['package']} was moved from {move['source']} to {move['target']}."
    elif result is None:
        first = (
            f"{move['package']} is being moved from {move['source']} to {move['target']}: "
            f"{move['phase']}, {move['percent']:.0f} %."
        )
    else:
        first = (
            f"{move['package']} was not moved from {move['source']} to {move['target']}: "
            f"{coloured(result)}."
        )
    rows = [(name, f"{phase['ms']:.1f}") for name, phase in move["phases"].items()]
    forecast = move["forecast"]
    return [
        first, *table(("PHASE", "MS"), rows, indent=2, widths=(12,)),
        f"  total {span(move['total_ms'])}{expected(forecast['total_ms'])}, "
        f"freeze {freeze(move['freeze_ms'])}{expected(forecast['freeze_ms'])}, "
        f"monitoring suspended {freeze(move['monitoring_suspended_ms'])}, "
        f"{size(move['transferred_bytes'])} copied",
    ]


def freeze(milliseconds: float) -> str:
    """With a decimal: this is the number the product is bought for."""
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else span(milliseconds)


def expected(milliseconds: float) -> str:
    return f" (forecast {span(milliseconds)})" if milliseconds else ""

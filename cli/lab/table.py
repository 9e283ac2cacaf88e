"""A lab as lines for people. PURE."""

from typing import Any

from cli.output import table


def lab_lines(shown: dict[str, Any]) -> list[str]:
    nodes = [
        (each["name"], each["netns"], each["address"], str(each["daemon_pid"] or "-"),
         str(each["guardian_pid"] or "-"))
        for each in shown["nodes"]
    ]
    packages = [
        (each["name"], each["guest_address"], str(each["echo_port"]), each["disk"] or "-")
        for each in shown["packages"]
    ]
    lines = [
        f"A lab is up in {shown['dir']}. Where it is not your only one, or this host has a cluster "
        "of its own:", f"  export VMSG_LAB={shown['dir']}", "",
        *table(("NODE", "NAMESPACE", "ADDRESS", "DAEMON", "GUARDIAN"), nodes, indent=2),
    ]
    if packages:
        lines += ["", *table(("PACKAGE", "GUEST", "ECHO", "DISK"), packages, indent=2)]
    return lines

"""Manual pages, made from the commands themselves: what `--help` says, in roff.

One for each command of `vmsg` (vmsg-node-drain(1)), and one for each of the two programs that
systemd starts (section 8), whose words are their own `--help`.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping

import click

from cli.tree import root

DAEMONS: Mapping[str, tuple[str, str]] = {
    "vmsgd": ("cluster.daemon", "the daemon of one node"),
    "vmsg-guard": ("cluster.guardian", "the guardian of one node's guests"),
}
"""Program -> its module, and its line in lists of pages."""

FILES = """\
.SH FILES
.TP
.I /etc/vmsg
the node's name, keys and certificates
.TP
.I /var/lib/vmsg
its journal and snapshots of the record
.TP
.I /run/vmsg
sockets, and what is known of running guests
"""


def pages(version: str) -> Iterator[tuple[str, str]]:
    """File name ("vmsg-status.1") and content of each."""
    for context in contexts(click.Context(root, info_name="vmsg", **root.context_settings)):
        name = context.command_path.replace(" ", "-")
        yield f"{name}.1", command_page(context, name, version)
    for name, (module, line) in DAEMONS.items():
        yield f"{name}.8", daemon_page(name, module, line, version)


def contexts(context: click.Context) -> Iterator[click.Context]:
    """This command's and, depth first, those below it."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            below = context.command.get_command(context, name)
            assert below is not None
            if not below.hidden:
                yield from contexts(click.Context(below, info_name=name, parent=context))


def command_page(context: click.Context, name: str, version: str) -> str:
    command = context.command
    help_text = (command.help or "").partition("\f")[0]
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [
        head(name, "1", version, command.get_short_help_str(limit=200).rstrip(".")),
        f".SH SYNOPSIS\n.B {text(context.command_path)}\n{text(usage)}\n",
        f".SH DESCRIPTION\n{paragraphs(help_text)}",
    ]
    records = (each.get_help_record(context) for each in command.get_params(context))
    if options := [each for each in records if each and each[1]]:
        parts.append(".SH OPTIONS\n" + "".join(tagged(*each) for each in options))
    if isinstance(command, click.Group):
        parts.append(".SH COMMANDS\n" + "".join(
            tagged(each.command_path, each.command.get_short_help_str(limit=200))
            for each in contexts(context) if each is not context))
    if context.parent is not None:
        above = context.parent.command_path.replace(" ", "-")
        parts.append(f".SH SEE ALSO\n.BR {text(above)} (1)\n")
    return "".join(parts)


def daemon_page(name: str, module: str, line: str, version: str) -> str:
    said = subprocess.run(
        [sys.executable, "-m", module, "--help"], check=True, capture_output=True, text=True,
        timeout=60).stdout
    return (head(name, "8", version, line) + f".SH DESCRIPTION\n.nf\n{text(said)}.fi\n" + FILES
            + ".SH SEE ALSO\n.BR vmsg (1)\n")


def head(name: str, section: str, version: str, line: str) -> str:
    return (f'.TH {text(name).upper()} {section} "" "vmsg {version}" "vmsg"\n'
            f".SH NAME\n{text(name)} \\- {text(line)}\n")


def paragraphs(words: str) -> str:
    """Click's own: an empty line ends a paragraph, and \\b alone keeps its lines as they are."""
    made = ""
    for each in re.split(r"\n\s*\n", words.strip()):
        if each.startswith("\b"):
            made += f".PP\n.nf\n{text(each.removeprefix(chr(8)).strip(chr(10)))}\n.fi\n"
        else:
            made += f".PP\n{text(' '.join(each.split()))}\n"
    return made


def tagged(what: str, means: str) -> str:
    return f".TP\n.B {text(what)}\n{text(' '.join(means.split()))}\n"


def text(words: str) -> str:
    """As roff takes it: nothing in it is an order, a hyphen is one to type."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped, flags=re.MULTILINE)


def completion() -> str:
    """What bash is told, as click makes it."""
    from click.shell_completion import BashComplete
    return BashComplete(root, {}, "vmsg", "_VMSG_COMPLETE").source()

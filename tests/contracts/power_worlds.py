"""A host whose power can be switched off, and a fence agent of the real protocol that does it.

The agent is a program of its own, with parameters on its standard input. Its hosts are network
namespaces: off means that no process is left in one, as the kernel tells.
"""

import os
import stat
import subprocess
from pathlib import Path

from cluster.config.schema import FenceConfig

PASSWORD = "open sesame"
AGENT = f"""\
#!/bin/sh
while IFS='=' read -r name value; do
  case "$name" in action|plug|password|delay) eval "$name=\\$value";; esac
done
case "$action" in metadata) cat <<'XML'
<?xml version="1.0" ?>
<resource-agent name="fence_namespace" shortdesc="Ends every process of a namespace">
<parameters>
  <parameter name="action" required="1"><content type="string" default="reboot"/></parameter>
  <parameter name="plug" required="1" obsoletes="port"><content type="string"/></parameter>
  <parameter name="password" required="0" obsoletes="passwd"><content type="string"/></parameter>
  <parameter name="delay" required="0"><content type="second" default="0"/></parameter>
</parameters>
<actions><action name="off"/><action name="status"/><action name="metadata"/></actions>
</resource-agent>
XML
exit 0;; esac
[ "$password" = "{PASSWORD}" ] || {{ echo "login failed" >&2; exit 1; }}
[ -z "$delay" ] || sleep "$delay"
case "$action" in
off)
  while pids=$(ip netns pids "$plug") && [ -n "$pids" ]; do
    kill -9 $pids
    # A hung lab node dies when its control group is thawed. An agent of a lab's daemon sees
    # another /sys than the machine's, which the test itself sees.
    group=/proc/{os.getpid()}/root/sys/fs/cgroup/freezer/$plug/freezer.state
    [ ! -e "$group" ] || echo THAWED >"$group"
  done;;
status) [ -n "$(ip netns pids "$plug")" ] || exit 2;;
*) echo "no such action" >&2; exit 1;;
esac
"""


def make_agent(folder: Path, text: str = AGENT, *, name: str = "fence_namespace") -> str:
    """The program's path."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def make_secret(folder: Path, secret: str = PASSWORD) -> str:
    path = folder / "password"
    path.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    path.write_text(f"{secret}\n")
    return str(path)


def fence(folder: Path, host: str, *, level: int = 1, **options: str) -> FenceConfig:
    """The agent's, with its program and secret in `folder`."""
    return FenceConfig(
        agent=make_agent(folder), level=level, options={"plug": host, **options},
        secrets={"password": make_secret(folder)}, timeout_s=10.0,
    )


class Namespace:
    """A host: a network namespace with a process in it."""

    def __init__(self) -> None:
        self.name = f"fenced-{os.getpid()}"

    def __enter__(self) -> "Namespace":
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.process = subprocess.Popen(["ip", "netns", "exec", self.name, "sleep", "600"])
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        subprocess.run(["ip", "netns", "del", self.name], check=True)

    def is_off(self) -> bool:
        return self.process.poll() is not None

"""A Linux guest whose kernel has SCSI disks and a SCSI target (LIO), for a host that has neither.

Its three disks (/dev/sda, sdb, sdc) are one LUN of a real tgtd, passed through by QEMU over three
sessions: three initiators, as three hosts would be. Another LUN, in its memory, it offers itself
by iSCSI. A shell on the second serial line does what it is told.
"""

import base64
import contextlib
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from cluster.lab import linux_guest
from packages.fencing.tools import Said
from tests.contracts.tgt_target import TARGET, TgtTarget, in_netns

DISKS = {"n1": "/dev/sda", "n2": "/dev/sdb", "N_3": "/dev/sdc"}
BOOT_S = 120.0
"""Four seconds under emulation on an idle machine."""
MODULES = (
    "virtio_pci", "virtio_net", "sd_mod", "virtio_scsi", "iscsi_target_mod", "crc32c_generic",
)
INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for each in /modules/*.ko; do insmod $each; done
mount -t configfs config /sys/kernel/config
T=/sys/kernel/config/target
LUN=$T/core/rd_mcp_0/web
mkdir -p /var/target/pr $LUN; echo rd_pages=256 >$LUN/control; echo 1 >$LUN/enable
while [ ! -b /dev/sdc ]; do usleep 20000; done
ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
G=$T/iscsi/%(target)s/tpgt_1
mkdir -p $G/np/0.0.0.0:3260 $G/lun/lun_1; ln -s $LUN $G/lun/lun_1/web
echo 0 >$G/attrib/authentication; echo 1 >$G/enable
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1
echo "ready"
while read -r line; do
    sh -c "$line" >/out 2>/err </dev/null
    echo "$? $(base64 -w0 </out). $(base64 -w0 </err)."
done
"""


class ScsiHost:
    """One guest; end it by `close`."""

    def __init__(self, folder: Path, target: TgtTarget) -> None:
        self.netns = target.netns
        kernel = linux_guest.newest_kernel()
        image = folder / "initrd"
        image.write_bytes(b"".join(_archive(kernel)))
        self.portal = "127.0.0.1:3261"
        listening = self._line = socket.socket(socket.AF_UNIX)
        listening.bind(str(folder / "line"))
        listening.listen(1)
        listening.settimeout(BOOT_S)
        self._qemu = subprocess.Popen([
            *in_netns(self.netns), "qemu-system-x86_64", "-nodefaults", "-display", "none",
            "-accel", "tcg", "-m", "192",
            "-no-reboot", "-kernel", str(kernel), "-initrd", str(image), "-append",
            f"{linux_guest.APPEND} rdinit=/init", "-serial", f"file:{folder}/console",
            "-serial", f"unix:{folder}/line", "-netdev",
            f"user,id=net0,restrict=on,hostfwd=tcp:{self.portal}-10.0.2.15:3260", "-device",
            "virtio-net-pci,netdev=net0,romfile=", "-device", "virtio-scsi-pci,id=scsi0",
            *(word for number in range(len(DISKS)) for word in _disk(target, number)),
        ])
        self._rest, self._end_s = b"", time.monotonic() + BOOT_S
        try:
            self._line, _ = listening.accept()
            assert self._read() == "ready"
        except BaseException:
            self.close()
            raise
        finally:
            listening.close()

    def _read(self) -> str:
        while b"\n" not in self._rest:
            self._line.settimeout(max(0.1, self._end_s - time.monotonic()))
            came = self._line.recv(65536)
            assert came, "the guest has ended"
            self._rest += came
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode().strip("\r\0 ")

    def run(self, command: tuple[str, ...], deadline_s: float) -> Said:
        """As `run_tool`, in the guest; one at a time."""
        self._end_s = time.monotonic() + deadline_s
        self._line.sendall(shlex.join(command).encode() + b"\n")
        status, output, complaint = self._read().split(" ")
        return Said(
            status=int(status), output=base64.b64decode(output[:-1]).decode(),
            complaint=base64.b64decode(complaint[:-1]).decode())

    def close(self) -> None:
        self._line.close()
        with contextlib.suppress(ProcessLookupError):
            self._qemu.kill()
        self._qemu.wait(10)


def _archive(kernel: Path) -> Iterator[bytes]:
    """busybox, sg_persist with what it is linked to, the modules, and the script above."""
    file, folder = 0o100755, 0o040755
    for name in ("bin", "usr", "usr/bin", "dev", "proc", "sys", "modules", "lib", "lib64",
                 "lib/x86_64-linux-gnu"):
        yield linux_guest.entry(name, folder)
    yield linux_guest.entry("dev/console", 0o020600, device=(5, 1))
    yield linux_guest.entry("init", file, (INIT % {"target": TARGET}).encode())
    yield linux_guest.entry("bin/busybox", file, linux_guest.BUSYBOX.read_bytes())
    program = shutil.which("sg_persist")
    assert program is not None
    linked = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    libraries = [word for word in linked.split() if word.startswith("/")]
    for path in (program, *libraries):
        yield linux_guest.entry(path.lstrip("/"), file, Path(path).resolve().read_bytes())
    for place, content in enumerate(linux_guest.modules(kernel, MODULES)):
        yield linux_guest.entry(f"modules/{place:02}.ko", file, content)
    yield linux_guest.entry("TRAILER!!!", 0)


def _disk(target: TgtTarget, number: int) -> list[str]:
    """One session to the LUN, whose SCSI commands are the guest's own."""
    return [
        "-blockdev", f"driver=iscsi,node-name=lun{number},transport=tcp,portal={target.portal},"
        f"target={TARGET},lun=1,initiator-name=iqn.2026-01.lab:host{number},cache.direct=on",
        "-device", f"scsi-block,drive=lun{number},bus=scsi0.0,scsi-id={number}",
    ]

"""A host's own controller that speaks Redfish over HTTPS on loopback: what `fence_redfish` asks.

Only what the agent uses of DMTF's DSP0266: the service root, one system, its PowerState and the
action that resets it.
"""

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cluster.clock import HostClock
from cluster.config.certificates import Authority, new_key, request_for

SYSTEM = "/redfish/v1/Systems/1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"


class RedfishHost:
    """`asked` are the resets it was sent, in order; it is on until it is forced off."""

    def __init__(self, folder: Path, *, user: str, password: str) -> None:
        self.power, self.asked = "On", list[str]()
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = certified(folder).wrap_socket(
            self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> "RedfishHost":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def resources(self) -> dict[str, object]:
        return {
            "/redfish/v1": {"Systems": {"@odata.id": "/redfish/v1/Systems"}},
            "/redfish/v1/Systems": {"Members": [{"@odata.id": SYSTEM}]},
            SYSTEM: {"PowerState": self.power, "Actions": {
                "#ComputerSystem.Reset": {"target": RESET}}},
        }


def certified(folder: Path) -> ssl.SSLContext:
    """With a certificate that nobody knows, as controllers have it."""
    authority, key = Authority.of_new_cluster("controller", HostClock()), new_key()
    request = request_for(key, "bmc")
    assert request is not None
    certificate = authority.certify("bmc", request)
    assert certificate is not None
    (folder / "bmc.crt").write_text(certificate)
    (folder / "bmc.key").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "bmc.crt", folder / "bmc.key")
    return context


def _handler(host: RedfishHost) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = host.resources().get(self.path)
            if self.headers["authorization"] != host.authorization:
                self.answer(401, {"error": {"message": "not you"}})
            else:
                self.answer(200 if found else 404, found or {})

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path != RESET or self.headers["authorization"] != host.authorization:
                self.answer(401, {})
                return
            host.asked.append(said["ResetType"])
            host.power = "Off" if said["ResetType"] == "ForceOff" else "On"
            self.answer(200, {})

        def answer(self, status: int, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    return Handler

"""Strangers at the landing: packages/vm/hall.py, packages/vm/relay.py."""

from tests.mutants.mutant import Mutant

HERE = "tests/live/test_landing.py::"

MUTANTS = [
    Mutant(
        "packages/vm/hall.py",
        "        if len(self._silent) >= SILENT:\n"
        "            self._show_out(next(iter(self._silent.values()))[0])",
        "        if len(self._silent) >= SILENT:\n"
        "            return close_at_once(connection)",
        (HERE + "test_silent_strangers_make_room_for_the_source",)),
    Mutant(
        "packages/vm/hall.py",
        "if self._allowed is not None and str(address[0]).partition(\"%\")[0] not in "
        "self._allowed:",
        "if False:",
        (HERE + "test_only_the_sources_address_is_let_in",)),
    Mutant(
        "packages/vm/hall.py",
        "        self.strangers += 1\n",
        "",
        (HERE + "test_a_source_that_is_kept_out_says_by_whom",)),
    Mutant(
        "packages/vm/relay.py",
        "return socket.create_connection(there, CONNECT_S, (own, 0))",
        "pass",
        (HERE + "test_a_source_comes_from_its_own_address",)),
    Mutant(
        "packages/vm/relay.py",
        "equal_in_constant_time(said, orders[\"token\"].encode()) and is_node\n",
        "equal_in_constant_time(said, orders[\"token\"].encode())\n",
        ("tests/live/test_relay.py::test_a_node_that_is_not_the_source_is_refused",)),
    Mutant(
        "packages/vm/relay.py",
        "connection.sendall(WELCOME if is_welcome else UNWELCOME)",
        "connection.sendall(WELCOME)",
        ("tests/live/test_relay.py::test_a_wrong_token_is_refused",)),
    Mutant(
        "packages/vm/relay_carrier.py",
        '    if reason == "crowded":',
        '    if reason == "never":',
        (HERE + "test_a_source_that_is_kept_out_says_by_whom",)),
]

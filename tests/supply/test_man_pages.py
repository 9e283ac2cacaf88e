"""Manual pages and completion say what the commands say."""

import os
import subprocess
import sys

import click

from cli.tree import root
from supply import man_pages

PAGES = dict(man_pages.pages("1.2"))


def test_each_command_and_each_daemon_has_its_page():
    contexts = man_pages.contexts(click.Context(root, info_name="vmsg", **root.context_settings))
    found = {each.command_path for each in contexts}
    assert {"vmsg", "vmsg node drain", "vmsg lab up"} <= found
    assert set(PAGES) == {
        *(f"{each.replace(' ', '-')}.1" for each in found), "vmsgd.8", "vmsg-guard.8"}


def test_a_page_has_what_help_has():
    page = PAGES["vmsg-node-drain.1"]
    assert page.startswith('.TH VMSG\\-NODE\\-DRAIN 1 "" "vmsg 1.2"')
    assert ".B vmsg node drain\n[OPTIONS] NODE" in page
    assert "\\-\\-allow\\-restart" in page and ".BR vmsg\\-node (1)" in page
    assert "vmsg node drain\n" in PAGES["vmsg-node.1"]
    assert "\\-\\-watchdog DEVICE" in PAGES["vmsg-guard.8"]


def test_no_line_of_help_is_an_order_to_the_formatter():
    assert man_pages.text(".TH x\n'br\na-b\\c") == "\\&.TH x\n\\&'br\na\\-b\\ec"
    orders = {".TH", ".SH", ".PP", ".TP", ".B", ".BR", ".I", ".nf", ".fi"}
    for name, page in PAGES.items():
        for line in page.splitlines():
            assert not line.startswith(("'", ".")) or line.split()[0] in orders, (name, line)


def test_bash_is_told_what_the_command_line_answers():
    assert "complete -o nosort -F _vmsg_completion vmsg" in man_pages.completion()
    answered = subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()"], check=True, text=True,
        capture_output=True, timeout=60, env={
            **os.environ, "_VMSG_COMPLETE": "bash_complete", "COMP_WORDS": "vmsg node dr",
            "COMP_CWORD": "2"}).stdout
    assert answered.strip() == "plain,drain"

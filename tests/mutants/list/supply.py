"""What a host installs: the lock, its audit, its files (supply/)."""

from tests.mutants.mutant import Mutant

LOCK = "tests/supply/test_lock.py::test_"
AUDIT = "tests/supply/test_audit.py::test_"
WHEELS = "tests/supply/test_wheels.py::test_"
PLACING = "tests/supply/test_placing.py::test_"
DEBIAN = "tests/supply/test_debian.py::test_"

MUTANTS = [
    Mutant(
        "supply/pins.py", "    if text != written(head, found):", "    if not found:",
        (LOCK + "a_lock_that_somebody_changed_by_hand_is_not_read",)),
    Mutant(
        "supply/lock.py", "    held = asked.marker is None or any(",
        "    held = asked.marker is None or all(",
        (LOCK + "what_one_python_alone_needs_is_needed",)),
    Mutant(
        "supply/lock.py", "    if len(known) != 1 or not known <= {spdx for _, spdx in LICENCES}:",
        "    if not known <= {spdx for _, spdx in LICENCES}:",
        (LOCK + "a_licence_that_nobody_can_tell_is_not_guessed",)),
    Mutant(
        "supply/audit.py", '        if kind == "introduced" and at <= version:',
        '        if kind == "introduced" and at < version:',
        (AUDIT + "a_range_begins_and_ends_where_it_says",)),
    Mutant(
        "supply/audit.py",
        '        elif (kind == "fixed" and at <= version) or (kind == "last_affected" and at < '
        'version):',
        '        elif kind == "fixed" and at <= version:',
        (AUDIT + "a_range_begins_and_ends_where_it_says",)),
    Mutant(
        "supply/audit.py", "    return 1 if found else 0", "    return 0",
        (AUDIT + "a_newer_list_can_be_given_and_its_holes_are_told",)),
    Mutant(
        "supply/wheels.py",
        '         "--require-hashes", "--no-deps", *map(str, words)], check=True)',
        '         "--no-deps", *map(str, words)], check=False)',
        (WHEELS + "a_file_that_is_not_the_locks_is_not_taken",)),
    Mutant(
        "supply/wheels.py",
        '            if each.filename.startswith("/") or ".." in parts or '
        'parts[0].endswith(".data"):',
        '            if each.filename.startswith("/") or parts[0].endswith(".data"):',
        (PLACING + "a_wheel_that_would_go_elsewhere_is_refused",)),
    Mutant(
        "supply/placing.py",
        '    for old in (*site.glob("vmsg-*.dist-info"), *site.glob("__editable__*vmsg*")):',
        '    for old in site.glob("vmsg-*.dist-info"):',
        (PLACING + "what_an_earlier_version_left_goes",)),
    Mutant(
        "supply/debian.py", '        ["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--build", '
        'str(tree), str(made)],',
        '        ["dpkg-deb", "-Zxz", "-z1", "--build", str(tree), str(made)],',
        (DEBIAN + "everything_is_roots_and_writable_by_nobody_else",)),
    Mutant(
        "supply/debian.py",
        "            each.chmod(0o755 if each.is_dir() or is_run(each, control) else 0o644)",
        "            each.chmod(0o777)",
        (DEBIAN + "everything_is_roots_and_writable_by_nobody_else",)),
]

"""What one caller may cost the others: the API's gate, bounds, readers and trials."""

from tests.mutants.mutant import Mutant

FAIR = "tests/core/test_fair_answers.py::"
HISTORY = "tests/core/test_history.py::"
READING = "tests/commands/test_reading.py::"
APPLYING = "tests/scenarios/test_apply_survey.py::"
GATE = "tests/commands/test_api_gate.py::"
CONNECTIONS = "tests/raft/test_connections.py::"

MUTANTS = [
    Mutant(
        "cluster/connections.py", "elif each.received > STRANGER_BYTES:", "elif False:",
        (CONNECTIONS + "test_strangers_are_not_among_those_who_said_nothing_yet",
         CONNECTIONS + "test_a_stranger_gets_no_further_than_a_handshake_is_long")),
    Mutant(
        "cluster/connections.py", "elif total > most_bytes and each.waiting:", "elif False:",
        (CONNECTIONS + "test_bytes_of_one_key_are_added_up_and_anothers_are_not",)),
    Mutant(
        "cluster/connections.py", "            if at >= most:", "            if False:",
        (CONNECTIONS + "test_of_a_key_those_go_that_were_heard_longest_ago",)),
    Mutant(
        "cluster/connections.py", "its.sort(key=lambda each: each.heard_s, reverse=True)",
        "its.sort(key=lambda each: each.heard_s)",
        (CONNECTIONS + "test_of_a_key_those_go_that_were_heard_longest_ago",)),
    Mutant(
        "cluster/connections.py", " and its.getpeername() == each.peer:", ":",
        (CONNECTIONS + "test_a_descriptor_that_is_anothers_by_now_is_let_be",)),
    Mutant(
        "cluster/connections.py", "if self._owed[found.key] > self._queues.owed_bytes:",
        "if False:", (CONNECTIONS + "test_answers_that_nobody_fetches_are_bounded",)),
    Mutant(
        "cluster/connections.py",
        "if found.owed > OWED_UNSEEN_BYTES and _is_fetched(found.descriptor):", "if False:",
        (CONNECTIONS + "test_whoever_fetches_gets_all",)),
    Mutant(
        "cluster/heap.py", "LARGE_BYTES = 1 << 20", "LARGE_BYTES = 1 << 25",
        ("tests/core/test_heap.py::test_what_was_freed_is_not_kept",)),
    Mutant(
        "cluster/doorkeeper.py", "if not self._pace.may_come(key):", "if False:",
        (CONNECTIONS + "test_a_key_that_comes_too_often_is_let_in_later",)),
    Mutant(
        "cluster/api/gate.py", "if kind is None or kind not in LARGE_KINDS:", "if kind is None:",
        (GATE + "test_a_large_message_of_a_small_kind_is_not_read",)),
    Mutant(
        "cluster/api/gate.py", "refusal = refused_to_kind(caller, kind)", "refusal = None",
        (GATE + "test_a_role_is_looked_at_before_a_large_message_is_read",)),
    Mutant(
        "cluster/api/gate.py", "if self._under_way[key] >= most:", "if False:",
        (GATE + "test_one_large_request_at_a_time_for_each_operator",
         GATE + "test_a_node_may_have_several_under_way")),
    Mutant(
        "cluster/api/gate.py", "= ended_s + SHARE * spent_s", "= ended_s",
        (GATE + "test_what_took_long_to_read_is_paid_for",)),
    Mutant(
        "cluster/api/server.py", "if not is_large and not self._is_busy(key):",
        "if not is_large:",
        (GATE + "test_who_has_too_much_under_way_is_refused_unread",)),
    Mutant(
        "cluster/api/server.py", "if len(payload) > LARGEST_ANSWER_BYTES:", "if False:",
        (GATE + "test_an_answer_that_no_client_takes_is_a_problem",)),
    Mutant(
        "cluster/api/server.py", "if len(reply.problems) <= MOST_TOLD:", "if True:",
        (GATE + "test_a_long_answer_is_cut_and_what_refuses_stays",)),
    Mutant(
        "cluster/socket_inbox.py", " or self._loop.time() > end_s:", ":",
        (GATE + "test_a_turn_of_an_inbox_ends_by_time_as_well",)),
    Mutant(
        "cluster/api/client.py", "if is_large and answer.code not in NEVER_SENT:", "if False:",
        (GATE + "test_a_large_question_is_not_carried_on_to_the_next_node",)),
    Mutant(
        "cluster/api/bounds.py", "Reason = Annotated[str, Bound(max_length=500)]", "Reason = str",
        ("tests/style/test_bounds.py::test_a_request_is_bounded",)),
    Mutant(
        "cluster/api/bounds.py", "Seconds = Annotated[float, Bound(ge=0, le=3.2e8)]",
        "Seconds = float", (GATE + "test_what_is_beyond_a_bound_is_a_problem",)),
    Mutant(
        "cluster/reading.py", "async with self._busy.of(caller):", "if True:",
        (READING + "test_each_caller_has_one_reading_at_a_time",)),
    Mutant(
        "cluster/reading.py", "if len(raw) <= IN_PLACE_BYTES:", "if True:",
        (READING + "test_a_thousand_packages_are_read_while_the_loop_turns",)),
    Mutant(
        "cluster/reading.py", "deadline_s=self._deadline_s)", "deadline_s=None)",
        (READING + "test_a_reader_that_takes_too_long_is_ended",)),
    Mutant(
        "cluster/reader.py", "resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))", "pass",
        (READING + "test_the_reader_has_a_budget",)),
    Mutant(
        "cluster/reader.py", "resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))",
        "pass", (READING + "test_the_reader_has_a_budget",)),
    Mutant(
        "cluster/reader.py", "problems=tuple(problems[:MOST_PROBLEMS])", "problems=tuple(problems)",
        (READING + "test_a_hostile_file_has_few_problems",)),
    Mutant(
        "cluster/config/load.py", "elif size > self._largest:", "elif False:",
        (READING + "test_one_description_has_a_largest_size",)),
    Mutant(
        "packages/core/shape.py", "return BAD  # to compare", "pass  # to compare",
        (READING + "test_of_a_list_that_is_too_long_nothing_is_compared",)),
    Mutant(
        "cluster/answers/apply_survey.py", "await asyncio.sleep(0)  # a thousand",
        "pass  # a thousand",
        (APPLYING + "test_the_loop_has_a_turn_for_each_package",)),
    Mutant(
        "packages/core/claimed_disks.py", "if name != package}", "}",
        ("tests/core/test_claimed_disks.py", )),
    Mutant(
        "packages/core/claimed_disks.py", "for form in enumerate(forms(key)):", "for form in ():",
        ("tests/core/test_claimed_disks.py", )),
    Mutant(
        "cluster/answers/apply_survey.py",
        "*((seen[path].identity, name) for path, name in own if path in seen)", "",
        (APPLYING + "test_two_of_one_request_with_one_lun_are_refused",)),
    Mutant(
        "packages/vm/qemu/accelerators.py",
        "if trial is None or trial.get_loop() is not asyncio.get_running_loop():", "if True:",
        ("tests/core/test_shared_answers.py::test_kvm_is_tried_once_for_all_who_ask",)),
    Mutant(
        "cluster/nodes/shared.py", "return await asyncio.shield(asking)", "return await asking",
        ("tests/core/test_shared_answers.py::test_who_gives_up_ends_it_for_nobody_else",)),
    Mutant(
        "cluster/nodes/shared.py", "or now_s - self._ended_s > self._kept_s)", ")",
        ("tests/core/test_shared_answers.py::test_an_answer_grows_old",)),
    Mutant(
        "cluster/nodes/facts.py", "self._host.answer(deadline_s=deadline_s), self._disks",
        "self._asked_host(deadline_s), self._disks",
        ("tests/core/test_node_facts.py::test_many_who_ask_at_once_start_each_program_once",)),
    Mutant(
        "cluster/core/history.py", " or most is not None and size > most and len(events) > 1:", ":",
        (HISTORY + "test_the_oldest_go_when_the_history_is_heavy",)),
    Mutant(
        "cluster/core/history.py", "most = EVENTS_WEIGHT if floor_allows(state, V0_2) else None",
        "most = EVENTS_WEIGHT",
        (HISTORY + "test_while_an_older_node_takes_part_all_keep_what_it_keeps",)),
    Mutant(
        "cluster/core/history.py", "size -= weight(events[oldest])", "size -= 0",
        (HISTORY + "test_an_ordinary_history_has_its_number",)),
    Mutant(
        "cluster/core/codec.py", "events_weight=sum(weight(each) for _, each in kept.events),", "",
        (HISTORY + "test_a_node_that_takes_a_snapshot_weighs_the_same",)),
    Mutant(
        "cluster/core/history.py", "if isinstance(held, Problem):", "if False:",
        (HISTORY + "test_what_is_proposed_is_short",)),
    Mutant(
        "cluster/ledger.py", "shortened(entry), time_ms", "entry, time_ms",
        (HISTORY + "test_a_ledger_proposes_what_is_short",)),
    Mutant(
        "cluster/core/history.py", "if size < LARGE_STATE_BYTES:", "if True:",
        (HISTORY + "test_a_large_record_is_told_of_long_before_it_cannot_be_sent",)),
    Mutant(
        "cluster/answers/fair.py", "async with self._own.of(caller), self._line:",
        "async with self._line:",
        (FAIR + "test_who_asks_much_stands_in_the_line_once",)),
    Mutant(
        "cluster/answers/fair.py",
        "asyncio.sleep(min(spent_s, LONGEST_PAUSE_S) if spent_s > LONG_S else 0)",
        "asyncio.sleep(0)", (FAIR + "test_the_loop_has_turns_between_and_a_pause_as_long",)),
    Mutant(
        "cluster/answers/questions.py",
        "    async with desk.fair.turn(caller.shown):\n        told = view.status",
        "    if True:\n        told = view.status",
        (FAIR + "test_each_long_question_waits_for_its_turn",)),
    Mutant(
        "cluster/answers/questions.py", "specs[first:first + TOLD_AT_ONCE]", "specs",
        (FAIR + "test_descriptions_are_told_in_parts",)),
    Mutant(
        "cluster/answers/questions.py", "after=max(self._ask.after, state.next_event - 1)",
        "after=self._ask.after",
        (FAIR + "test_who_waits_for_news_looks_at_each_event_once",)),
    Mutant(
        "packages/vm/qemu/consoles.py", "if size > LARGEST_BYTES:", "if False:",
        ("tests/core/test_consoles.py::test_a_writer_without_end_keeps_its_newest",)),
    Mutant(
        "packages/vm/qemu/consoles.py", " | os.O_NOFOLLOW", "",
        ("tests/core/test_consoles.py::test_what_a_link_points_to_is_left_alone",)),
    Mutant(
        "cluster/api/server.py", "call_later(REFUSED_AFTER_S, self._reply",
        "call_later(0, self._reply",
        (GATE + "test_who_floods_hears_of_it_later",)),
    Mutant(
        "cluster/turns.py", "            if not self._here[name]:",
        "            if not self._locks[name].locked():",
        ("tests/core/test_turns.py"
         "::test_each_has_one_however_many_wait_and_whenever_they_come",)),
]

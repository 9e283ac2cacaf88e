"""Who holds hosts: one, or more than half."""

from tests.scenarios.threats.actor import Actor, Never

BOUNDS = "tests/raft/test_bounds.py::test_"
SOCKETS = "tests/raft/test_sockets.py::test_"
LOOKED_AT = "tests/scenarios/test_only_looked_at.py::test_"
VOUCHING = "tests/core/test_vouching.py::test_"
VOTES = "tests/raft/test_votes.py::test_"

ONE_NODE = Actor(
    name="Root of one node",
    may="Speak as that node: vote, stand, lead when elected, propose in anybody's name; read the "
        "memory of its guests.",
    never=(
        Never("end agreement for good: what it does ends when its key is struck off",
              "terms, indexes, boots and numbers beyond reason are dropped, in whatever message",
              (BOUNDS + "no_message_raises_the_term_beyond_reason",
               BOUNDS + "whatever_it_is_the_senders_own_term_is_bounded",
               BOUNDS + "in_steps_it_is_led_no_further_than_in_one",
               BOUNDS + "two_that_were_led_apart_find_each_other",
               "tests/raft/test_one_bad_node.py"
               "::test_two_honest_nodes_agree_once_a_bad_one_is_struck_off",
               BOUNDS + "an_index_that_no_log_reaches_is_dropped",
               BOUNDS + "the_others_elect_and_agree_while_one_says_it",
               "tests/fuzz/test_siege.py::test_whole_daemons_withstand_one_nodes_key",
               BOUNDS + "a_cluster_that_was_raised_to_the_highest_term_elects_again",
               BOUNDS + "a_number_beyond_reason_does_not_silence_its_boot",
               BOUNDS + "a_boot_beyond_reason_does_not_deafen_for_the_true_node")),
        Never("stop another node by a word",
              "only the leader it follows is believed that its journal is an earlier copy",
              (BOUNDS + "nobody_but_the_leader_it_follows_stops_a_node",
               BOUNDS + "no_entry_is_of_a_later_term_than_its_leaders")),
        Never("cost another more than its message is long",
              "entries, peers, names and connections are bounded; a snapshot is judged by what it "
              "declares",
              (BOUNDS + "a_message_of_too_many_entries_is_refused_unread",
               BOUNDS + "an_introduction_names_no_more_than_can_be_connected",
               BOUNDS + "a_bomb_is_refused_by_what_it_declares",
               BOUNDS + "a_bomb_never_reaches_the_disk",
               BOUNDS + "a_snapshot_is_the_one_that_was_spoken_of",
               "tests/raft/test_connections.py::test_what_is_half_sent_by_one_key_is_bounded",
               "tests/fuzz/test_decoders.py::test_what_is_nearly_a_message_is_read_or_refused",
               "tests/raft/test_pieces.py"
               "::test_what_came_does_not_go_on_with_another_ones_pieces",
               SOCKETS + "no_more_peers_are_connected_to_than_a_cluster_can_have",
               SOCKETS + "what_another_member_says_of_a_peer_need_not_be_true")),
        Never("speak, vote or propose as another node",
              "a peer is the key of its connection; the leader signs what is forwarded",
              (VOUCHING + "a_node_cannot_say_that_another_proposed",
               VOUCHING + "the_history_shows_who_it_is_by_and_who_proposed_it",
               BOUNDS + "who_forwards_is_named_in_what_it_forwards",
               VOTES + "two_leaders_in_one_term_are_not_both_believed",
               "tests/raft/test_filters_hold.py::test_who_only_listens_has_no_vote")),
        Never("give an order, or let an operator in, with its node's key",
              "a node's key looks, and asks what nodes ask each other; an operator comes in by it "
              "only with the authority's signature, made where `ca.key` is, lately",
              ("tests/commands/test_api.py::test_a_role_allows_what_it_names",
               LOOKED_AT + "a_nodes_key_lets_an_operator_in_only_with_the_authoritys_word",
               "tests/core/test_keys.py"
               "::test_the_authority_signs_words_and_a_certificate_is_none")),
        Never("have another node start what it names",
              "a fence is asked, whoever wants it, as the record has it; its command is held "
              "against the cluster file and looked at on the host each time",
              (LOOKED_AT + "a_node_asks_no_fence_for_another_node_that_the_record_has_not",
               "tests/contracts/test_fence_tools.py"
               "::test_a_fences_command_is_vetted_at_each_step",
               "tests/core/test_vetting.py::test_the_file_is_looked_at_each_time")),
        Never("go unseen", "said by each node that drops it, once a minute for each kind",
              (BOUNDS + "it_is_said_once_and_not_for_each",
               VOTES + "a_second_leader_of_one_term_is_said_once_and_not_for_each",
               BOUNDS + "a_node_that_is_not_heard_is_told_why")),
    ),
    open="While its key is good it can be elected and hold up agreement, propose what it likes "
         "(its name stands beside it in the history), and, leading, give the others a record of "
         "its own: `vmsg cluster backup` is what that is put back from. Leading, it "
         "can have another write and look at up to 1 GiB that is no snapshot. As a later life of "
         "it, it can keep the true node unheard until a daemon is started anew.")

MAJORITY = Actor(
    name="A majority of nodes",
    may="Decide everything: the record is what they say it is.",
    never=(
        Never("lack a way back, once they are honest again",
              "a saved record is put back; a raised term is lived with",
              ("tests/live/test_backup_live.py"
               "::test_the_record_comes_back_from_its_file",
               BOUNDS + "a_cluster_that_was_raised_to_the_highest_term_elects_again",
               BOUNDS + "a_node_of_another_age_follows_what_a_majority_is_in")),
    ),
    open="Nothing protects against it: Raft trusts its members. What honest nodes can be made to "
         "do by one of them is the row above.")

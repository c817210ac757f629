"""Protocol 7: each item of its list of what tests must show, and the tests that show it."""

import ast
import re
from pathlib import Path

import pytest

from support.named_tests import Items, assert_exists, assert_whole, names

ROOT = Path(__file__).parents[2]
HERE = "tests/adversarial"

ITEMS: Items = {
    1: {
        "the same model with two Tasks": ["test_01_two_tasks.py::test_two_tasks_for_one_round_give_no_wrong_sum"],
        "another plan": ["test_01_two_tasks.py::test_a_member_that_approved_another_plan_finds_no_quorum"],
        "each Task field flipped alone": [
            "test_01_two_tasks.py::test_one_member_shown_a_task_that_differs_in_one_field_gives_no_sum",
            "test_01_two_tasks.py::test_one_member_shown_another_length_charge_or_model_gives_no_sum",
            "tests/sdk/secagg/test_secrecy.py::test_every_input_of_a_round_changes_rho",
        ],
        "over the wire": [
            "wire/test_lying_coordinator.py::test_an_equivocating_start_costs_its_victims_vector_and_both_logs_say_why"
        ],
    },
    2: {
        "in one message": ["test_02_both_shares.py::test_one_message_cannot_ask_for_both_kinds_of_one_dealer"],
        "in two": ["test_02_both_shares.py::test_a_second_quorum_for_the_other_list_gets_nothing"],
        "over two rounds": ["test_02_both_shares.py::test_the_shares_of_one_round_are_not_dealt_into_the_next"],
        "after a restart": ["test_02_both_shares.py::test_a_restarted_member_gives_no_share_of_the_round_it_left"],
    },
    3: {
        "repeats": ["test_03_cohorts_and_survivors.py::test_repeated_survivors_are_refused_as_malformed"],
        "strangers, self missing, |U| = T − 1": [
            "test_03_cohorts_and_survivors.py::test_bad_survivors_are_not_confirmed",
            "test_03_cohorts_and_survivors.py::test_survivors_of_t_below_the_minimum_cohort_are_not_confirmed",
        ],
        "|C| = T − 1, refused uncharged": [
            "test_03_cohorts_and_survivors.py::test_a_bad_start_is_refused_and_the_round_aborted",
            "test_03_cohorts_and_survivors.py::"
            "test_a_refused_start_uses_up_neither_the_deal_of_the_next_round_nor_any_vector",
        ],
        "over the wire": [
            "wire/test_lying_coordinator.py::"
            "test_a_cohort_below_t_is_refused_by_its_member_and_both_logs_name_the_check"
        ],
    },
    4: {
        "split survivor views": [
            "test_04_quorums.py::test_split_views_of_the_survivors_reach_no_quorum",
            "test_04_quorums.py::test_two_views_with_all_colluders_on_both_sides_never_both_open",
            "test_04_quorums.py::test_no_split_of_the_honest_reaches_two_quorums_at_the_largest_collusion",
            "wire/test_lying_coordinator.py::test_survivors_of_two_views_open_nothing",
        ],
        "forged, repeated, charter-only signers": ["test_04_quorums.py::test_bad_quorums_reveal_nothing"],
        "signers outside U_t": ["test_04_quorums.py::test_a_confirmer_outside_the_survivors_does_not_count"],
        "a quorum for another digest": [
            "test_04_quorums.py::test_a_quorum_for_another_view_by_true_signatures_opens_nothing",
            "test_04_quorums.py::test_a_view_binds_every_upload",
        ],
    },
    5: {
        "Start": [
            "test_05_replays.py::test_late_and_repeated_messages_of_the_coordinator_are_ignored",
            "test_05_replays.py::test_messages_of_an_earlier_session_of_the_run_change_nothing",
            "test_05_replays.py::test_a_start_of_another_run_is_refused_unread",
            "wire/test_lying_coordinator.py::"
            "test_a_replayed_start_of_an_old_round_is_ignored_and_the_victims_round_is_lost",
            "wire/test_lying_coordinator.py::test_a_start_of_a_foreign_session_is_refused_by_its_member_in_words",
        ],
        "Confirm": [
            "test_05_replays.py::test_a_confirm_of_an_earlier_round_counts_for_no_later_one",
            "test_05_replays.py::test_a_confirm_of_an_earlier_session_counts_for_no_later_one",
        ],
        "sealed shares": ["test_05_replays.py::test_sealed_shares_replayed_from_elsewhere_do_not_open"],
        "t = 2^62 in constant time": [
            "test_05_replays.py::test_a_far_round_costs_no_more_than_the_next_one",
            "test_05_replays.py::test_an_abort_of_a_round_far_ahead_steps_no_ratchet_and_is_refused",
        ],
    },
    6: {
        "substituted keys, small-order points, reused Hello fields": [
            "test_06_setup_keys.py::test_a_bad_list_of_hellos_is_refused",
            "test_06_setup_keys.py::test_bad_hellos_are_refused_at_the_door",
        ],
        "swapped ML-KEM ciphertexts": [
            "test_06_setup_keys.py::test_a_coordinator_that_swaps_capsules_is_found_out",
            "test_06_setup_keys.py::test_a_coordinator_that_withholds_capsules_is_found_out",
        ],
        "the 9th attempt": ["test_06_setup_keys.py::test_a_ninth_attempt_is_refused_by_both_sides"],
    },
    7: {
        "members that the coordinator added": [
            "test_07_members.py::test_members_that_the_coordinator_added_get_into_nobodys_session"
        ],
        "setup shrunk to each n": [
            "test_07_members.py::test_a_setup_shrunk_to_any_number_is_refused_exactly_by_the_table",
            "test_07_members.py::test_the_table_of_bearable_collusion_is_the_protocols",
        ],
    },
    8: {
        "a round finished in secret": [
            "test_08_differencing.py::test_a_round_finished_in_secret_cannot_be_retried_without_one_member",
            "test_08_differencing.py::test_a_victim_that_is_never_asked_to_confirm_is_protected_by_those_who_were",
        ],
        "1-way counts after 2-way counts on another U": [
            "test_08_differencing.py::test_one_way_counts_over_another_cohort_than_two_way_counts_are_refused"
        ],
        "three-round differencing": [
            "test_08_differencing.py::test_three_round_differencing_works_under_continue_and_its_results_say_so",
            "tests/sdk/secagg/test_families.py::test_cohorts_that_together_show_one_member_are_refused",
        ],
    },
    9: {
        "late Upload, Confirm, Reveal": [
            "test_09_out_of_turn.py::test_a_late_upload_confirm_or_reveal_changes_neither_the_sum_nor_who_is_in_it",
            "wire/test_lying_member.py::test_a_late_upload_is_ignored_and_its_member_is_in_the_next_round",
        ],
    },
    10: {
        "every subset for n = 3..6": ["test_10_dropouts.py::test_every_subset_may_leave_at_every_point"],
        "random ones for n = 50": ["test_10_dropouts.py::test_fifty_members_may_leave_anywhere"],
    },
    11: {
        "corrupt shares": [
            "test_11_dealers.py::test_a_bad_reveal_names_the_liar_and_the_round_completes_without_it",
            "test_11_dealers.py::test_shares_that_the_victim_cannot_check_are_refused_by_the_victim",
        ],
        "equivocating dealers, Deal asked twice": [
            "test_11_dealers.py::test_two_deals_for_one_round_are_refused",
            "test_11_dealers.py::test_a_bad_deal_is_refused_and_its_dealer_left_out",
        ],
        "off-polynomial dealer": ["test_11_dealers.py::test_a_dealer_whose_shares_open_nothing_is_named"],
        "wrong q": ["test_11_dealers.py::test_a_dropped_dealer_whose_bundle_is_false_is_named"],
        "nobody honest framed": ["test_11_framing.py::test_no_single_liar_gets_an_honest_member_convicted"],
    },
    12: {
        "passive T − 1 for share secrecy": [
            "test_12_pooled_views.py::test_fewer_shares_than_the_quorum_are_alike_for_every_secret"
        ],
        "active largest c for the sum": [
            "test_12_pooled_views.py::test_the_largest_collusion_learns_the_sum_of_the_honest_and_no_other_combination"
        ],
    },
    13: {
        "known answers": [
            "tests/sdk/secagg/test_masks.py::test_key_stream_gives_the_published_values",
            "tests/sdk/secagg/test_vectors.py::test_the_code_still_gives_the_vectors_on_record",
        ],
        "no key used twice": [
            "test_13_keys_and_masks.py::test_no_key_serves_two_masks",
            "tests/sdk/secagg/test_masks.py::test_one_key_is_refused_for_two_masks",
        ],
        "(key, nonce) under crash fuzz": [
            "test_13_keys_and_masks.py::test_no_key_and_nonce_serve_twice_whatever_breaks_and_restarts",
            "test_13_keys_and_masks.py::test_no_sealing_key_serves_twice",
        ],
        "full range": ["tests/sdk/secagg/test_masks.py::test_masks_reach_the_whole_range"],
        "seed entropy": [
            "test_13_keys_and_masks.py::test_mask_keys_have_all_their_entropy",
            "tests/sdk/secagg/test_masks.py::test_masks_keep_every_bit_of_their_key",
        ],
        "no `random` or `numpy.random`": [
            "test_13_keys_and_masks.py::test_seeded_generators_decide_nothing",
            "test_13_keys_and_masks.py::test_no_seedable_generator_clock_or_transport_is_near_the_protocol",
        ],
    },
    14: {
        "overflow bounds": [
            "test_14_bounds.py::test_the_largest_values_that_a_session_admits_sum_exactly",
            "test_14_bounds.py::test_one_bit_more_is_refused_at_setup_before_any_vector",
            "test_14_bounds.py::test_members_refuse_by_themselves_a_session_whose_sum_could_wrap_around",
        ],
        "rounded norm": [
            "test_14_bounds.py::test_the_rounded_norm_never_passes_the_clip",
            "tests/sdk/recipe/test_fixed_point.py::test_the_rounded_integers_keep_the_clip_norm_exactly",
        ],
        "noise": ["test_14_bounds.py::test_noise_cannot_be_asked_for_or_claimed_while_there_is_none"],
        "NaN rows": [
            "tests/sdk/contribution/test_contribute.py::test_rows_that_are_not_finite_contribute_zero_and_are_counted",
            "tests/sdk/contribution/test_contribute.py::test_training_that_breaks_contributes_zeros_and_is_counted",
        ],
    },
    15: {
        "chunks": [
            "test_15_malformed.py::test_a_broken_row_of_chunks_is_refused",
            "test_15_malformed.py::test_a_broken_row_of_upload_chunks_never_enters_the_sum",
            "wire/test_lying_member.py::test_a_bad_upload_ends_its_stream_alone_and_is_named_at_both_ends",
        ],
        "2 GiB claim": [
            "test_15_signatures_and_sizes.py::test_a_claim_of_two_gigabytes_costs_nothing_until_they_come",
            "wire/test_lying_member.py::test_a_message_above_the_limit_ends_its_stream_before_it_is_buffered",
        ],
        "slow stream": [
            "test_15_signatures_and_sizes.py::"
            "test_a_stream_that_crawls_is_dropped_at_the_deadline_and_holds_nobody_longer",
            "wire/test_lying_member.py::test_a_stream_that_crawls_holds_nobody_longer_than_the_deadline",
        ],
        "each type's signature as every other's": [
            "test_15_signatures_and_sizes.py::test_a_signature_of_one_type_is_refused_on_every_other_type"
        ],
        "a named outcome for each bad message": [
            "test_15_outcomes.py::test_a_bad_message_has_its_named_outcome",
            "test_15_outcomes.py::test_every_type_of_message_has_a_row",
        ],
    },
    16: {
        "kill at every offset of Upload": [
            "test_16_crashes.py::test_whoever_is_killed_in_its_upload_and_shown_the_start_again_makes_no_second_vector",
            "test_16_crashes.py::"
            "test_whose_stream_breaks_in_its_upload_and_is_shown_the_start_again_makes_no_second_vector",
        ],
        "a record file rolled back": [
            "test_16_crashes.py::test_a_record_file_rolled_back_is_noticed_by_every_peer_at_the_next_setup"
        ],
    },
    17: {
        "recorded traffic and later state": [
            "test_17_recorded_traffic.py::test_all_traffic_and_the_state_after_the_round_open_nothing_of_it",
            "test_17_recorded_traffic.py::test_the_search_finds_the_round_in_the_state_before_it",
        ],
        "X25519 replaced by constants": [
            "test_17_recorded_traffic.py::test_traffic_opens_nothing_to_whoever_knows_every_x25519_result"
        ],
    },
    18: {
        "edited": ["test_18_receipts.py::test_an_edited_link_is_noticed"],
        "dropped": ["test_18_receipts.py::test_a_dropped_reordered_or_repeated_link_is_noticed"],
        "forked": [
            "test_18_receipts.py::test_members_who_were_told_different_outcomes_never_sum_together_again",
            "test_18_receipts.py::test_a_document_of_a_session_that_never_was_is_refused_in_a_live_one",
        ],
        "rolled back": [
            "test_18_receipts.py::test_a_coordinator_that_rolled_back_or_edited_a_receipt_finds_nobody_to_go_on_with"
        ],
        "hidden aborts": ["test_18_receipts.py::test_a_hidden_abort_is_a_gap_that_every_member_and_verifier_notices"],
    },
    19: {
        "logs": ["test_19_nothing_in_logs.py::test_a_log_line_has_no_field_for_a_loss_norm_row_count_or_duration"],
        "errors": [
            "test_19_nothing_in_logs.py::test_no_error_event_or_reason_of_a_broken_round_shows_a_value_share_or_key"
        ],
        "metrics": [
            "test_19_nothing_in_logs.py::"
            "test_what_a_round_tells_everybody_has_no_field_of_one_member_but_its_id_and_digest"
        ],
    },
    20: {
        "suite": [
            "test_20_downgrades.py::test_a_weaker_suite_is_refused_by_members_although_its_owner_signed_it",
            "test_20_downgrades.py::test_a_weaker_suite_is_refused_by_the_coordinator",
        ],
        "T": [
            "test_20_downgrades.py::test_a_smaller_cohort_does_not_lower_t",
            "test_20_downgrades.py::test_no_message_carries_a_threshold_ring_or_modulus",
        ],
        "ring": ["test_20_downgrades.py::test_a_coordinator_that_sums_in_a_narrower_ring_than_the_plan_gets_no_sum"],
        "no secure aggregation": [
            "test_20_downgrades.py::test_no_plan_can_turn_secure_aggregation_off_or_choose_its_threshold",
            "test_20_downgrades.py::test_a_vector_in_the_clear_gives_no_sum_and_names_its_member",
        ],
    },
}


def test_every_item_of_the_list_has_tests() -> None:
    assert_whole(ITEMS, 20)


@pytest.mark.parametrize("name", names(ITEMS))
def test_a_named_test_exists(name: str) -> None:
    assert_exists(name, HERE)


def test_every_item_has_a_file_of_its_own_that_says_which_it_is() -> None:
    for number in ITEMS:
        files = sorted((ROOT / HERE).glob(f"test_{number:02}_*.py"))
        assert files, number
        for path in files:
            docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
            assert re.search(rf"\b7, item {number}\b", docstring), path.name

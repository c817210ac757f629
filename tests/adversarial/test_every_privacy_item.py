"""The twenty-two properties that differential privacy hangs on, and the tests that show each."""

import pytest

from support.named_tests import Items, assert_exists, assert_whole, names

HERE = "tests/adversarial"

STEP = "tests/sdk/generator/private_step/test_clipped_sum.py"
NOISE = "tests/sdk/contribution/test_noise.py"
SAMPLE = "tests/sdk/privacy/test_poisson_sample.py"
SHARES = "tests/sdk/privacy/test_shares.py"
PLANTED = "test_planted_privacy_bugs.py"
LEDGER = "tests/client/test_store_ledger.py"
CHARGING = "tests/client/test_charging.py"

ITEMS: Items = {
    1: {
        "counts alone touch rows": [
            "tests/sdk/recipe/test_post_processing.py::test_the_sums_alone_give_the_release_where_no_row_is",
            f"{NOISE}::test_no_other_question_is_answered_under_a_budget",
        ],
        "permuted rows": [
            "tests/sdk/recipe/test_post_processing.py::test_rows_in_another_order_change_no_bit_of_what_is_released"
        ],
    },
    2: {
        "Poisson sampling": [
            f"{SAMPLE}::test_sizes_are_binomial_and_every_row_is_as_likely_as_another",
            f"{SAMPLE}::test_rows_are_chosen_independently_of_each_other",
        ],
        "empty batches": [f"{STEP}::test_an_empty_batch_gives_zeros"],
        "empty tables still noise": [f"{NOISE}::test_no_row_at_all_still_gives_noise"],
    },
    3: {"public normaliser and rate": [f"{PLANTED}::test_a_planted_bug_trips_its_check"]},
    4: {
        "jointly over all parameters": [
            f"{STEP}::test_ghost_norms_are_the_norms_of_each_row_s_gradient",
            f"{STEP}::test_one_factor_clips_all_layers_together",
        ],
        "NaN rows": [f"{STEP}::test_a_row_that_is_not_finite_adds_zero"],
    },
    5: {
        "no operation across rows": [
            f"{STEP}::test_a_row_moves_the_sum_by_its_own_vector_alone_and_never_beyond_the_bound",
            f"{STEP}::test_batches_of_every_size_add_up_exactly",
        ]
    },
    6: {
        "on every value, once": [
            f"{NOISE}::test_every_cell_is_noised_and_noise_comes_from_the_operating_system_afresh",
            f"{NOISE}::test_an_organisations_noise_is_its_share_of_what_the_honest_ones_carry",
        ],
        "calls equal ledger events": [
            f"{CHARGING}::test_a_run_charges_its_whole_budget_and_not_a_round_more",
            "tests/client/test_ledgers.py::test_a_round_is_charged_as_its_receipt_says",
        ],
    },
    7: {
        "the operating system's entropy": [
            "tests/sdk/privacy/test_discrete_gaussian.py::"
            "test_the_operating_system_s_entropy_gives_other_draws_each_time",
            f"{SAMPLE}::test_entropy_is_the_operating_system_s",
        ],
        "never the plan's seed": [f"{NOISE}::test_the_plans_seed_does_not_enter_the_noise"],
    },
    8: {
        "exact discrete Gaussian": [
            "tests/sdk/privacy/test_discrete_gaussian.py::test_the_published_bytes_give_the_published_draws",
            "tests/sdk/privacy/test_discrete_gaussian.py::test_draws_have_the_distribution",
        ],
        "on the integers that are masked": [
            "tests/server/simulation/test_masked_private.py::test_noisy_sums_are_bit_identical_under_masks"
        ],
        "wrap-around": [
            "test_14_bounds.py::test_members_refuse_by_themselves_a_session_whose_sum_could_wrap_around",
            f"{SHARES}::test_no_share_is_so_small_that_sums_of_it_differ_from_one_discrete_gaussian",
        ],
    },
    9: {
        "an outlier": [
            "tests/sdk/recipe/test_outliers_under_noise.py::test_an_outlier_hardly_changes_the_codes_that_are_released",
            "tests/sdk/recipe/test_outliers_under_noise.py::test_equal_noise_hides_nothing_so_the_test_above_can_fail",
        ],
        "a new category": [
            "tests/sdk/recipe/test_outliers_under_noise.py::"
            "test_a_category_that_one_record_alone_has_hardly_changes_what_is_released"
        ],
    },
    10: {
        "how many rows": [f"{NOISE}::test_how_many_rows_there_are_or_were_skipped_does_not_leave"],
        "missing values": ["tests/sdk/encoding/test_noisy.py::test_special_values_and_missing_keep_codes_of_their_own"],
    },
    11: {
        "a singleton category": [
            "tests/sdk/recipe/test_outliers_under_noise.py::test_an_outlier_hardly_changes_the_codes_that_are_released",
            f"{SAMPLE}::test_a_row_is_chosen_exactly_where_its_number_is_below_the_rate",
        ]
    },
    12: {
        "before the step": [
            f"{LEDGER}::test_what_is_weighed_and_found_too_much_is_not_charged",
            f"{LEDGER}::test_a_head_that_cannot_be_written_stops_the_round_and_keeps_the_charge",
        ],
        "failed runs": [
            f"{CHARGING}::test_an_aborted_round_that_is_tried_again_is_paid_from_the_retries_alone",
            "tests/server/runs/test_private_run.py::test_a_round_that_a_crash_left_open_counts_after_the_restart",
        ],
        "kill -9": [
            f"{LEDGER}::test_a_kill_between_an_entry_and_its_head_keeps_the_charge",
            "tests/crash/test_organisation_killed.py::test_killed_at_a_message_or_record_of_its_own",
        ],
    },
    13: {
        "the sum unless disjoint": [
            "tests/sdk/agreement/test_overlap.py::test_a_person_may_be_everywhere_unless_the_charter_says_otherwise",
            "tests/sdk/agreement/test_overlap.py::"
            "test_a_person_with_records_at_m_organisations_moves_the_sum_by_m_times_as_much",
        ]
    },
    14: {
        "noise of the smallest honest set": [
            f"{SHARES}::test_the_smallest_honest_set_that_may_survive_carries_the_whole_noise"
        ],
        "too few": [
            f"{NOISE}::test_too_few_members_contribute_nothing",
            "test_03_cohorts_and_survivors.py::test_a_cohort_of_t_below_the_minimum_cohort_is_refused",
        ],
    },
    15: {
        "δ": [
            "tests/sdk/privacy/test_budget.py::test_delta_stays_below_one_in_the_public_number_of_rows",
            "tests/server/cli/test_budget_options.py::test_a_plan_whose_delta_is_nonsense_is_refused_wherever_it_is_read",
        ]
    },
    16: {
        "fits see noisy sums alone": [
            "tests/sdk/recipe/test_private_counting.py::test_every_table_is_weighed_by_the_noise_that_its_sum_carries"
        ],
    },
    17: {
        "nothing beside the sum": [
            f"{NOISE}::test_how_many_rows_there_are_or_were_skipped_does_not_leave",
            "tests/sdk/recipe/test_private_counting.py::test_a_sum_with_a_weight_beside_it_is_no_sum_of_this_plan",
            "test_19_nothing_in_logs.py::test_a_log_line_has_no_field_for_a_loss_norm_row_count_or_duration",
        ]
    },
    18: {
        "no round beyond those paid for": [
            f"{NOISE}::test_no_round_comes_after_those_that_the_budget_pays_for",
            "tests/sdk/recipe/test_private_steps.py::test_each_round_counts_the_tables_that_it_is_charged_for",
        ]
    },
    19: {
        "artefacts": [
            "tests/sdk/recipe/test_post_processing.py::test_the_sums_alone_give_the_release_where_no_row_is",
        ]
    },
    20: {
        "NOT DIFFERENTIALLY PRIVATE": [
            "tests/sdk/release/test_privacy_claim.py::"
            "test_a_manifest_cannot_say_noise_without_a_claim_nor_a_claim_without_noise",
            "tests/sdk/release/test_privacy_claim.py::test_protection_has_no_default_for_privacy",
            "tests/server/catalogue/test_private_pages.py::test_a_page_without_privacy_is_as_loud_as_it_was",
            "tests/sdk/cli/test_listing.py::test_a_list_says_what_is_not_private_and_of_the_rest_the_whole_promise",
            "tests/client/test_ledgers.py::test_runs_without_privacy_are_called_so_and_bounded_by_no_number",
        ]
    },
    21: {
        "planted bugs": [f"{PLANTED}::test_the_step_passes", f"{PLANTED}::test_a_planted_bug_trips_its_check"],
        "halved noise in counts": [
            f"{NOISE}::test_a_task_with_less_noise_than_the_plan_is_refused",
            "tests/sdk/privacy/test_accountant.py::test_halved_noise_and_a_forgotten_event_are_seen",
        ],
    },
    22: {
        "accountant and ledger": [
            "tests/server/runs/test_private_run.py::test_what_a_run_claims_is_what_its_signed_receipts_come_to",
            "tests/client/test_ledgers.py::test_epsilon_replays_from_the_ledger_and_from_the_receipts",
            "tests/sdk/release/test_replay.py::test_a_smaller_epsilon_than_the_events_cost_is_refused",
        ]
    },
}


def test_every_property_has_tests() -> None:
    assert_whole(ITEMS, 22)


@pytest.mark.parametrize("name", names(ITEMS))
def test_a_named_test_exists(name: str) -> None:
    assert_exists(name, HERE)

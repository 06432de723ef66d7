"""What must not happen, and the tests that show that it does not: each says in its first line which threat it is of."""
import ast
import functools
from pathlib import Path

import pytest

DOWNLOAD = "an address leads to a private place, or `file:`"
DECODER = "a decoder that crashes, hangs or takes all memory"
ODD = "odd parsers, and exceptions that nobody documents"
DISGUISED = "HTML, SVG and scripts named .jpg, and polyglots"
THREATS = {  # threat → file → tests
    DOWNLOAD: dict(test_download=[
        "no_hostile_address_leads_to_a_connection", "what_is_not_public_is_never_connected_to",
        "rebinding_between_check_and_connection", "a_file_address_is_read_only_for_a_hit_of_a_folder"]),
    "an endless, dripping or zip-bomb body": dict(test_download=[
        "no_answer_outlives_the_deadline", "endless_bodies_cost_little_memory"]),
    "a pixel bomb": dict(test_clean=["a_pixel_bomb_costs_little"]),
    "a scan bomb": dict(test_clean=["a_scan_bomb_costs_little"]),
    DECODER: dict(test_clean=["400_good_ones_come_out_beside_a_hang_a_crash_and_a_hog"],
                  test_picture=["large_hostile_files_cost_little"],
                  test_app=["a_decoder_that_crashes_takes_only_its_file_along"]),
    ODD: dict(test_clean=["hostile_files_are_refused_with_a_reason", "fuzzed_files_become_rows_with_a_reason"],
              test_fuzz=["some_pictures", "pictures"]),
    DISGUISED: dict(test_clean=["polyglots_lose_their_payload", "hostile_files_among_good_ones"]),
    "GPS in published pictures": dict(test_clean=["the_upright_is_what_the_camera_saw"]),
    "truncated files accepted": dict(test_picture=["each_length_of_a_cut_jpeg"]),
    "pickle": dict(test_model=["pickle_inside", "pickle_in_the_place_of", "nothing_was_unpickled"]),
    "archives": dict(test_model=["paths_out_of_a_zip", "zip_bomb_costs_nothing"], test_fuzz=["zips"],
                     test_studio_take=["a_zip_takes_no_name_that_leads_out_of_it_or_stands_for_two"]),
    "labels and titles as paths": dict(test_download=["no_label_leaves_the_dataset"],
                                       test_studio_take=["hostile_names_and_classes_become_files_and_a_card"],
                                       test_predict=["unsure_and_foreign_labels_have_safe_folders"]),
    "app, review, any page on loopback": dict(test_server=[
        "a_hostile_request_is_refused_in_one_line", "no_other_computer_can_reach_it",
        "each_hostile_photo_is_refused_with_a_reason"]),
    "a refusal that is not true": dict(test_picture=[
        "a_sound_picture_is_shown", "a_refusal_is_true",
        "each_limit_can_be_raised_and_its_message_names_the_option"]),
    "opt-outs and licences": dict(test_download=["every_failure_has_its_reason"],
                                  test_publish=["the_gate_names_the_picture"]),
    "lost work": dict(test_acceptance=["every_address_ends_as_it_must"], test_clean=["stop_and_resume"],
                      test_download=["kill_and_resume"], test_review=["killed_in_the_middle"]),
    "telemetry of dependencies": dict(test_cli=["the_default_run_connects_to_nobody"],
                                      test_scale=["telemetry_is_off_before_ray_is_there"]),
    "untrusted models": dict(test_model=[
        "a_chain_of_giant_products_is_ended", "functions_nested_to_a_million_nodes",
        "gigabytes_out_of_nothing_are_refused", "links_in_a_folder_are_not_followed"],
        test_fuzz=["few_model_folders", "model_folders"]),
    "untrusted datasets": dict(test_hostile=["nothing_outside_a_hostile_dataset_is_touched"],
                                test_fuzz=["ledgers", "lockfiles"]),
}


@functools.cache
def told(file):
    "Test → the threat that its docstring names"
    tree = ast.parse((Path(__file__).parent/f"{file}.py").read_text(encoding="utf-8"))
    says = {f.name: ast.get_docstring(f) or "" for f in tree.body if isinstance(f, ast.FunctionDef)}
    return {name.removeprefix("test_"): doc for name, doc in says.items() if doc.startswith("Threat: ")}


@pytest.mark.parametrize("threat", THREATS)
def test_a_threat_has_tests_that_name_it(threat):
    for file, tests in THREATS[threat].items():
        for name in tests: assert told(file).get(name, "").startswith(f"Threat: {threat}"), f"{file}::test_{name}"


def test_every_test_that_names_a_threat_is_listed():
    for file in Path(__file__).parent.glob("test_*.py"):
        listed = {name for files in THREATS.values() for name in files.get(file.stem, ())}
        assert set(told(file.stem)) == listed, file.name

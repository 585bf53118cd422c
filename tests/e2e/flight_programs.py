"""Which tests of flights run over both programs: skua-flight, and python_flight.py, the same flight through `import skua`.

What a test shows of Skua itself (gates, keys, the budget, the record of the flight, positions) has to hold for both. Every
test that flies stands in one of these tables: one that stands in none is an error, so that nobody forgets to choose.
"""

import os
import sys

import programs

CPP, PYTHON = "skua-flight", "python"
SKUA_FLIGHT = programs.BUILD / "bin" / "skua-flight"
PYTHON_FLIGHT = programs.ROOT / "tests" / "e2e" / "python_flight.py"
ALL = None  # every test of a file

ON_BOTH = {
    "test_flight.py": {"test_three_hz_from_take_off_to_summary",
                       "test_throttled_means_two_candidates_and_the_cheaper_covariance",
                       "test_nothing_changes_in_flight_when_current_does",
                       "test_a_replay_without_inference_has_nothing_to_fly", "test_environment_comes_before_the_file"},
    "test_flight_reboot.py": {"test_killed_at_any_moment_it_comes_back_with_the_same_set",
                              "test_a_reboot_in_flight_is_recognised_and_told", "test_a_crash_loop_is_an_error",
                              "test_a_crash_loop_of_loads_is_an_error_too",
                              "test_integrity_is_not_skipped_in_the_air"},
    "test_flight_refused.py": {"test_the_research_runtime_never_flies", "test_a_runtime_that_is_not_built",
                               "test_a_damaged_engine", "test_a_half_published_set", "test_two_flights_at_once",
                               "test_too_little_memory", "test_an_engine_that_its_consumer_cannot_use",
                               "test_names_that_the_set_does_not_have", "test_the_frame_loop_needs_its_consumers",
                               "test_the_recorder_has_the_refusal"},
    "test_flight_signatures.py": ALL,
    "test_freshness.py": ALL,
}

# Why a test is about skua-flight alone.
ONLY_CPP = {
    "the systemd unit, its watchdog and last words are skua-flight's": {"test_service.py": ALL},
    "the page quotes what skua-flight says": {"test_operate.py": ALL, "test_howto_commands.py": ALL,
                                                  "test_tensorrt_howto.py": ALL},
    "the page is made of the report and frame lines that skua-flight writes": {"test_report.py": ALL},
    "the trace is skua-flight's": {"test_flight_trace.py": ALL},
    "it flies a copy of the program beside modules of the test's own": {"test_flight_faults.py": ALL,
                                                                        "test_tensorrt_flight.py": ALL},
    "a signal during a run or a load is the watcher's; test_python_flight.py has Python's": {
        "test_flight.py": {"test_a_signal_ends_the_flight_in_time_and_in_order", "test_a_signal_ends_a_load_in_time"}},
    "what is shown is Skua's below both programs, or another test shows it of Python; starts are dear": {
        "test_flight.py": {"test_the_aircraft_knows_where_it_is", "test_control_another_map_is_noticed",
                           "test_check_composes_everything_and_flies_nothing",
                           "test_ready_event_has_the_time_of_every_engine"},
        "test_flight_adhop.py": ALL,
        "test_flight_reboot.py": {"test_control_old_starts_are_no_crash_loop", "test_a_damaged_record_is_kept_and_told",
                                  "test_a_record_of_another_set_is_a_take_off_and_told",
                                  "test_most_critical_engine_first", "test_a_check_is_no_start_of_a_flight_in_progress"},
        "test_flight_refused.py": {"test_sets_that_cannot_be_read", "test_read_only_sets_fly",
                                   "test_a_state_folder_that_cannot_be_written"}},
    "the block flight, map, frames, report and the reading of a broken file are skua-flight's": {
        "test_flight_refused.py": {"test_wrong_values_of_the_flight_block", "test_no_frames_and_no_map",
                                   "test_a_map_with_a_damaged_tile", "test_bad_frames_are_dropped_and_the_next_one_flies",
                                   "test_frames_of_somewhere_else_have_no_position",
                                   "test_a_report_that_cannot_be_written", "test_a_configuration_that_is_none"}},
}


ONLY_PYTHON = {"test_python_flight.py": ALL, "test_python_faults.py": ALL}


def programs_of(file, test):
    """The programs that `test` of `file` flies."""
    def has(table):
        return file in table and (table[file] is ALL or test in table[file])

    reasons = [reason for reason, table in ONLY_CPP.items() if has(table)]
    if has(ON_BOTH) + has(ONLY_PYTHON) + len(reasons) != 1:
        raise LookupError(f"{file}::{test} flies, and stands {'in several tables' if reasons else 'in no table'} of "
                          "tests/e2e/flight_programs.py: say whether it flies both programs, or why not")
    return (PYTHON,) if has(ONLY_PYTHON) else (CPP,) if reasons else (CPP, PYTHON)


def python_environment(package):
    """What an interpreter needs to find the package and the stack's consumers."""
    folders = (package, programs.ROOT / "tests" / "stack", programs.ROOT / "tests" / "e2e")
    return {"PYTHONPATH": os.pathsep.join(map(str, folders))}


def command(program):
    """What starts it: an interpreter, where it needs one, and the program."""
    return ((sys.executable,), PYTHON_FLIGHT) if program == PYTHON else ((), SKUA_FLIGHT)

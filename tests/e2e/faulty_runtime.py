"""A program's libraries with libskua_torch_run.so replaced by tests/modules/torch_run_faulty.cpp, which hands everything to
the real one but the run that SKUA_TEST_FAULT names."""

import shutil

import programs

FAULTY = programs.BUILD / "tests" / "modules" / "libskua_torch_run_faulty.so"
BRIDGE, REAL = "libskua_torch_run.so", "libskua_torch_run_real.so"
RUNTIME = ("libskua_runtime_pytorch_fp16.so", BRIDGE)


def install(folder):
    """Fills FOLDER/lib as it is installed, but for that one library."""
    (folder / "lib").mkdir(parents=True)
    library = programs.BUILD / "lib"
    for file in (*library.glob("libskua.so*"), *(library / name for name in RUNTIME)):
        shutil.copy2(file, folder / "lib", follow_symlinks=False)
    (folder / "lib" / BRIDGE).rename(folder / "lib" / REAL)
    shutil.copy2(FAULTY, folder / "lib" / BRIDGE)


def variables(place, fault):
    """MODEL:NTH:WHAT. Runs count from when the flight's record is there: not the golden runs, not those over the map."""
    return {"SKUA_TEST_FAULT": fault, "SKUA_TEST_FAULT_WHILE": str(place.state / "in_flight.json")} if fault else {}

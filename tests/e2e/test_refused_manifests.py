"""A manifest, a name or CURRENT edited by hand, and an engine cache in disorder: refused, with nothing written."""

import hashlib
import json
import shutil

import pytest

import programs
from damage import beside, edit_manifest, engine, flip, manifest, refused_by_both, run, verify
from programs import DONE, REFUSED


@pytest.mark.parametrize("old, new, reason", [
    ("__sm0_", "__sm87_", "host_mismatch"),
    ("_jp0_", "_jp6.2_", "host_mismatch"),
    ("_trt0_", "_trt10.3_", "host_mismatch"),
    ("_fp32.", "_fp16.", "precision_mismatch"),
    ("__sm0_", "_sm0_", "engine_name_malformed"),
    ("_fp32.", "_fp64.", "engine_name_malformed"),
])
def test_engine_renamed_together_with_the_manifest(skua, flight, inputs, old, new, reason):
    """All files and their entries consistently under another name: only the name itself gives it away."""
    folder = flight.current()
    files = [path for path in (engine(folder), *folder.glob("add_relu__*.*"), *(folder / "golden").glob("add_relu__*"))]
    renamed = {path: path.with_name(path.name.replace(old, new)) for path in files}
    text = manifest(folder).read_text("ascii")
    for path, target in sorted(renamed.items(), reverse=True):
        text = text.replace(f'"{path.name}"', f'"{target.name}"').replace(f"/{path.name}\"", f"/{target.name}\"")
        path.rename(target)
    document = json.loads(text)
    document["files"].sort(key=lambda entry: entry["name"])
    manifest(folder).write_text(json.dumps(document, indent=2) + "\n", encoding="ascii")
    refused_by_both(skua, flight, inputs, (reason, "manifest_malformed") if "name" in reason else reason)


def test_engine_renamed_alone(skua, flight, inputs):
    path = engine(flight.current())
    path.rename(path.with_name(path.name.replace("__sm0_", "__sm87_")))
    refused_by_both(skua, flight, inputs, ("unlisted_file", "listed_file_missing"), "add_relu")


def test_recorded_precision_swapped(skua, flight, inputs):
    def change(document):
        for artifact in document["artifacts"]:
            artifact["engine"]["precision"] = "fp16"
    edit_manifest(flight.current(), change)
    refused_by_both(skua, flight, inputs, "precision_mismatch", "fp16", "fp32")


def test_two_engines_swapped(skua, flight, inputs):
    """Bytes exchanged with their sidecars: only the manifest knows better."""
    folder = flight.current()
    for suffix in ("", ".sha256"):
        first, second = (engine(folder, model).with_name(engine(folder, model).name + suffix)
                         for model in ("add_relu", "several"))
        content = first.read_bytes(), second.read_bytes()
        first.write_bytes(content[1])
        second.write_bytes(content[0])
    refused_by_both(skua, flight, inputs,
                    ("file_size_mismatch", "manifest_hash_mismatch", "listed_file_hash_mismatch"), "expected", "found")


def test_engine_replaced_with_its_sidecar(skua, flight, inputs):
    """Same length, fitting sidecar, sidecar's entry in the manifest as it was."""
    path = flip(engine(flight.current()))
    sidecar = beside(".sha256")(flight.current())
    sidecar.write_text(hashlib.sha256(path.read_bytes()).hexdigest(), "ascii")
    refused_by_both(skua, flight, inputs, ("manifest_hash_mismatch", "listed_file_hash_mismatch"), "expected", "found")


# ---- the manifest's fields -------------------------------------------------------------------------------------------

def first_file(document):
    return document["files"][0]


def first_record(document):
    return document["artifacts"][0]["engine"]


def in_each_record(field, value):
    def change(document):
        for artifact in document["artifacts"]:
            artifact["engine"][field] = value
    return change


def changed_host(document):
    for host in (document["host"], *(artifact["engine"]["host"] for artifact in document["artifacts"])):
        host["cpu_features"] = "none_such"


EDITS = {
    "schema": (lambda d: d.update(schema=2), "manifest_schema_version"),
    "schema_text": (lambda d: d.update(schema="1"), "manifest_malformed"),
    "kind": (lambda d: d.update(kind="skua.other"), "manifest_malformed"),
    "unknown_field": (lambda d: d.update(extra=1), "manifest_malformed"),
    "set_id": (lambda d: d.update(set_id="other"), "set_id_mismatch"),
    "set_id_illegal": (lambda d: d.update(set_id="../other"), "manifest_malformed"),
    "not_after": (lambda d: d.update(not_after="2020-01-01T00:00:00Z"), "set_expired"),
    "not_after_malformed": (lambda d: d.update(not_after="soon"), "manifest_malformed"),
    "sequence_zero": (lambda d: d.update(release_sequence=0), "manifest_malformed"),
    "sequence_negative": (lambda d: d.update(release_sequence=-1), "manifest_malformed"),
    "sequence_fraction": (lambda d: d.update(release_sequence=1.5), "manifest_malformed"),
    "sequence_huge": (lambda d: d.update(release_sequence=2**64), "manifest_malformed"),
    "created": (lambda d: d.update(created="yesterday"), "manifest_malformed"),
    "no_artifacts": (lambda d: d.update(artifacts=[]), ("manifest_malformed", "unlisted_file")),
    "artifact_twice": (lambda d: d["artifacts"].append(d["artifacts"][0]), "manifest_malformed"),
    "path_up": (lambda d: first_file(d).update(name="../outside"), "manifest_malformed"),
    "path_absolute": (lambda d: first_file(d).update(name="/etc/hostname"), "manifest_malformed"),
    "path_inner_up": (lambda d: first_file(d).update(name="golden/../outside"), "manifest_malformed"),
    "path_double_slash": (lambda d: first_file(d).update(name="golden//outside"), "manifest_malformed"),
    "file_twice": (lambda d: d["files"].append(dict(first_file(d))), "manifest_malformed"),
    "file_left_out": (lambda d: d["files"].pop(0), ("manifest_malformed", "unlisted_file")),
    "file_that_is_not_there": (lambda d: d["files"].append({**first_file(d), "name": "zzz.txt"}),
                               "listed_file_missing"),
    "digest_upper_case": (lambda d: first_file(d).update(sha256=first_file(d)["sha256"].upper()),
                          "manifest_malformed"),
    "engine_size": (lambda d: first_record(d).update(size_bytes=first_record(d)["size_bytes"] + 1),
                    ("manifest_malformed", "file_size_mismatch")),
    "engine_digest": (lambda d: first_record(d).update(engine_sha256="0" * 64),
                      ("manifest_malformed", "manifest_hash_mismatch")),
    "engine_path": (lambda d: first_record(d).update(file="../" + first_record(d)["file"]), "manifest_malformed"),
    "golden_digest": (lambda d: first_record(d)["golden"].update(sha256="0" * 64),
                      ("manifest_malformed", "golden_hash_mismatch")),
    "tolerance_negative": (lambda d: first_record(d)["golden"]["tolerances"]["y"].update(absolute=-1.0),
                           "manifest_malformed"),
    "unproven": (in_each_record("proven", False), "engine_unproven"),
    "finer_host": (changed_host, "host_fact_mismatch"),
}


@pytest.mark.parametrize("kind", EDITS)
def test_edited_field(skua, flight, inputs, kind):
    change, reasons = EDITS[kind]
    edit_manifest(flight.current(), change)
    refused_by_both(skua, flight, inputs, reasons)


def test_control_an_equal_manifest_in_another_layout_passes(skua, flight, inputs):
    edit_manifest(flight.current(), lambda document: None)
    assert verify(skua, flight.current()).returncode == DONE
    assert run(skua, flight.current(), inputs).returncode == DONE


def test_every_field_left_out_or_of_another_type(skua, flight):
    folder = flight.current()
    path = manifest(folder)
    original = path.read_text("ascii")
    for field in json.loads(original):
        edit_manifest(folder, lambda document, field=field: document.pop(field))
        programs.error_of(verify(skua, folder), REFUSED, "manifest_malformed", field)
        path.write_text(original, "ascii")
        edit_manifest(folder, lambda document, field=field: document.update({field: [{"a": 1}, 2.5]}))
        programs.error_of(verify(skua, folder), REFUSED, "manifest_malformed", field)
        path.write_text(original, "ascii")
    assert verify(skua, folder).returncode == DONE


TEXTS = {
    "empty": (lambda text: b"", "manifest_malformed"),
    "truncated": (lambda text: text[: len(text) // 2], "manifest_malformed"),
    "two_documents": (lambda text: text + text, "manifest_malformed"),
    "duplicate_field": (lambda text: text.replace(b"{", b'{"schema": 1,', 1), "manifest_malformed"),
    "comment": (lambda text: b"// by hand\n" + text, "manifest_malformed"),
    "not_utf8": (lambda text: text.replace(b'"created"', b'"\xff\xfe"', 1), "manifest_malformed"),
    "nul": (lambda text: text + b"\0", "manifest_malformed"),
    "nan": (lambda text: text.replace(b'"schema": 1', b'"schema": NaN', 1), "manifest_malformed"),
    "deep": (lambda text: b"[" * 100000, "manifest_malformed"),
    "large": (lambda text: text + b" " * (5 << 20), "manifest_too_large"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_manifest_that_is_no_manifest(skua, flight, inputs, kind):
    change, reason = TEXTS[kind]
    path = manifest(flight.current())
    path.write_bytes(change(path.read_bytes()))
    refused_by_both(skua, flight, inputs, reason, path)


# ---- the set as a whole ----------------------------------------------------------------------------------------------

def test_set_folder_renamed(skua, flight, inputs):
    old = flight.current()
    new = old.rename(old.with_name("another-name"))
    (flight.sets / "CURRENT").write_text("another-name\n", "ascii")
    refused_by_both(skua, flight, inputs, "set_id_mismatch", old.name, new.name)


def test_signature_that_cannot_be_judged(skua, flight, inputs):
    (flight.current() / "model.sig").write_bytes(b"x")
    refused_by_both(skua, flight, inputs, "no_trusted_key", "model.sig")


def test_unsigned_set_needs_leave(skua, flight, inputs):
    folder = flight.current()
    programs.error_of(skua("verify", folder, "--json"), REFUSED, "unsigned_set", folder)
    programs.error_of(skua("run", folder, "add_relu", *inputs, "--json"), REFUSED, "unsigned_set", folder)
    allowed = verify(skua, folder)
    assert allowed.returncode == DONE and "not signed" in allowed.stderr


@pytest.mark.parametrize("content", [b"", b"\n", b"../sets\n", b"no_line_end", b"a\nb\n", b"/etc\n", b".\n", b"\xff\n",
                                     b"x" * 5000])
def test_current_garbage(skua, flight, inputs, content):
    current = flight.sets / "CURRENT"
    current.write_bytes(content)
    programs.error_of(verify(skua, flight.sets), REFUSED, "current_malformed", current)
    programs.error_of(run(skua, flight.sets, inputs), REFUSED, "current_malformed", current)
    assert current.read_bytes() == content


def test_current_names_no_set_is_a_link_or_is_missing(skua, flight):
    current = flight.sets / "CURRENT"
    good = current.read_bytes()
    current.write_bytes(b"nobody\n")
    programs.error_of(verify(skua, flight.sets), REFUSED, "set_missing", "nobody")
    shutil.move(current, flight.folder / "elsewhere")
    (flight.folder / "elsewhere").write_bytes(good)
    current.symlink_to(flight.folder / "elsewhere")
    programs.error_of(verify(skua, flight.sets), REFUSED, "not_regular_file", current)
    current.unlink()
    programs.error_of(verify(skua, flight.sets), REFUSED, "current_missing", "CURRENT")


def test_every_engine_is_judged(skua, flight):
    """Two engines damaged: both are reported, and the third is not blamed."""
    folder = flight.current()
    flip(engine(folder, "add_relu"))
    flip(engine(folder, "several"))
    report = programs.document(verify(skua, folder))
    verdicts = {entry["file"]: entry["verdict"] for entry in report["files"] if entry["kind"] == "engine"}
    assert sorted(verdicts.values()) == ["go", "refused", "refused"]
    assert verdicts[engine(folder, "non_zero").name] == "go"


def test_another_machines_set(skua, flight):
    """Judged against that machine's `skua doctor --json`: this one's passes, an Orin's does not."""
    doctor = skua.ok("doctor", "--json")
    here = flight.folder / "here.json"
    here.write_text(json.dumps(doctor))
    assert verify(skua, flight.current(), "--host", here).returncode == DONE
    doctor["host"].update(sm=87, jetpack="6.2", tensorrt="10.3")
    orin = flight.folder / "orin.json"
    orin.write_text(json.dumps(doctor))
    programs.error_of(verify(skua, flight.current(), "--host", orin), REFUSED, "host_mismatch", "87", "6.2", "10.3")
    orin.write_text("{}")
    programs.error_of(verify(skua, flight.current(), "--host", orin), programs.USAGE, None, orin)

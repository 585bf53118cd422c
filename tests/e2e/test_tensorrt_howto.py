"""What docs/howto/operate.md says of TensorRT, followed over the software-in-the-loop SDK: the networks of
scripts/jetson_models.py, provisioned, verified and flown with the page's configuration."""

import dataclasses
import re
import shutil
import subprocess
import sys

import pytest

import howto_pages
import programs
import test_howto_commands as howto
from test_howto_commands import Reader

pytestmark = pytest.mark.alone  # it flies

SECTION = "### With TensorRT"
ANOTHER_SET = "## 10. Another set"
CONFIGURE = "sed -i"


@pytest.fixture(scope="module", name="jetson_models")
def models_of_a_jetson(sil, tmp_path_factory):
    """As the page's reader has them, with the smallest stand-in: the section copies none."""
    folder = tmp_path_factory.mktemp("jetson") / "jetson_models"
    subprocess.run([sys.executable, programs.ROOT / "scripts" / "jetson_models.py", "--out", folder, "--scale", "nano",
                    "--only", "adhop"], check=True, capture_output=True)
    return folder


@pytest.fixture(name="reader")
def reader_of_the_page(jetson_models, tmp_path, flown_original, home):
    """The programs' folders and the keys are there; nothing is that the section brings."""
    folder = tmp_path / "reader"
    folder.mkdir()
    reader = Reader(folder, flown_original, home)
    for name in ("map", "frames"):
        shutil.rmtree(folder / "var" / name)
    (folder / "var" / "SET.yaml").unlink()
    (folder / "out" / "jetson_models").symlink_to(jetson_models)
    howto.save_configuration(reader)
    configuration = folder / "etc" / "airborne.yaml"
    configuration.write_text(configuration.read_text("ascii") + "  rate_hz: 1\n", "ascii")  # no speed is shown here
    return reader


def blocks():
    return [block for block in howto_pages.blocks_of(howto.HOWTO / "operate.md") if block.section == SECTION]


def provisioning_another():
    """The block of the section on another set, with the SET.yaml that this section names in place of its own."""
    block, _ = [block for block in howto_pages.blocks_of(howto.HOWTO / "operate.md") if block.section == ANOTHER_SET]
    (named,) = re.findall(r"SET\.yaml is\s+`(/\S+)`", (howto.HOWTO / "operate.md").read_text("ascii"))
    return dataclasses.replace(block, text=block.text.replace("/var/lib/skua/SET.yaml", named))


def run_and_follow(reader, chosen):
    for block in chosen:
        reader.follow(block)


def test_the_section_is_followed_to_a_flight(reader):
    assert len(blocks()) == 3 and all(block.marker == ("runs", "tests/e2e/test_tensorrt_howto.py") for block in blocks())
    run_and_follow(reader, blocks())
    flown = reader.run("sudo -u skua /opt/skua/bin/skua-flight --config /etc/skua/airborne.yaml --duration 2")
    assert "C7 ready: runtime=tensorrt, engines=[demo_features@fp16, demo_matcher@fp16, demo_vpr@fp16]" in flown
    (ended,) = [line for line in flown.splitlines() if '"c7.flight_ended"' in line]
    assert '"no_result_count":0' in ended and '"frame_count":0' not in ended, ended
    howto.name_the_second_set(reader, "jetson/sets/flight.yaml")
    reader.follow(provisioning_another())


def test_control_without_the_configurations_line_it_does_not_fly(reader):
    with pytest.raises(AssertionError, match="runtime_mismatch"):
        run_and_follow(reader, [block for block in blocks() if CONFIGURE not in block.text])


def test_control_without_the_networks_nothing_is_provisioned(reader):
    (reader.folder / "out" / "jetson_models").unlink()
    with pytest.raises(AssertionError, match="jetson_models"):
        run_and_follow(reader, blocks())

"""The trees of tests/fixtures/thermal, as Python makes them: what the C++ loader makes of the same files is what
the unit tests of src/telemetry read."""

import os
import stat

import pytest
import sysfs_tree

NAMES = sorted(path.stem for path in sysfs_tree.FIXTURES.glob("*.tree"))
ZONE0 = "/sys/class/thermal/thermal_zone0"


@pytest.mark.parametrize("name", NAMES)
def test_every_tree_can_be_made(name, tmp_path):
    tree = sysfs_tree.SysfsTree(name, tmp_path)
    assert tree.path("/sys/class").is_dir()
    loose = [link for link in tmp_path.rglob("*") if link.is_symlink() and not link.exists()]
    assert not loose


def test_class_entries_are_links_into_devices(tmp_path):
    tree = sysfs_tree.SysfsTree("jetson_orin_nano_jp6", tmp_path)
    assert os.readlink(tree.path(ZONE0)) == "../../devices/virtual/thermal/thermal_zone0"
    node = tree.path("/sys/class/devfreq/17000000.gpu/device/of_node/name")
    assert node.read_bytes() == b"gpu\0"
    assert node.resolve() == tmp_path.resolve() / "sys/firmware/devicetree/base/bus@0/gpu@17000000/name"


def test_special_files(tmp_path):
    fifos = sysfs_tree.SysfsTree("fifo_in_place", tmp_path / "fifos")
    assert stat.S_ISFIFO(fifos.path(ZONE0 + "/temp").stat().st_mode)
    assert fifos.path("/sys/class/devfreq/17000000.gpu/cur_freq").is_dir()
    digits = sysfs_tree.SysfsTree("ten_megabytes", tmp_path / "digits")
    assert digits.path(ZONE0 + "/temp").stat().st_size == 10 * 1024 * 1024
    denied = sysfs_tree.SysfsTree("denied", tmp_path / "denied")
    assert stat.S_IMODE(denied.path(ZONE0 + "/temp").stat().st_mode) == 0
    missing = sysfs_tree.SysfsTree("alerts_missing", tmp_path / "missing")
    assert not missing.path("/sys/class/thermal/cooling_device5").exists()


def test_values_change_in_place_and_by_rename(tmp_path):
    tree = sysfs_tree.SysfsTree("jetson_orin_nano_jp6", tmp_path)
    temp = tree.path(ZONE0 + "/temp")
    inode = temp.stat().st_ino
    tree.set(ZONE0 + "/temp", "61000\n")
    assert (temp.read_text(), temp.stat().st_ino) == ("61000\n", inode)
    tree.replace(ZONE0 + "/temp", "62000\n")
    assert temp.read_text() == "62000\n"
    assert temp.stat().st_ino != inode
    tree.remove(ZONE0 + "/temp")
    assert not temp.exists()


def test_a_line_that_is_not_understood_is_an_error(tmp_path):
    tree = sysfs_tree.SysfsTree("nothing", tmp_path)
    with pytest.raises(ValueError, match="not understood"):
        tree.apply("!socket /sys/class/thermal/x")

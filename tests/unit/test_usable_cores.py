"""Cores that a process may use, by its affinity and by the quotas of the groups that it is in."""

import os
from pathlib import Path

import pytest

from service import usable_cores

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("own", "quotas", "wanted"),
    [
        ("0::/", {"": "100000 100000"}, 1),
        ("9:name=systemd:/x\n0::/a/b", {"a/b": "max 100000", "a": "50000 100000"}, 1),
        ("0::/a", {"a": "110000 100000"}, min(2, CORES)),
        ("0::/a", {"a": "max 100000"}, CORES),
        ("0::/a", {"a": "6400000 100000"}, CORES),
        ("0::/a", {"a": "junk"}, CORES),
        ("0::/a", {"a": "100000 0"}, CORES),
        ("0::/../a", {"": "max 100000"}, CORES),
        ("4:cpu:/a", {"a": "50000 100000"}, CORES),
        ("", {}, CORES),
    ],
)
def test_a_quota_bounds_the_cores(tmp_path: Path, own: str, quotas: dict[str, str], wanted: int):
    """The least quota around the process counts, a part of a core as a whole; what can't be read counts as none."""
    for place, quota in quotas.items():
        (tmp_path / "groups" / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / place / "cpu.max").write_text(quota)
    (tmp_path / "cgroup").write_text(own)
    assert usable_cores.count(tmp_path / "groups", tmp_path / "cgroup") == wanted


def test_affinity_bounds_the_cores(tmp_path: Path):
    """A process that is pinned to one core has one, however many the machine has."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores.count(tmp_path, tmp_path / "none") == 1
    finally:
        os.sched_setaffinity(0, allowed)

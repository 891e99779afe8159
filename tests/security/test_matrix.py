"""The matrix of docs/security.md has no row without proof, and no proof without a row; asvs.toml likewise."""

import re

from tests.architecture.tables import asvs, asvs_list, every_test, security_matrix, security_tests


def test_every_row_has_a_test():
    """A defence that nobody tries is none."""
    named = security_tests()
    assert [row for row, entry in security_matrix().items() if row not in named and not entry.get("also")] == []


def test_the_matrix_is_whole():
    """Each row has an attack and a defence, in the order of their numbers; a deviation is told in a sentence."""
    matrix = security_matrix()
    assert list(matrix) == sorted(matrix, key=lambda row: int(row[1:]))
    assert all(entry["attack"] and entry["defence"] for entry in matrix.values())
    assert all(len(entry.get("but", "x" * 40)) >= 40 for entry in matrix.values())


def test_no_test_is_named_after_a_row_that_is_not_there():
    """A misspelt row would prove nothing."""
    assert security_tests().keys() <= security_matrix().keys()


def test_every_test_that_is_named_exists():
    """A renamed test takes its mention along."""
    there = every_test()
    named = {test for entry in security_matrix().values() for test in entry.get("also", ())}
    named |= {test for entry in asvs().values() for test in entry.get("tests", ())}
    assert named - there == set()


def test_every_requirement_is_shown_or_says_why_not():
    """Each has tests, or a deviation, or a reason why it is not ours."""
    for number, entry in asvs().items():
        assert re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{1,2}", number), number
        assert entry["what"], number
        assert entry.get("tests") or "but" in entry or "outside" in entry, number
        assert not ("outside" in entry and entry.keys() & {"tests", "but"}), f"{number} is ours or it is not"
        assert all(len(entry.get(word, "x" * 20)) >= 20 for word in ("but", "outside")), number
        assert not entry.keys() - {"level", "what", "tests", "but", "outside"}, number


def test_requirements_stand_in_order():
    """Requirements stand in the order of their numbers, each once."""
    numbers = [tuple(map(int, number.split("."))) for number in asvs()]
    assert numbers == sorted(set(numbers))


def test_the_standard_is_whole():
    """The 345 requirements of 5.0.0: 70 of level 1, 183 of level 2, 92 of level 3, each section without a gap."""
    levels = list(asvs_list().values())
    assert [levels.count(level) for level in (1, 2, 3)] == [70, 183, 92]
    before = (0, 0, 0)
    for chapter, section, number in (map(int, each.split(".")) for each in asvs_list()):
        follows = [(*before[:2], before[2] + 1), (before[0], before[1] + 1, 1), (before[0] + 1, 1, 1)]
        assert (chapter, section, number) in follows
        before = (chapter, section, number)


def test_every_requirement_of_levels_1_and_2_is_there():
    """None is passed over in silence, none is invented, and each has the standard's own level."""
    wanted = {number for number, level in asvs_list().items() if level < 3}
    assert wanted - asvs().keys() == set()
    assert {number: entry["level"] for number, entry in asvs().items()} == {
        number: asvs_list().get(number) for number in asvs()
    }

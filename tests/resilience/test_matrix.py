"""The matrix of docs/reliability.md has no row without proof, and no proof without a row."""

from tests.architecture.tables import fault_tests, matrix


def test_every_row_has_a_test_or_says_why_not():
    """A promise that nobody tries is none."""
    tests = fault_tests()
    assert [row for row, entry in matrix().items() if row not in tests and len(entry.get("why", "")) < 40] == []


def test_no_test_is_named_after_a_row_that_is_not_there():
    """A misspelt row would prove nothing."""
    assert fault_tests().keys() <= matrix().keys()

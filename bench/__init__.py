"""Measure the cost of this service beside the least code that does the same work; see docs/performance.md."""

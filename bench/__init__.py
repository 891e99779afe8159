"""How much this service costs, beside the least code that does the same work; see docs/performance.md."""

"""Other account services beside this one, in the same acts and under the same load; see docs/performance.md."""

"""The soak: a flight under faults for minutes, with invariants checked all the time. docs/design/soak.md."""

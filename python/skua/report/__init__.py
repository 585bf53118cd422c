"""A flight as one page: python -m skua.report RECORDER [BENCH.json] -o REPORT.html (docs/howto/report.md)."""

"""The report: evaluated runs and their controls as one page that needs no network."""

from metarl.evaluation.report.content import Group, Method, Report, RunFacts, TraceLine, read_trace
from metarl.evaluation.report.page import write_report

__all__ = ["Group", "Method", "Report", "RunFacts", "TraceLine", "read_trace", "write_report"]

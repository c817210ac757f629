"""The report of an audit: one page for people, complete in itself."""

from headwater.audit.report.building import Judgement, Threshold, build_page, number
from headwater.audit.report.page import Fact, GateLine, Page
from headwater.audit.report.rendering import render

__all__ = ["Fact", "GateLine", "Judgement", "Page", "Threshold", "build_page", "number", "render"]

"""Finding brands in text: word forms, a query language, and one automaton for all. Pure: no store, no network."""

from crawler.matching.explain import Finding, explain
from crawler.matching.matcher import Match, Matcher, version_of
from crawler.matching.query_parser import parse
from crawler.matching.query_plan import plan
from crawler.matching.query_warnings import name_warnings, warnings
from crawler.matching.reading import Facts

__all__ = [
    "Facts",
    "Finding",
    "Match",
    "Matcher",
    "explain",
    "name_warnings",
    "parse",
    "plan",
    "version_of",
    "warnings",
]

"""Finding brands in text: word forms (`forms`) and one automaton for all (`matcher`). Pure: no store, no network."""

from crawler.matching.matcher import Match, Matcher

__all__ = ["Match", "Matcher"]

"""The trip of a post, one file a step: crawl, match, analyse, triage, deliver.

Each stage is "take rows that lack X, give them X": any of them can die at any point and simply run again.
"""

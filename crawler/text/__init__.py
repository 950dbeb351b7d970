"""Everything that the house does to text: clean it at the door, fold it for comparing, read dates and addresses.

Nothing here opens a file or a socket, and nothing raises on any input: what cannot be read gives None.
"""

from __future__ import annotations

from crawler.text.dates import parse_when
from crawler.text.folding import clean_text, content_hash, fold, fold_with_offsets, folded_hash
from crawler.text.markup import strip_markup
from crawler.text.readings import readings
from crawler.text.urls import canonical_url, site_of

__all__ = [
    "canonical_url",
    "clean_text",
    "content_hash",
    "fold",
    "fold_with_offsets",
    "folded_hash",
    "parse_when",
    "readings",
    "site_of",
    "strip_markup",
]

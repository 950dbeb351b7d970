"""The ledger: every item has one named outcome, and the books prove it. Each side of a comparison is counted apart."""

from __future__ import annotations

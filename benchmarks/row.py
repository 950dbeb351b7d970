"""One line of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement beside its baseline, taken in the same run."""

    what: str
    value: str
    baseline: str = ""
    ratio: float | None = None
    goal: str = ""

    def line(self) -> str:
        """As Markdown."""
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else ""
        return f"| {self.what} | {self.value} | {self.baseline} | {ratio} | {self.goal} |"

"""What mistakes cost decides who looks: where a ticket is opened, where a person looks, where a mention is ignored.

`sure_at_least` says how probable a complaint must be for a ticket. So a look of a person is worth what false tickets
cost at that edge: at 0.7, three tenths of one. A mention is ignored where missing it is expected to cost no more than
that look.
"""

from __future__ import annotations


def floor(sure_at_least: float, dear: float) -> float:
    """The probability up to which a mention is ignored; `dear`: a missed complaint, in false tickets.

    Never above `sure_at_least`. At `dear` 1 doubt is as wide below as above: 0.3 for 0.7.
    """
    return min((1 - sure_at_least) / dear, sure_at_least)

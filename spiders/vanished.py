"""Which posts of a page were taken down: those that stood between two others there, and stand there no more. Pure.

A page only ever proves something about its middle: what was cut off, moved to another page by a deletion, or not yet
shown by a stale cache is missing at an end. So a post counts as gone only where its neighbours are still there, in the
order in which they were, and it was seen nowhere else since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crawler.model import Post

# So many posts of so many threads are remembered.
KEEP_NUMBERS, KEEP_THREADS = 60, 60
LEAST = 3
_RUN, _NUMBER = "|", " "


def runs_of(said: str) -> list[list[int]]:
    """What stood together on one page, page by page, as `learned` wrote it."""
    runs = ([int(n) for n in run.split(_NUMBER) if n.isdecimal()] for run in said.split(_RUN))
    return [run for run in runs if run]


def gone(known: str, shown: Sequence[int], *, ends: bool = False, begins: bool = True) -> list[int]:
    """Numbers that stood among `shown` (in the order of the page) and do not any more; none where too many would be.

    Where most are missing, or the others changed places, the page was drawn anew: that is no news of a post. Where the
    thread `ends` with the page nothing can have moved on to a next one. The first number of a page that does not begin
    its thread may be the first post of all, repeated: it proves nothing of those that once followed it.
    """
    missing = []
    for run in runs_of(known):
        repeated = not begins and list(shown[:1]) == run[:1]
        missing += _gone_of(run, list(shown[1:] if repeated else shown), ends)
    return missing if len(shown) >= LEAST and 3 * len(missing) <= len(shown) else []


def _gone_of(run: list[int], shown: list[int], ends: bool) -> list[int]:
    here, before = set(shown), set(run)
    common = [number for number in run if number in here]
    if common != [number for number in shown if number in before]:
        return []
    found = []
    for place, number in enumerate(run):
        left = next((n for n in reversed(run[:place]) if n in here), None)
        if number in here or left is None:
            continue
        behind = shown[shown.index(left) + 1 :]
        # What follows is an old neighbour, or younger than the post: then its place was drawn, without it.
        if any(n in run[place + 1 :] or (ends and n not in before and n > number) for n in behind):
            found.append(number)
    return found


def learned(
    known: Mapping[str, str], thread: str, shown: Sequence[int], *, gone: Sequence[int] = (), begins: bool = True
) -> dict[str, str]:
    """`known` with a page of `thread` taken in: each number stands where it was seen last, those `gone` nowhere.

    Some forums repeat the first post on every page: of a page that does not begin its thread (`begins`) the first
    number stays where it is known. What is missing at the end of a page keeps its place behind it, until it is seen.
    """
    page = list(dict.fromkeys(shown))
    if not begins and page and _stands_elsewhere(known.get(thread, ""), page):
        page = page[1:]
    if not page:
        return dict(known)
    page += [number for number in _behind(known.get(thread, ""), page) if number not in gone]
    taken = {*page, *gone}
    kept = {name: _without(said, taken) for name, said in known.items()}
    runs = [*runs_of(kept.pop(thread, "")), page]
    runs.sort(key=max)
    kept[thread] = _written(runs)
    for name in [name for name, said in kept.items() if not said] + list(kept)[: max(0, len(kept) - KEEP_THREADS)]:
        kept.pop(name, None)
    return kept


def _behind(said: str, page: list[int]) -> list[int]:
    """Numbers that stood behind the last of those that stand here still."""
    here = set(page)
    places = ((run, max((i for i, n in enumerate(run) if n in here), default=None)) for run in runs_of(said))
    return [n for run, last in places if last is not None for n in run[last + 1 :]]


def _stands_elsewhere(said: str, page: list[int]) -> bool:
    """Whether the first number of a page is known to begin another page, that has none of the others."""
    rest = set(page[1:])
    return any(page[0] == run[0] and len(run) > 1 and not rest & set(run) for run in runs_of(said))


def _without(said: str, numbers: set[int]) -> str:
    runs = runs_of(said)
    if not any(numbers.intersection(run) for run in runs):
        return said
    return _written([[number for number in run if number not in numbers] for run in runs])


def _written(runs: Sequence[Sequence[int]]) -> str:
    """The youngest numbers, run by run."""
    room, kept = KEEP_NUMBERS, []
    for run in reversed(runs):
        if (part := run[-room:] if room > 0 else ()) and len(part) > 1:
            kept.append(_NUMBER.join(map(str, part)))
            room -= len(part)
    return _RUN.join(reversed(kept))


def in_order(posts: Sequence[Post]) -> bool:
    """Whether the dates of a page, as far as it has them, run one way: posts that others' votes move prove nothing."""
    dates = [post.published_at for post in posts if post.published_at]
    return dates in (sorted(dates), sorted(dates, reverse=True))


def bare(post: Post) -> Post:
    """What is left of a post that was taken down: its id, its place, nobody's words."""
    return replace(post, text="", title=None, deleted=True)

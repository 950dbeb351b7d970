"""Takes messages out of a websocket's bytes that are too long to be held, and leaves the rest as it is.

A message that ends the connection comes again after the next one, wherever the place of the stream stands right before
it: so what is too long is counted here and passed over, while the connection stays open. It is swallowed as it comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

MOST_BYTES = 256 * 1024 * 1024
MOST_SECONDS = 120.0
_LONGEST_HEAD = 64 * 1024
_CONTROL = 8


@dataclass(slots=True)
class Signs:
    """What connections show beside their messages; times by the monotonic clock.

    `opened`: when a server last said yes. `passing`: when bytes of a message that is too long last came. `lost`: the
    sizes in bytes of those messages, until somebody has counted them.
    """

    opened: float = 0.0
    passing: float = 0.0
    lost: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Swallowed:
    """A message on its way to nowhere. It ends with `done`; one that never does is `hopeless`."""

    signs: Signs
    size: int = 0
    begun: float = 0.0

    @property
    def hopeless(self) -> bool:
        """Whether the connection is to be given up instead."""
        return self.size > MOST_BYTES or (self.size > 0 and monotonic() - self.begun > MOST_SECONDS)

    def more(self, size: int) -> None:
        """So many bytes of it have come."""
        self.signs.passing = monotonic()
        self.begun = self.begun if self.size else self.signs.passing
        self.size += size

    def done(self) -> None:
        """It is over."""
        self.signs.lost.append(self.size)
        self.size = 0


class Sieve:
    """The bytes that a websocket server sends, without the data messages that are longer than `longest`.

    A message in several frames is held until it is whole; control frames between them are passed on at once.
    """

    def __init__(self, longest: int, signs: Signs) -> None:
        self._longest = longest
        self.swallowed = Swallowed(signs)
        self._rest = bytearray()
        self._head: bytearray | None = bytearray()
        self._raw = False
        # The frame under way: what of it is to come, where it goes, and whether its message ends with it.
        self._left = 0
        self._put: Callable[[bytes], None] = self._pass
        self._last = False
        self._out = bytearray()
        # The message under way, when it has several frames.
        self._held = bytearray()
        self._skips = False

    def feed(self, data: bytes) -> bytes:
        """What of these bytes is to be read."""
        if self._head is not None:
            return self._greeting(self._head, data)
        if self._raw:
            return data
        self._rest += data
        while self._step():
            pass
        out, self._out = bytes(self._out), bytearray()
        return out

    def _greeting(self, head: bytearray, data: bytes) -> bytes:
        """The answer to the request for a websocket; all that follows a refusal is its page."""
        before = len(head)
        head += data
        end = head.find(b"\r\n\r\n", max(0, before - 3))
        if end < 0 and len(head) <= _LONGEST_HEAD:
            return data
        self._raw = end < 0 or head.split(b" ", 2)[1:2] != [b"101"]
        self._head = None
        if self._raw:
            return data
        cut = end + 4 - before
        return data[:cut] + self.feed(data[cut:])

    def _step(self) -> bool:
        """One header, or what there is of a payload; False when more bytes are needed."""
        if self._left:
            taken = min(self._left, len(self._rest))
            self._put(bytes(self._rest[:taken]))
            del self._rest[:taken]
            self._left -= taken
            if self._left or not taken:
                return False
        elif not self._begin():
            return False
        if not self._left and self._last:
            self._end()
        return True

    def _begin(self) -> bool:
        """Read a header and decide where its frame goes."""
        header, size = _header(self._rest)
        if not header:
            return False
        words = bytes(self._rest[:header])
        del self._rest[:header]
        final, code = bool(words[0] & 0x80), words[0] & 0x0F
        self._left, self._last = size, False
        if code >= _CONTROL:
            self._put = self._pass
            self._out += words
            return True
        self._last = final
        self._skips = (self._skips and code == 0) or len(self._held) + size > self._longest
        if self._skips:
            self.swallowed.more(len(self._held))
            self._held.clear()
            self._put = lambda part: self.swallowed.more(len(part))
        elif final and not self._held:
            self._put = self._pass
            self._out += words
        else:
            self._put = self._hold
            self._held += words
        return True

    def _end(self) -> None:
        """The message is whole."""
        if self._skips:
            self.swallowed.done()
        self._out += self._held
        self._held.clear()
        self._skips = self._last = False

    def _pass(self, part: bytes) -> None:
        self._out += part

    def _hold(self, part: bytes) -> None:
        self._held += part


def _header(data: bytearray) -> tuple[int, int]:
    """Length of the frame header that `data` begins with (0: more is needed) and of what follows it."""
    if len(data) < 2:
        return 0, 0
    masked, said = data[1] & 0x80, data[1] & 0x7F
    wide = {126: 2, 127: 8}.get(said, 0)
    header = 2 + wide + (4 if masked else 0)
    if len(data) < header:
        return 0, 0
    return header, int.from_bytes(data[2 : 2 + wide], "big") if wide else said


__all__ = ["Sieve", "Signs", "Swallowed"]

"""Rules from their frames: every name that they refer to must exist, and no rule may be without effect."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from crawler.config.blocks import DigestBlock, Place, RuleBlock, UrgentIf, digest_of
from crawler.config.parts import ANY, is_email
from crawler.config.problems import closest
from crawler.config.reading import Node, Text
from crawler.config.rule_frame import DigestFrame, RuleFrame, RuleParts, TargetsFrame, Then
from crawler.errors import Problem
from crawler.model import Priority

SHORT_FORM = "tickets"
_CONDITIONS = (
    *("brand", "source", "source_kind", "lang", "entity", "label", "tone", "intent", "confidence", "words"),
    *("not_words", "rating", "followers", "hours", "days", "flags"),
)
_ACTIONS = ("priority", "tags", "send_to", "urgent_if", "hold")
# What does not change what a rule decides.
_NOT_IN_VERSION = frozenset({"version", "place"})


@dataclass
class RuleReader:
    """Makes blocks of frames; `problems` grows."""

    text: Text
    root: Node
    brands: Collection[str]
    sources: Collection[str]
    sinks: Collection[str]
    problems: list[Problem] = field(default_factory=list)

    def rules(self, rules: Sequence[tuple[RuleFrame, Node]], short: RuleParts | None) -> tuple[RuleBlock, ...]:
        """The rules in their order; without `rules:` the one that `tickets:` (or nothing) stands for."""
        tickets, listed = self.root.child(SHORT_FORM), self.root.child("rules")
        if tickets is not None and listed is not None and tickets.value is not None and listed.value is not None:
            message = "tickets is the short form of rules; use one of the two"
            self.problems.append(self.text.at_key(tickets, message, "move it into rules as an item with a name"))
        made = [(rule_block(rule.name, rule, Place(node, self.text)), node) for rule, node in rules]
        if listed is None or listed.value is None:
            node = tickets or Node({}, 1, 1)
            made = [(rule_block(SHORT_FORM, short or RuleParts.model_validate({}), Place(node, self.text)), node)]
        for rule, node in made:
            self._check(rule, node)
        for frame, node in rules:
            self.problems += self._without_effect(frame, node)
        return tuple(rule for rule, _ in made)

    def addresses(self, section: str, words: Sequence[str]) -> tuple[str, ...]:
        """Words of `send_to` that mean sinks or mail addresses."""
        node = self.root.child(section) or Node({}, 1, 1)
        for index, word in enumerate(words):
            if word not in self.sinks and not is_email(word):
                place, _ = node.down(["send_to", index])
                better = closest(word, sorted(self.sinks))
                hint = f"did you mean {better!r}?" if better else f"known: {', '.join(sorted(self.sinks))}"
                message = f"{section}: send_to: {word!r} is neither a sink nor a mail address; {hint}"
                fix = self.text.with_value(place, better or "ops@example.com")
                self.problems.append(self.text.at(place, message, fix))
        return tuple(dict.fromkeys(words))

    def digests(self, frame: DigestFrame) -> DigestBlock:
        """When and to whom digests go; a time without a recipient, or the other way round, is a mistake."""
        words = self.addresses("digest", frame.send_to)
        node = self.root.child("digest") or Node({}, 1, 1)
        if frame.at is not None and not words:
            message = "digest: at says when, and send_to names nobody"
            self.problems.append(self.text.at_key(node.child("at") or node, message, "send_to: [boss@example.com]"))
        if words and frame.at is None:
            message = "digest: send_to names somebody, and at does not say when"
            self.problems.append(self.text.at_key(node.child("send_to") or node, message, 'at: "09:00"'))
        return DigestBlock(frame.at, words)

    def _check(self, rule: RuleBlock, node: Node) -> None:
        what = f"rule {rule.name}" if rule.name != SHORT_FORM else SHORT_FORM
        if rule.then is Then.TICKET and not rule.send_to:
            place = node.child("send_to") or node
            message = f"{what}: send_to names no sink, so its tickets would go nowhere"
            self.problems.append(self.text.at(place, message, "send_to: [desk]"))
        self._references(what, node, "send_to", rule.send_to, self.sinks)
        self._references(what, node, "brand", rule.brand, self.brands)
        self._references(what, node, "source", rule.source, self.sources)

    def _references(self, what: str, node: Node, key: str, words: Sequence[str], known: Collection[str]) -> None:
        for index, word in enumerate(words):
            if word in known:
                continue
            place, _ = node.down([key, index])
            better = closest(word, sorted(known))
            noun = "sink" if key == "send_to" else key
            hint = f"did you mean {better!r}?" if better else f"known: {', '.join(sorted(known)) or 'none'}"
            fix = (self.text.with_value(place, better) or f"{key}: [{better}]") if better else f"remove it from {key}"
            self.problems.append(self.text.at(place, f"{what}: {key} names no {noun}: {word!r}; {hint}", fix))

    def _without_effect(self, frame: RuleFrame, node: Node) -> Iterator[Problem]:
        """Keys that the rule's `then` makes nothing of, and rules that would swallow everything below them."""
        given = frame.model_fields_set
        place = node.child("then") or node
        if frame.then is Then.IGNORE and (useless := [key for key in _ACTIONS if key in given]):
            message = f"rule {frame.name}: then: ignore opens no ticket, so {useless[0]} has no effect"
            yield self.text.at_key(node.child(useless[0]) or node, message, "remove the line")
        if frame.then is Then.ADD and not given & {"priority", "tags", "send_to", "urgent_if"}:
            yield self.text.at(place, f"rule {frame.name}: then: add adds nothing", "add priority, tags or send_to")
        open_to_all = not given & {*_CONDITIONS} and ("when" not in given or ANY in frame.when)
        if frame.then in (Then.IGNORE, Then.REVIEW) and open_to_all:
            message = f"rule {frame.name}: then: {frame.then} without a condition takes every mention"
            yield self.text.at(place, message, "name a condition, such as words, rating or source")


def rule_block(name: str, parts: RuleParts, place: Place) -> RuleBlock:
    """The block of one frame, its version worked out."""
    urgent = UrgentIf(parts.urgent_if.words, parts.urgent_if.followers_over) if parts.urgent_if else None
    more = {key: getattr(parts, key) for key in ("then", *_CONDITIONS)} if isinstance(parts, RuleFrame) else {}
    for key in ("entity", "tone", "intent", "flags"):
        if key in more:
            more[key] = tuple(word.value for word in more[key])
    rule = RuleBlock(
        name=name,
        when=_when(parts),
        sure_at_least=parts.sure_at_least,
        urgent_if=urgent,
        priority=parts.priority,
        tags=tuple(dict.fromkeys(parts.tags)),
        send_to=_send_to(parts),
        hold=parts.hold,
        write_in=parts.write_in,
        place=place,
        **more,
    )
    said = {key.name: getattr(rule, key.name) for key in fields(rule) if key.name not in _NOT_IN_VERSION}
    return replace(rule, version=digest_of(said))


def _when(parts: RuleParts) -> tuple[str, ...]:
    """Not said, `tone` and `intent` stand in for it; a rule that opens no ticket then takes any tone."""
    if ANY in parts.when:
        return ()
    if "when" in parts.model_fields_set or not isinstance(parts, RuleFrame):
        return parts.when
    return parts.when if parts.then is Then.TICKET and not (parts.tone or parts.intent) else ()


def _send_to(parts: RuleParts) -> tuple[str, ...]:
    opens_nothing = isinstance(parts, RuleFrame) and parts.then in (Then.ADD, Then.IGNORE)
    return () if opens_nothing and "send_to" not in parts.model_fields_set else tuple(dict.fromkeys(parts.send_to))


def targets_of(frame: TargetsFrame) -> Mapping[Priority, float]:
    """Seconds by priority, of those that have a target."""
    found = {priority: getattr(frame, priority.value) for priority in Priority}
    return {priority: float(seconds) for priority, seconds in found.items() if seconds is not None}

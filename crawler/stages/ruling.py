"""What the rules say of one mention.

Rules are read in their order. `add` gives its tags, priority and sinks to whatever a later rule opens; `ticket`,
`review` and `ignore` decide and stop. A rule for tickets with `sure_at_least: 0.7` is sure at a wanted probability of
0.7, does not apply at 0.3 and below (we are as sure that the mention is not wanted), and doubts between; where a missed
complaint costs more than a false ticket (`sentiment.cost`), doubt begins lower by as much. A doubt does not stop: a
later rule that is sure may still open a ticket, and else a person looks. Nothing takes a doubt away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from crawler.config import BusinessBlock, Config, RuleBlock, Then
from crawler.model import Analysis, Brand, Intent, MentionStatus, Priority, StoredMention, Tone
from crawler.stages.owning import is_own
from crawler.stages.ticket_words import Why
from crawler.stages.words import words_in
from crawler.store import PERSON
from sentiment.cost import floor

_ALARMING = {"threat", "legal"}
_DEAR = {Tone.NEGATIVE.value, Intent.QUESTION.value, Intent.COMPLAINT.value}
_RANKS = (Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.URGENT)
# What stands in place of a rule: none applied, a person decided, a person took the ticket back.
NO_RULE, BY_HAND, WITHDRAWN = "no rule", "by hand", "withdrawn"
Scores = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What rules and tickets need to know beside the rules: local time, targets, kinds of the sources by name."""

    timezone: str = "UTC"
    language: str = "en"
    targets: Mapping[Priority, float] = field(default_factory=dict)
    business: BusinessBlock = field(default_factory=BusinessBlock)
    kinds: Mapping[str, str] = field(default_factory=dict)
    dear: float = 1.0  # what a missed complaint costs beside a false ticket

    @classmethod
    def of(cls, config: Config) -> Setting:
        """The setting of a config."""
        kinds = {source.name: source.kind for source in config.sources}
        return cls(config.timezone, config.language, config.targets, config.business, kinds, config.sentiment.dear)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided of one mention: outcome, priority, and why in words; for a ticket also how and where to.

    `added` names the rules that gave something to it on the way.
    """

    status: MentionStatus
    reason: str
    priority: Priority = Priority.NORMAL
    tags: tuple[str, ...] = ()
    sinks: tuple[str, ...] = ()
    hold: float = 0.0
    language: str | None = None
    why: Why | None = None
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Fit:
    """How surely a rule wants a mention: the probability, what it is made of, and a reason to doubt of its own.

    At `floor` and below the mention is not wanted.
    """

    score: float
    scores: Scores = ()
    doubt: str = ""
    floor: float = 0.0

    def sure(self, rule: RuleBlock) -> bool:
        return self.score >= rule.sure_at_least and not self.doubt

    def doubts(self, rule: RuleBlock) -> bool:
        return bool(self.doubt) or (not self.sure(rule) and self.score > self.floor)


def rule_on(
    mention: StoredMention, rules: Sequence[RuleBlock], brand: Brand | None, setting: Setting | None = None
) -> tuple[str, Ruling]:
    """The rule that decides, as `name@version`, and what it says; when none applies the mention is ignored."""
    if mention.post.post.deleted:
        return "deleted", Ruling(MentionStatus.IGNORED, "the post is deleted")
    if brand and is_own(mention.post.post, brand):
        return "own", Ruling(MentionStatus.IGNORED, "the brand's own account or site")
    return _Reading(mention, setting or Setting()).run(rules)


@dataclass
class _Reading:
    """One mention on its way down the rules."""

    mention: StoredMention
    setting: Setting
    added: list[RuleBlock] = field(default_factory=list)
    unsure: tuple[str, Ruling] | None = None

    def run(self, rules: Sequence[RuleBlock]) -> tuple[str, Ruling]:
        for rule in rules:
            if applies(rule, self.mention, self.setting) and (decided := self._one(rule)) is not None:
                return decided
        return self.unsure or (NO_RULE, Ruling(MentionStatus.IGNORED, ignored_reason(self.mention)))

    def _one(self, rule: RuleBlock) -> tuple[str, Ruling] | None:
        """What the rule decides; None when the next one is to be asked."""
        fit = fit_of(rule, self.mention.analysis, self.setting.dear)
        if rule.then is Then.TICKET:
            return self._ticket(rule, fit)
        if rule.then is Then.REVIEW and (fit.sure(rule) or fit.doubts(rule)):
            return self.unsure or (rule.named, self._review(rule, fit))
        if rule.then is Then.IGNORE and fit.sure(rule):
            return self.unsure or (rule.named, Ruling(MentionStatus.IGNORED, self._ignored(rule, fit)))
        if rule.then is Then.ADD and fit.sure(rule):
            self.added.append(rule)
        return None

    def _ticket(self, rule: RuleBlock, fit: _Fit) -> tuple[str, Ruling] | None:
        if fit.sure(rule):
            return rule.named, self._opened(rule, fit)
        if fit.doubts(rule) and self.unsure is None:
            below = f"unsure: {_percents(fit.scores)}, below {rule.sure_at_least:.0%}"
            self.unsure = (
                rule.named,
                self._ruling(MentionStatus.REVIEW, f"{fit.doubt or below}; rule {rule.name}", rule),
            )
        return None

    def _opened(self, rule: RuleBlock, fit: _Fit) -> Ruling:
        why = self._why(rule, fit)
        return self._ruling(MentionStatus.TICKETED, why.in_words("en"), rule, why)

    def _review(self, rule: RuleBlock, fit: _Fit) -> Ruling:
        found = self._facts(rule, fit)
        return self._ruling(MentionStatus.REVIEW, f"rule {rule.name} sends it to review{found}", rule)

    def _ignored(self, rule: RuleBlock, fit: _Fit) -> str:
        return f"rule {rule.name} ignores it{self._facts(rule, fit)}"

    def _facts(self, rule: RuleBlock, fit: _Fit) -> str:
        facts = self._why(rule, fit).facts("en")
        return f": {facts}" if facts else ""

    def _ruling(self, status: MentionStatus, reason: str, rule: RuleBlock, why: Why | None = None) -> Ruling:
        tags = [tag for given in (*self.added, rule) for tag in given.tags]
        sinks = [sink for given in (rule, *self.added) for sink in given.send_to]
        return Ruling(
            status=status,
            reason=reason,
            priority=self._priority(rule),
            tags=tuple(dict.fromkeys(tags)),
            sinks=tuple(dict.fromkeys(sinks)),
            hold=rule.hold,
            language=rule.write_in or self.setting.language,
            why=why or self._why(rule, _Fit(0.0)),
            added=tuple(given.name for given in self.added),
        )

    def _why(self, rule: RuleBlock, fit: _Fit) -> Why:
        post = self.mention.post
        named = [word for given in (*self.added, rule) for word in _words_of(given)]
        words = words_in(list(dict.fromkeys(named)), post.folded)
        counted = rule.followers is not None or any(_famous(given, self.mention) for given in (*self.added, rule))
        flags = self.mention.analysis.flags if self.mention.analysis else ()
        return Why(
            priority=self._priority(rule),
            scores=fit.scores,
            words=tuple(words),
            rating=post.post.rating if rule.rating is not None else None,
            followers=post.post.author.followers if counted else None,
            flags=tuple(flag for flag in rule.flags if flag in flags),
            rule=rule.name,
        )

    def _priority(self, rule: RuleBlock) -> Priority:
        """Urgent when any rule in force says so, else the highest that one of them names, else found by itself."""
        force = (*self.added, rule)
        if any(_urgent_words(given, self.mention) or _famous(given, self.mention) for given in force):
            return Priority.URGENT
        named = [Priority(given.priority) for given in force if given.priority is not None]
        return max(named, key=_RANKS.index) if named else _found_priority(self.mention.analysis)


def applies(rule: RuleBlock, mention: StoredMention, setting: Setting) -> bool:
    """Whether every condition holds but those on tone and intent, which have a probability."""
    return _named_ones(rule, mention, setting) and _numbers(rule, mention) and _told(rule, mention, setting)


def fit_of(rule: RuleBlock, analysis: Analysis | None, dear: float = 1.0) -> _Fit:
    """How surely the rule wants the tone and intent; a rule that asks for neither is sure of any mention.

    `dear` is what a missed complaint costs beside a false ticket: see `sentiment.cost`.
    """
    if not (rule.when or rule.tone or rule.intent):
        return _Fit(1.0)
    if analysis is None:
        return _Fit(0.0, doubt="not analysed")
    wanted = _wanted(rule, analysis)
    both = _sums(rule.tone, analysis.tone_scores) + _sums(rule.intent, analysis.intent_scores)
    values = [max(value for _, value in wanted)] if wanted else []
    score = min([*values, *(value for _, value in both)])
    least = floor_of(rule, dear)
    if score >= rule.sure_at_least:
        sure = tuple(part for part in wanted if part[1] >= rule.sure_at_least)
        return _Fit(score, (*sure, *both), _praises(rule, analysis), least)
    unlikely = score <= least
    doubt = f"the words complain, the tone is {analysis.tone}" if unlikely and _complains(rule, analysis) else ""
    return _Fit(score, (*wanted, *both), doubt, least)


def floor_of(rule: RuleBlock, dear: float) -> float:
    """The probability up to which a mention is ignored."""
    asked = {*rule.when, *rule.tone, *rule.intent}
    wanted = rule.then is Then.TICKET and asked & _DEAR
    return floor(rule.sure_at_least, dear if wanted else 1.0)


def ignored_reason(mention: StoredMention) -> str:
    """Why a mention that no rule wants is ignored."""
    analysis = mention.analysis
    if analysis is None:
        return "no rule applies"
    return f"no rule wants it: {analysis.tone} {analysis.confidence:.0%}, {analysis.intent}"


def _complains(rule: RuleBlock, analysis: Analysis) -> bool:
    """Words and tone contradict each other: the tone model misses quiet complaints."""
    wants = rule.then is Then.TICKET and Tone.NEGATIVE.value in (*rule.when, *rule.tone)
    intended = not rule.intent or Intent.COMPLAINT.value in rule.intent
    said = analysis.model.startswith(PERSON)
    return wants and intended and analysis.intent is Intent.COMPLAINT and not said


def _praises(rule: RuleBlock, analysis: Analysis) -> str:
    """The other contradiction: a negative tone alone, under words that praise ("it just works, thanks")."""
    question = analysis.intent_scores.get(Intent.QUESTION.value, 0.0) >= rule.sure_at_least
    negative = rule.then is Then.TICKET and analysis.tone is Tone.NEGATIVE and not question
    settled = analysis.model.startswith(PERSON) or bool(_ALARMING & set(analysis.flags))
    if negative and analysis.intent is Intent.PRAISE and not settled:
        return "the words praise, the tone is negative"
    return ""


def _named_ones(rule: RuleBlock, mention: StoredMention, setting: Setting) -> bool:
    if not (rule.brand or rule.source or rule.source_kind or rule.lang or rule.entity or rule.flags or rule.label):
        return True  # most rules name nothing: a million mentions are asked
    analysis, sources = mention.analysis, mention.post.sources
    wanted: tuple[tuple[Sequence[str], set[str]], ...] = (
        (rule.brand, {mention.brand}),
        (rule.source, set(sources)),
        (rule.source_kind, {setting.kinds[name] for name in sources if name in setting.kinds}),
        (rule.lang, {analysis.language} if analysis else set()),
        (rule.entity, {hit.kind.value for hit in mention.hits}),
        (rule.flags, set(analysis.flags) if analysis else set()),
    )
    labelled = all(mention.labels.get(name) in values for name, values in rule.label.items())
    return labelled and all(not allowed or set(allowed) & present for allowed, present in wanted)


def _numbers(rule: RuleBlock, mention: StoredMention) -> bool:
    if rule.rating is None and rule.followers is None and rule.confidence is None:
        return True
    post, analysis = mention.post.post, mention.analysis
    bounds = (
        (rule.rating, post.rating),
        (rule.followers, post.author.followers),
        (rule.confidence, analysis.confidence if analysis else None),
    )
    return all(bound is None or bound.hold(value) for bound, value in bounds)


def _told(rule: RuleBlock, mention: StoredMention, setting: Setting) -> bool:
    """Words, and the local time at which it was written."""
    folded = mention.post.folded
    if rule.words and not words_in(rule.words, folded):
        return False
    if rule.not_words and words_in(rule.not_words, folded):
        return False
    if rule.hours is None and not rule.days:
        return True
    written = (mention.post.post.published_at or mention.post.seen_at).astimezone(ZoneInfo(setting.timezone))
    return _within(rule, written.time().replace(tzinfo=None), written.weekday())


def _within(rule: RuleBlock, at: object, day: int) -> bool:
    if rule.days and day not in rule.days:
        return False
    if rule.hours is None:
        return True
    start, end = rule.hours
    return start <= at < end if start < end else at >= start or at < end  # type: ignore[operator]  # times of day


def _wanted(rule: RuleBlock, analysis: Analysis) -> list[tuple[str, float]]:
    tones, intents = set(Tone), set(Intent)
    tone_words = [word for word in rule.when if word in tones]
    scores = [(word, analysis.tone_scores.get(word, 0.0)) for word in tone_words]
    if len(tone_words) > 1:
        scores.append((" or ".join(tone_words), sum(value for _, value in scores)))
    return scores + [(word, analysis.intent_scores.get(word, 0.0)) for word in rule.when if word in intents]


def _sums(words: Sequence[str], scores: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(" or ".join(words), sum(scores.get(word, 0.0) for word in words))] if words else []


def _percents(scores: Scores) -> str:
    return ", ".join(f"{word} {value:.0%}" for word, value in scores)


def _words_of(rule: RuleBlock) -> tuple[str, ...]:
    return (*rule.words, *(rule.urgent_if.words if rule.urgent_if else ()))


def _urgent_words(rule: RuleBlock, mention: StoredMention) -> list[str]:
    return words_in(rule.urgent_if.words, mention.post.folded) if rule.urgent_if else []


def _famous(rule: RuleBlock, mention: StoredMention) -> bool:
    limit = rule.urgent_if.followers_over if rule.urgent_if else None
    return limit is not None and (mention.post.post.author.followers or 0) > limit


def _found_priority(analysis: Analysis | None) -> Priority:
    if analysis is None:
        return Priority.NORMAL
    both = analysis.tone is Tone.NEGATIVE and analysis.intent in (Intent.QUESTION, Intent.COMPLAINT)
    return Priority.HIGH if both or _ALARMING & set(analysis.flags) else Priority.NORMAL

"""What the author wants: question, complaint, praise or other. Rules over wording; the tone model is not asked.

Evidence is added up in logits and turned into scores by softmax, so that "asks and complains" shows as both being high.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from crawler.model import Intent
from sentiment import questions
from sentiment.cues import ANY, CYRILLIC, LATIN, QUESTION_WORDS, Cue, cues
from sentiment.prepare import window

MAX_CHARS: Final = 6000
MAX_HITS: Final = 20  # of one kind of wording looked at
BASE_OTHER: Final = 1.5  # evidence needed before a post is anything else
SHORT: Final = 120  # a single cue counts in full in a short post; in a long one less, it is one remark among many
ASKS_FIRST: Final = 1.0  # "why was I charged twice?" wants an answer: the question weighs more than the trouble
OUTCRY: Final = 0.8  # a rhetorical question is mostly an outcry
THREATENED: Final = {"threat": 1.6, "legal": 0.8, "churn": 0.8}  # what its flags add to a complaint
LEAN_CAP: Final = 3.0  # more wording of the same side says no more about the tone
DENIED_PRAISE: Final = 6.0  # "not good" must outweigh a model that reads "good"
BAD_TONE: Final = "negative tone"
MARKED_WORDS: Final = 4  # a first sentence longer than this and marked is seldom an outcry
LONG: Final = 300  # a long post holds wording of every kind: its tone counts more
LEAN: Final = 2.0  # evidence that a wholly sure tone adds where the author speaks of the own experience
SET_APART: Final = 3.0  # the same where the author sets one name against another, which no newsroom does
ASKED_CAP: Final = 4.2  # of evidence for a question
WARM_TONE: Final = 0.35  # margin of the tone that makes a mishap no complaint; half of it on the other side is cold
COLD_MARGIN: Final = 0.4  # from which the tone alone makes an own story of a service a complaint
COLD_TONE: Final = 0.4
READS_ALONE: Final = 0.6  # probability from which a short post without a mark is a question
READS_AMONG: Final = 0.9  # the same for one sentence of several
SHORT_WORDS: Final = 14
READ_CHARS: Final = 600
READ_FROM: Final = 2.0  # margin from which the reader is heard
READ_SHARE: Final = 0.3  # of the margin: an opinion, not a measured probability
READ_CAP: Final = 4.0
_READS: Final = {Intent.COMPLAINT: "a complaint", Intent.PRAISE: "praise"}
TOP: Final = 4.5  # further cues of the same kind add no certainty beyond this

_URL: Final = re.compile(r"(?:https?://|www\.)\S+")
_LINK_OR_CUT: Final = re.compile(r"(?:https?://|www\.)\S*|\{link\}")
_RETWEET: Final = re.compile(r"^\W*rt @\w+|(?<!\w)rt @\w+")
_NEWSLIKE: Final = re.compile(r"(?:https?://|www\.)\S|\{link\}|^\W*rt @\w+")
_HEADLINE_TAG: Final = re.compile(r"^#\w+")
_QUOTE: Final = re.compile(r"[«\"“][^«»\"“”?]*\?[^«»\"“”]*[»\"”]")
_TITLE: Final = re.compile(r"\S \| \S|- youtube(?!\w)")
_TAG: Final = re.compile(r"#\w+\??")
_BARE: Final = re.compile(
    r"(?<![^.!?]) *(?:what|why|who|how|really|wtf|что|че|как|правда|серьезно|що|шо|як|справді)? *\?+"
)
_SENTENCE: Final = re.compile(r"[^.!?]+[.!?]*")
_ONE_QUESTION: Final = re.compile(r"\s*[^.!?]+\?+\s*")
_TURNED: Final = re.compile(
    r"^\W*(?:do|does|did|is|are|was|were|can|could|will|would|has|have|should)(?:n't)? (?!you (?:kidding|serious))\w"
)
_RAGE: Final = re.compile(r"\?!|!\?|\?{4,}|!{3,}")
_ADDRESSED: Final = re.compile(
    r"^@\w+|(?<!\w)(?:you|your|u|ur|i|i'm|my|me|we|вы|вас|вам|ваш\w*|ты|тебя|тебе|"
    r"я|мне|меня|мой|моя|мои|мы|нас|нам|ви|ваш\w*|ти|тебе|тобі|мені|мене|мій|моя|мої|ми|нам)(?!\w)"
)
# "We" and "our" are also what a newsroom says.
_PERSONAL: Final = re.compile(
    r"^@\w+|(?<!\w)(?:you|u|i|i'm|i've|i'd|my|me|вы|вас|вам|ты|тебя|тебе|я|мне|меня|мой|моя|мои|моего|моей|ви|ти|тобі|мені|мене|мій|мої|"
    r"мого|моєї|у нас|в нас)(?!\w)"
)
# A brand that answers says "we" and "you", never "I".
_I: Final = re.compile(
    r"(?<!\w)(?:i|i'm|i've|i'd|i'll|my|me|я|мне|меня|мной|мой|моя|мои|моего|моей|мою|мені|мене|мій|мої|мого|моєї)(?!\w)"
)
_NOT: Final = r"(?:do|does|did|is|was|were|are|ai|has|have|had|ca|could|would|wo|should)n'?t|cannot"
_DENIED: Final = rf"(?<!\w)(?:не|ні|ни|not|{_NOT}|never|no|без|мало|никак\w*|ніяк\w*|нема|немає|нет"
# "I would not go so far as to call this a good bank": the whole frame denies what follows in the sentence.
_FRAME: Final = (
    r"|(?<!\w)(?:can't say|cannot say|couldn't say|(?:would not|wouldn't)(?: \w+){0,6} (?:call|say|describe)|"
    r"hardly (?:call|say)|"
    r"nobody(?: \w+){0,5} (?:call|say|describe)s?|far from|anything but|"
    r"не стал\w? бы|бы не стал\w?|не (?:сказал\w?|назвал\w?) бы|не могу (?:сказать|назвать)|нельзя (?:сказать|назвать)|"
    r"(?:трудно|сложно|язык не повернется) назвать|никому[^.!?]{0,30} не|"
    r"не (?:сказав|сказала|назвав|назвала) би?|не можу (?:сказати|назвати)|не можна (?:сказати|назвати)|"
    r"(?:важко|складно|язик не повернеться) назвати)(?!\w)[^.!?]{0,60}$"
)
FRAME_CHARS: Final = 110  # before a word of praise in which a frame is looked for
_NEGATED_PRAISE: Final = re.compile(_DENIED + r")\W+(?:\w+ (?:or|nor|или|либо|або|чи) )?(?:\w+\W+){0,1}$" + _FRAME)
_UNWILLING: Final = re.compile(
    r"(?<!\w)(?:won't|wouldn't|will not|would not|not going to|never|don't want to|do not|don't|no need to|без|"
    r"не (?:буду|будем|стану|станем|собираю\w*|хочу|думаю|планирую|надо|нужно|"
    r"будемо|збираю\w*|планую|треба|стала?|став)|"
    r"никуда (?:от|из|с)|нікуди (?:від|з|із)|ни за что не)(?: \w+){0,3} ?$"
)
_NEGATED_BLAME: Final = re.compile(
    _DENIED
    + r"|without|any|a single|ни одн\w+|ни разу|никаких|жодн\w+|жодного разу|ніяких|nothing to)\W+(?:\w+\W+){0,1}$"
    # "No idea why people hate them": what others say, and the author does not.
    + r"|(?<!\w)(?:idk|(?:do(?:n'?t| not)|never) (?:know|get|understand)|no (?:idea|clue)) why (?:\w+ ){1,3}$"
    + r"|(?<!\w)не (?:знаю|понимаю|пойму|розумію|збагну) (?:за что|почему|чего|за що|чому|чого) (?:\w+ ){1,3}$"
)
Tones = tuple[float, float, float]

_FOLD: Final = str.maketrans({"ё": "е", "’": "'", "ʼ": "'", "`": "'", "\x00": " "})
_CYRILLIC: Final = re.compile(r"[\u0400-\u04ff]")
_LATIN: Final = re.compile(r"[a-z]")


@dataclass(frozen=True, slots=True)
class IntentResult:
    """Intent with scores that sum to 1 (by Intent value), why, and flags for priority."""

    intent: Intent
    scores: dict[str, float]
    reason: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Evidence:
    weight: float
    reason: str


def detect(text: str, target: str | None = None, tone: Tones | None = None, about: str | None = None) -> IntentResult:
    """Decide from wording; empty text is `other`. Of a long text only what speaks of `target`. Never raises.

    `tone`, the (negative, neutral, positive) probabilities of any model, leans complaint and praise to one side, which
    helps where the wording is in no list; questions and flags never look at it. `about` is what the text says of the
    target where it speaks of others too: only that praises or complains.
    """
    shown = window(text, target)[0] if target else text[:MAX_CHARS]
    low = shown.lower().translate(_FOLD)
    plain = " ".join(_URL.sub(" ", low).split())
    scripts = _scripts(plain)
    named = flags(plain, scripts)
    found = _found(low, plain, scripts, tone, plain if about is None else about)
    if not found[Intent.QUESTION]:
        found[Intent.COMPLAINT] += [
            _Evidence(THREATENED[flag], f"{flag} wording") for flag in named if flag in THREATENED
        ]
    scores = _softmax({**_logits(found), Intent.OTHER: BASE_OTHER})
    best = max(scores, key=lambda intent: scores[intent])
    return IntentResult(best, {str(k): v for k, v in scores.items()}, _reason(best, found.get(best, [])), named)


def calm(found: IntentResult) -> bool:
    """Whether wording asks, complains and praises nothing."""
    return found.intent is Intent.OTHER


def reread(found: IntentResult, text: str, margins: Mapping[Intent, float]) -> IntentResult:
    """Where wording tells nothing of an own complaint or praise, what the reader makes of the post, if it is sure.

    `margins` are its logits above those of other. Headlines and reposts stay what they are.
    """
    if not (calm(found) and margins) or _NEWSLIKE.search(text.lower()):
        return found
    best = max((Intent.COMPLAINT, Intent.PRAISE), key=lambda intent: margins[intent])
    if margins[best] < READ_FROM:
        return found
    scores = {name: math.log(score + 1e-9) for name, score in found.scores.items()}
    scores[best.value] = scores[Intent.OTHER.value] + READ_SHARE * min(READ_CAP, margins[best])
    shares = _softmax({Intent(name): value for name, value in scores.items()})
    return replace(
        found, intent=best, scores={str(k): v for k, v in shares.items()}, reason=f"reads like {_READS[best]}"
    )


def leaning(text: str) -> float:
    """Evidence of praise less that of complaint in a text, by wording alone."""
    plain = " ".join(text.lower().translate(_FOLD).split())
    scripts = _scripts(plain)
    praise, complaint = _praise(plain, scripts), _complaint(plain, scripts)
    lean = sum(part.weight for part in praise) - sum(part.weight for part in complaint)
    denied = DENIED_PRAISE if not praise and len(plain) <= SHORT and _denied(plain, scripts) else 0.0
    return max(-LEAN_CAP, min(LEAN_CAP, lean)) - denied


def verdict(text: str) -> float:
    """The same with words that only tell where somebody is compared ("Y answered in ten seconds")."""
    plain = " ".join(text.lower().translate(_FOLD).split())
    scripts = _scripts(plain)
    warm, cold = (sum(part.weight for part in _cues(cues(kind, scripts), plain)) for kind in ("warm", "cold"))
    return leaning(text) + warm - cold


def _denied(plain: str, scripts: frozenset[str]) -> bool:
    """ "Not good": a word of praise after a negation."""
    hits = (hit for cue in cues("praise", scripts) for hit in cue.pattern.finditer(plain))
    return any(_NEGATED_PRAISE.search(plain[max(0, hit.start() - FRAME_CHARS) : hit.start()]) for hit in hits)


def _scripts(plain: str) -> frozenset[str]:
    """Whose cues are worth trying: a brand in Latin letters makes no English post."""
    cyrillic, latin = len(_CYRILLIC.findall(plain)), len(_LATIN.findall(plain))
    names = {ANY}
    if 4 * cyrillic >= latin and cyrillic:
        names.add(CYRILLIC)
    if 2 * latin >= cyrillic and latin:
        names.add(LATIN)
    return frozenset(names)


def _found(
    low: str, plain: str, scripts: frozenset[str], tone: Tones | None, said: str
) -> dict[Intent, list[_Evidence]]:
    own = _PERSONAL.search(plain) is not None
    news = [] if own else _cues(cues("news", scripts), plain)
    share = LEAN if own and not _LINK_OR_CUT.search(low) else LEAN / 2
    told = own or not _NEWSLIKE.search(low)
    if said is not plain and told and not news:
        share = SET_APART
    bad, good = _lean(tone, len(plain) > LONG, share) if tone else ([], [])
    house = [] if _I.search(plain) else _cues(cues("house", scripts), plain)
    return {
        Intent.QUESTION: _question(low, plain, scripts, news + house),
        Intent.COMPLAINT: _blamed(said, scripts, tone, told) + news + bad,
        Intent.PRAISE: _praise(said, scripts) + news + house + good,
    }


def _lean(tone: Tones, long: bool, share: float) -> tuple[list[_Evidence], list[_Evidence]]:
    """What the tone adds to complaint and to praise; it takes away in long posts only: a short report in neutral words
    stays a complaint."""
    margin = tone[0] - tone[2]
    bad, good = (
        (2 * LEAN * margin, -2 * LEAN * margin) if long else (max(0.0, share * margin), max(0.0, -share * margin))
    )
    return [_Evidence(bad, BAD_TONE)], [_Evidence(good, "positive tone")]


def _logits(found: dict[Intent, list[_Evidence]]) -> dict[Intent, float]:
    logits = {intent: min(TOP, sum(part.weight for part in parts)) for intent, parts in found.items()}
    question, complaint, praise = (logits[i] for i in (Intent.QUESTION, Intent.COMPLAINT, Intent.PRAISE))
    said = sum(part.weight for part in found[Intent.COMPLAINT] if part.reason != BAD_TONE)
    logits[Intent.PRAISE] -= 0.6 * max(0.0, min(said, complaint))  # "great, broken again" is no praise
    if praise > 2.2 * complaint:
        logits[Intent.COMPLAINT] -= 1.0  # "sorted my mess in ten minutes, thank you"
    if question > BASE_OTHER:
        logits[Intent.QUESTION] += ASKS_FIRST if question < 2 * BASE_OTHER else 1.5 * ASKS_FIRST
    return logits


def flags(plain: str, scripts: frozenset[str] = frozenset((LATIN, CYRILLIC, ANY))) -> tuple[str, ...]:
    """Names of the priority cues in prepared (lower-cased, folded) text; news about courts raise none."""
    named = {cue.name for cue in cues("flag", scripts) if _meant(cue, plain)}
    own = _PERSONAL.search(plain) or any(cue.pattern.search(plain) for cue in cues("law", scripts))
    if "legal" in named and not own:
        named.discard("legal")
    return tuple(sorted(named))


def _meant(cue: Cue, plain: str) -> bool:
    """Whether a flag's wording stands somewhere without "I won't" before it."""
    hits = islice(cue.pattern.finditer(plain), MAX_HITS)
    return any(not _UNWILLING.search(plain[max(0, hit.start() - 30) : hit.start()]) for hit in hits)


def _softmax(logits: dict[Intent, float]) -> dict[Intent, float]:
    powers = {intent: math.exp(value) for intent, value in logits.items()}
    total = sum(powers.values())
    return {intent: power / total for intent, power in powers.items()}


def _reason(intent: Intent, parts: list[_Evidence]) -> str:
    if intent is Intent.OTHER:
        return "no wording of a question, complaint or praise"
    told = dict.fromkeys(part.reason for part in sorted(parts, key=lambda p: -p.weight) if part.weight > 0)
    return "; ".join(list(told)[:3])


def _cues(known: Iterable[Cue], plain: str, denied: re.Pattern[str] | None = None) -> list[_Evidence]:
    """One piece of evidence per kind of cue, quoting the first wording that nothing before it denies.

    Where cues can be denied the same words never count twice: of overlapping ones the heavier stays.
    """
    parts: list[_Evidence] = []
    taken: list[tuple[int, int]] = []
    for cue in sorted(known, key=lambda cue: -abs(cue.weight)):
        for hit in cue.pattern.finditer(plain):
            if denied and any(hit.start() < end and start < hit.end() for start, end in taken):
                continue
            if denied is None or not denied.search(plain[max(0, hit.start() - FRAME_CHARS) : hit.start()]):
                parts.append(_Evidence(cue.weight, f"{cue.name}: “{_clip(hit.group())}”"))
                taken.append(hit.span())
                break
    return parts


def _clip(wording: str) -> str:
    return wording.strip(" .,:;!")[:40]


def _question(low: str, plain: str, scripts: frozenset[str], news: list[_Evidence]) -> list[_Evidence]:
    plain = " ".join(_TAG.sub(" ", plain).split())
    parts = _cues(cues("question", scripts), plain)
    if _asked(plain):
        parts += _mark(plain)
    elif not parts:
        parts = _unmarked(plain, scripts)
    if not parts:
        return []
    parts = _capped(parts)
    against = (
        _cues(cues("rhetorical", scripts), plain) + _cues(cues("answer", scripts), plain) + _not_asking(low, plain)
    )
    against += [_Evidence(1.5 * part.weight, part.reason) for part in news]
    if parts and not against and len(plain) <= SHORT and _ONE_QUESTION.fullmatch(plain):
        parts.append(_Evidence(0.6, "is one question"))
    return parts + against


def _capped(parts: list[_Evidence]) -> list[_Evidence]:
    """Five signs of asking prove no more than three: what speaks against must keep its weight."""
    over = sum(part.weight for part in parts) - ASKED_CAP
    return [*parts, _Evidence(-over, "asked often enough")] if over > 0 else parts


def _unmarked(plain: str, scripts: frozenset[str]) -> list[_Evidence]:
    """What the sentence model says where no mark and no wording asks; Latin text has wording enough."""
    if len(plain) > READ_CHARS:
        return []
    likely, sentence = questions.likeliest(plain)
    alone = len(sentence) + 2 >= len(plain) and len(plain.split()) <= SHORT_WORDS
    alone = alone and CYRILLIC in scripts
    if likely < (READS_ALONE if alone else READS_AMONG):
        return []
    return [_Evidence(BASE_OTHER + likely - 0.3, f"reads like a question: “{_clip(sentence)}”")]


def _mark(plain: str) -> list[_Evidence]:
    parts, last = [], plain.rstrip(" )(").endswith("?")
    opening = next(iter(_SENTENCE.findall(plain)), "")
    first = opening.endswith("?") and len(opening.split()) > MARKED_WORDS and not plain.startswith("@")
    if QUESTION_WORDS.search(_asked(plain)):
        parts.append(_Evidence(0.7, "question word"))
    if _TURNED.search(_asked(plain)):
        parts.append(_Evidence(0.7, "begins with the verb"))
    # "Carry cash around? How convenient." asks nothing: neither its form nor its place is that of a question.
    parts.append(_Evidence(1.4 if parts or last else 1.1 if first else 0.8, "question mark"))
    if _ADDRESSED.search(plain):
        parts.append(_Evidence(0.7, "speaks to somebody"))
    if last or first:
        parts.append(_Evidence(0.5, "ends or begins with the question"))
    return parts


def _asked(plain: str) -> str:
    """The sentences that end with a question mark, without bare outcries as "What???"."""
    return " ".join(part for part in _SENTENCE.findall(_BARE.sub(" ", plain)) if "?" in part)


def _not_asking(low: str, plain: str) -> list[_Evidence]:
    """Signs that no answer is expected: retweets, headlines, quotes, rage."""
    parts = []
    if _RETWEET.search(low):
        parts.append(_Evidence(-3.5, "retweet"))
    if _TITLE.search(plain) and not _PERSONAL.search(plain):
        parts.append(_Evidence(-2.5, "title of a page"))
    if _LINK_OR_CUT.search(low) and not _PERSONAL.search(plain):
        parts.append(_Evidence(-4.5, "headline with a link"))
    if _HEADLINE_TAG.search(low) and "?" not in plain:
        parts.append(_Evidence(-2.0, "tagged headline"))
    if _QUOTE.search(plain):
        outside = "?" in _QUOTE.sub(" ", plain)
        parts.append(_Evidence(-1.5 if outside else -3.0, "quoted question"))
    if _RAGE.search(plain):
        parts.append(_Evidence(-0.6, "outburst"))
    if "?" in plain and not plain.rstrip(" )(!?.").endswith("?") and len(plain.rsplit("?", 1)[1]) > 80:
        parts.append(_Evidence(-0.6, "goes on after the question"))
    return parts


def _complaint(plain: str, scripts: frozenset[str]) -> list[_Evidence]:
    parts = _cues(cues("complaint", scripts), plain, _NEGATED_BLAME)
    parts += [_Evidence(OUTCRY, part.reason) for part in _cues(cues("rhetorical", scripts), plain) if part.weight < -3]
    if len(plain) <= SHORT or len(parts) > 1:
        return parts
    return [_Evidence(part.weight * 0.85, part.reason) for part in parts]


def _blamed(plain: str, scripts: frozenset[str], tone: Tones | None, told: bool) -> list[_Evidence]:
    """Words of blame, and things that went wrong; headlines and reposts (not `told`) count for their words alone."""
    blame = _complaint(plain, scripts)
    return blame + (_mishaps(plain, scripts, tone, " ".join(part.reason for part in blame)) if told else [])


def _mishaps(plain: str, scripts: frozenset[str], tone: Tones | None, known: str) -> list[_Evidence]:
    """Things that went wrong, told without a word of blame: two of them, or one with a service named or a cold tone.

    `known` are the reasons given already: the same words count once.
    """
    if len(plain) > LONG or (tone and tone[2] - tone[0] > WARM_TONE):
        return []
    found = [part for part in _cues(cues("mishap", scripts), plain, _NEGATED_BLAME) if _quoted(part) not in known]
    served = _cues(cues("service", scripts), plain)
    if not found and not (served and tone and tone[0] - tone[2] > COLD_MARGIN and _PERSONAL.search(plain)):
        return []
    cold = [_Evidence(COLD_TONE, BAD_TONE)] if tone and tone[0] - tone[2] > WARM_TONE / 2 else []
    return [*found[:3], *served, *cold]


def _quoted(part: _Evidence) -> str:
    return part.reason.partition("“")[2].rstrip("”")


def _praise(plain: str, scripts: frozenset[str]) -> list[_Evidence]:
    return _cues(cues("praise", scripts), plain, _NEGATED_PRAISE)

"""Language of a post: letters first, then langdetect in a private, seeded factory, a second vote, then the hint.

The same text gives the same answer in every process; nothing here raises. `und` means that nobody can tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from copy import copy
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, cast

from sentiment import short

UNKNOWN: Final = "und"
ENOUGH_LETTERS: Final = 25  # from here on a statistical detector of all languages is worth asking
SOME_LETTERS: Final = 8  # below this not even the second vote is believed alone
MAX_ENDING: Final = 3  # letters that a case adds to a name
DECLINED: Final = 4  # shorter names stand for themselves only, "МТС" as "О!"
MAX_CHARS: Final = 1000  # the beginning of a post tells its language
TABLE_CAP: Final = 4.0  # of the table's logit: everyday words may outvote it
TABLE_ALONE: Final = 0.4  # a smaller sum is a close call
TABLE_HINTED: Final = 1.2  # the same where thread or source name a language
_CYRILLIC: Final = ("ru", "uk")
_CYRILLIC_ALL: Final = ("ru", "uk", "bg", "mk")

_NOISE: Final = re.compile(r"(?:https?://|www\.)\S+|(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+|@\w+")
_TAGS: Final = re.compile(r"#\w+")
_WORDS: Final = re.compile(r"[^\W\d_]+(?:['’ʼ`][^\W\d_]+)*")
# A Latin i among Cyrillic letters is how Ukrainian is typed on a foreign keyboard.
_LATIN_I: Final = re.compile(r"(?<=[а-яґєії])i|i(?=[а-яґєії])")

_DECIDING: Final = {
    "uk": frozenset("іїєґ"),
    "ru": frozenset("ыэъё"),
    "be": frozenset("ў"),
    "kk": frozenset("әғқңөұүһ"),
    "sr": frozenset("јљњћђџ"),
    "mk": frozenset("ѓќѕ"),
}
# Languages that the second vote may name: those of langdetect and the neighbours it lacks.
_WORLD: Final = (
    "af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr ne nl"
    " no pa pl pt ro ru sk sl sq sv sw ta te th tl tr uk ur vi zh be kk sr ka hy az uz ky"
)
# langdetect's languages in Latin letters. All its profiles at once would cost 60 MB more and change no answer here.
_LATIN: Final = tuple(
    "af ca cs cy da de en es et fi fr hr hu id it lt lv nl no pl pt ro sk sl so sq sv sw tl tr vi".split()
)
# One script, one language: no statistics needed.
_SCRIPTS: Final = (
    ("ja", "\u3040", "\u30ff"),
    ("ko", "\uac00", "\ud7af"),
    ("zh", "\u4e00", "\u9fff"),
    ("he", "\u0590", "\u05ff"),
    ("el", "\u0370", "\u03ff"),
    ("ka", "\u10a0", "\u10ff"),
    ("hy", "\u0530", "\u058f"),
    ("th", "\u0e00", "\u0e7f"),
)
_BULGARIAN: Final = frozenset(
    "е се са ще че никой къде защо какво кога това този тази който която които няма благодаря съм беше моля".split()
)
_BELARUSIAN: Final = frozenset(
    "гэта гэты гэтая гэтае дзякуй вельмі ёсць яшчэ таксама трэба цяпер калі няма дзе няма быць чаму працуе будзе "
    "дзень падкажыце грошы ўжо мяне табе".split()
)
# Before these vowels it is the Russian hard sign; Bulgarian has it as a vowel before consonants.
_HARD_SIGN: Final = re.compile("ъ(?![еёюя])")
_BULGARIAN_ENDS: Final = re.compile(r"\b\w{5,}(?:ване|нието|ването|остта|ията)\b")
# Words that stand between others, never in a name.
_ENGLISH: Final = frozenset("the a an is are was were you my and for of with this not it in on to".split())
# Endings that only one of both languages has; shorter words tell nothing by their end.
_ENDS: Final = {
    "uk": re.compile(
        r"\w{2,}(?:ння|ття|ють|уть|вся|юся|уся|емо|имо|имось|тися|тись|ував|увала|ати|ити|ути|еться|яться"
        r"|ськ(?:ий|а|е|у|им|их|ими|ою|ого|ому))|\w{4,}ою|\w{3,}[еи]ш|(?!трет|грав|лит|рад)\w+[бвдзмпстф]ий"
    ),
    "ru": re.compile(
        r"\w{2,}(?:ие|ию|ия|ии|тся|лся|ешь|ишь|ает|яет|ует|ит|ют|ят|ет|ой|ему|ей|ов|ев|ость|ости|ать|лось|ился"
        r"|ск(?:ий|ую|им|их|ими|ого|ому))|\w{3,}(?:ая|яя|ое|ее)"
    ),
}
_PAST: Final = {"uk": re.compile(r"\w{2,}[аиуяю]в"), "ru": re.compile(r"\w{2,}[аиуяюео]л")}


def detect(text: str, hint: str | None = None, strip: Iterable[str] = ()) -> str:
    """ISO 639-1 code of `text`, or `und`.

    `hint` is the language of the thread or source, used when the text cannot tell; `strip` are brand names to ignore.
    """
    try:
        words = _words(text, strip)
        return _decide(words, hint) or _known(hint)
    except Exception:  # the detectors are other people's code; a post without a language beats a lost post
        return _known(hint)


def _known(hint: str | None) -> str:
    return hint.split("-")[0].split("_")[0].lower() if hint else UNKNOWN


def _words(text: str, strip: Iterable[str]) -> list[str]:
    """Lower-case words without links, mails, names and brands; hashtags only count when there is nothing else."""
    low = _NOISE.sub(" ", text[: 4 * MAX_CHARS].lower())
    for name in strip:
        if name.strip():
            low = _named(name.strip().lower()).sub(" ", low)
    words = _WORDS.findall(_TAGS.sub(" ", low)[:MAX_CHARS])
    return words or _WORDS.findall(low[:MAX_CHARS])


@lru_cache(maxsize=256)
def _named(name: str) -> re.Pattern[str]:
    """A brand as a word of its own with the ending of any case: what is left of a word would speak for a language."""
    ending = rf"\w{{0,{MAX_ENDING}}}" if len(name) >= DECLINED else ""
    return re.compile(rf"(?<!\w){re.escape(name)}{ending}(?!\w)")


def _decide(words: list[str], hint: str | None) -> str | None:
    joined = " ".join(words)
    letters = sum(map(len, words))
    if letters < 2:
        return None
    cyrillic = sum("\u0400" <= c <= "\u04ff" for c in joined)
    latin = sum("a" <= c <= "z" or "\u00df" <= c <= "\u024f" for c in joined)
    # Latin brand names are common in Cyrillic posts, hardly the other way round.
    if 3 * cyrillic >= letters or (cyrillic and _named_in_latin(words)):
        return _cyrillic([word for word in words if "\u0400" <= word[0] <= "\u04ff"], hint)
    if 2 * latin >= letters:
        return _latin([word for word in words if word[0] <= "\u024f"])
    return _by_script(joined) or _second_vote(joined)


def _named_in_latin(words: list[str]) -> bool:
    """Three words and more in Cyrillic among Latin names: no everyday English word stands between them."""
    cyrillic = sum("\u0400" <= word[0] <= "\u04ff" for word in words)
    return cyrillic >= 3 and not _ENGLISH & set(words)


def _by_script(joined: str) -> str | None:
    for language, first, last in _SCRIPTS:
        if sum(first <= c <= last for c in joined) > 1:
            return language
    return None


def _cyrillic(words: list[str], hint: str | None) -> str | None:
    joined = _LATIN_I.sub("і", " ".join(words))
    seen = Counter(language for c in joined for language, letters in _DECIDING.items() if c in letters)
    for language in ("kk", "be", "sr", "mk"):
        if seen[language]:
            return language
    if _belarusian(joined, words, seen):
        vote = _second_vote(joined, ("be", "kk", "ky", "uk", "ru"))
        return vote if vote in ("kk", "ky") else "be"
    if _bulgarian(joined, seen) or _bulgarian_words(joined, words):
        return "bg"
    if seen["uk"] != seen["ru"]:
        return "uk" if seen["uk"] > seen["ru"] else "ru"
    return _by_words(words, hint) or _vote_cyrillic(joined, words, hint)


def _belarusian(joined: str, words: list[str], seen: Counter[str]) -> bool:
    """Belarusian writes і beside ы and э, and no и at all; else its own words tell."""
    if "и" in joined or set("їєґъ") & set(joined):
        return len(_BELARUSIAN & set(words)) > 2
    typical = all(part in joined for part in ("і", "дз", "ць"))
    return seen["ru"] > 0 < seen["uk"] or bool(_BELARUSIAN & set(words)) or typical


def _bulgarian(joined: str, seen: Counter[str]) -> bool:
    """ъ alone, often and without ы, э and ё; the guard must agree."""
    hard = len(_HARD_SIGN.findall(joined))
    often = hard * 60 >= len(joined) and seen["ru"] == joined.count("ъ") == hard > 0 == seen["uk"]
    return often and len(joined) >= ENOUGH_LETTERS and _ask(_CYRILLIC_ALL, joined) == "bg"


def _bulgarian_words(joined: str, words: list[str]) -> bool:
    """Its everyday words and endings; one of them alone must be confirmed."""
    if set("ыэёіїєґ") & set(joined):
        return False
    signs = len(_BULGARIAN & set(words)) + bool(_BULGARIAN_ENDS.search(joined))
    # "Ще" is as Ukrainian as it is Bulgarian: what stands beside it decides.
    return signs > 1 or (signs == 1 and short.leans(words) < TABLE_CAP and _ask(_CYRILLIC_ALL, joined) == "bg")


def _by_words(words: list[str], hint: str | None) -> str | None:
    """Everyday words and endings, and a table of word parts; close calls go on to the detectors, or to the hint."""
    uk, ru = (sum(_tells(word, language) for word in words) for language in _CYRILLIC[::-1])
    leaning = uk - ru + max(-TABLE_CAP, min(TABLE_CAP, short.leans(words)))
    if abs(leaning) < (TABLE_HINTED if _known(hint) in _CYRILLIC else TABLE_ALONE):
        return None
    return "uk" if leaning > 0 else "ru"


def _tells(word: str, language: str) -> float:
    """How much a word speaks for one of Ukrainian and Russian: everyday words more than endings."""
    if word in _telling(language):
        return 2.0
    if word in _common("uk") or word in _common("ru"):
        return 0.0
    return 1.0 * bool(_ENDS[language].fullmatch(word)) + 1.0 * bool(_PAST[language].fullmatch(word))


def _vote_cyrillic(joined: str, words: list[str], hint: str | None) -> str | None:
    """langdetect and py3langid agree, or the hint settles it, or py3langid where there is a little more to read."""
    letters = len(joined) - joined.count(" ")
    first, second = _ask(_CYRILLIC, joined), _second_vote(joined, _CYRILLIC)
    if first == second:
        return first
    if _known(hint) in _CYRILLIC:
        return None
    return second if letters >= SOME_LETTERS else None


@cache
def _common(language: str) -> frozenset[str]:
    """Everyday words of a language, from `words/common/`."""
    path = Path(__file__).parent / "words" / "common" / f"{language}.txt"
    return frozenset(path.read_text("utf-8").split())


@cache
def _telling(language: str) -> frozenset[str]:
    """Everyday words that only one of Ukrainian and Russian has."""
    other = {"uk": "ru", "ru": "uk"}[language]
    return _common(language) - _common(other)


def _latin(words: list[str]) -> str | None:
    joined = " ".join(words)
    letters = sum(map(len, words))
    english = sum(word in _common("en") for word in words)
    other, hits = _everyday(words)
    if hits and any("\u00df" <= c <= "\u024f" for c in joined):
        english -= 1  # letters that English lacks
    if letters < ENOUGH_LETTERS:
        return other if hits > english else _short_latin(joined, english, letters)
    if hits > english + 1:
        return other
    if 3 * english >= len(words):
        return "en"
    second = _second_vote(joined)
    if second == "en" and hits <= english:
        return "en"
    if hits > english and second == other:
        return other
    first = _ask(_LATIN, joined)  # so many profiles are slow, so only when English is in doubt
    if first == second or (first == other and hits):
        return first
    return "en" if "en" in (first, second) and english else first


def _everyday(words: list[str]) -> tuple[str, int]:
    """The language of Latin script, not English, with the most everyday words here, and how many; of equals none."""
    counts = Counter(language for word in words for language in _latin_words().get(word, ()))
    ranked = counts.most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return "", 0
    return ranked[0]


def everyday(word: str) -> bool:
    """Whether a lower-case word is an everyday one of a language in Latin letters that is not English."""
    return word in _latin_words()


@cache
def _latin_words() -> dict[str, tuple[str, ...]]:
    """Word to languages, from `words/common/latin.txt`; words that English has too are left out."""
    path = Path(__file__).parent / "words" / "common" / "latin.txt"
    found: dict[str, tuple[str, ...]] = {}
    for line in path.read_text("utf-8").splitlines():
        language, *words = line.split()
        for word in words if language != "#" else ():
            if word not in _common("en"):
                found[word] = (*found.get(word, ()), language)
    return found


def _short_latin(joined: str, english: int, letters: int) -> str | None:
    if english or not any(c > "z" for c in joined):
        return "en" if english or letters >= SOME_LETTERS else None
    return _second_vote(joined)


def _ask(languages: tuple[str, ...], joined: str) -> str | None:
    """langdetect's answer among `languages` (all when empty)."""
    detector = _factory(languages).create()
    detector.append(joined)
    try:
        answer = str(detector.detect())
    except _no_features():
        return None
    return None if answer == "unknown" else answer.split("-")[0]


@cache
def _no_features() -> type[Exception]:
    from langdetect.lang_detect_exception import LangDetectException

    return cast(type[Exception], LangDetectException)


@cache
def _factory(languages: tuple[str, ...]) -> Any:
    """A private DetectorFactory: the library's own is global, unseeded and holds all profiles."""
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    folder = Path(PROFILES_DIRECTORY)
    names = languages or sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py")
    factory = DetectorFactory()
    factory.seed = 0
    factory.load_json_profile([(folder / name).read_text("utf-8") for name in names])
    return factory


def _second_vote(joined: str, languages: tuple[str, ...] = ()) -> str | None:
    answer, confidence = _identifier(languages).classify(joined)
    return str(answer) if confidence > 0 else None


@cache
def _identifier(languages: tuple[str, ...]) -> Any:
    identifier = copy(_world())  # the tables are shared: a second copy of them would cost 75 MB
    identifier.set_languages(list(languages) or _WORLD.split())
    return identifier


@cache
def _world() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

"""What a query or a name is likely to find too much of: too short, too common. For `check`, never to refuse."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.matching.expressions import edges_alone, knows_latin_alone
from crawler.matching.forms import wrong_numbers
from crawler.matching.query import And, In, Near, Node, Not, Or, Regex, Term, pieces
from crawler.matching.words import wordish, words_in
from crawler.model import Brand, EntityKind
from crawler.text import fold

SHORT = 3
_COMMON = frozenset(
    """
    the and for you are not but with this that have was from they his her she all one had can out what when your were
    there use how said each which their time will way about many then them write would like these him into has look
    more two see than call who now find long down day did get come made may new good very just only also any some bank
    apple orange target shell gap visa square stripe block zoom chase
    card money pay shop service people best work home great first online sale help app site
    и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее мне было вот от меня еще
    нет о из ему теперь когда даже ну вдруг ли если уже или ни быть был него до вас нибудь опять уж вам ведь там потом
    сам сама сами само самі світ мир зоря заря крок шаг тепло друг друзі друзья сім семь апельсин яблуко яблоко
    себя ничего ей может они тут где есть надо ней для мы тебя их чем была сам чтоб без будто чего раз тоже себе под
    будет ж тогда кто этот того потому этого какой совсем ним здесь этом один почти мой тем чтобы нее был банк деньги
    карта магазин сервис люди работа дом новый хороший очень просто сайт приложение
    і й та що він на я з як а то всі вона так його але ти до у же ви за б по тільки її мені було от від мене ще ні із
    йому тепер коли навіть якщо вже або бути був нього вас знову вам адже там потім себе нічого їй може вони тут де є
    треба для ми тебе їх чим була сам щоб без наче чого раз теж собі під буде тоді хто цей того тому цього який зовсім
    ним тут один майже мій тим щоб нова новий добрий дуже просто гроші картка банк магазин сервіс люди робота дім
    сайт застосунок
    """.split()
)


def warnings(node: Node) -> list[tuple[int, str, str]]:
    """(offset in the query, what will be found too often, what helps) for each term that is too common."""
    common = [found for term in _wanted(node, False) if (found := _warning(term)) is not None]
    return common + [_border_warning(regex) for regex in _regexes(node) if _borders_fail(regex.pattern)]


def _regexes(node: Node) -> Iterator[Regex]:
    if isinstance(node, Regex):
        yield node
    elif isinstance(node, And | Or):
        for part in node.parts:
            yield from _regexes(part)
    elif isinstance(node, Not | In):
        yield from _regexes(node.part)
    elif isinstance(node, Near):
        yield from _regexes(node.left)
        yield from _regexes(node.right)


def _borders_fail(pattern: str) -> bool:
    return not pattern.isascii() and knows_latin_alone(pattern) and not edges_alone(pattern)


def _border_warning(regex: Regex) -> tuple[int, str, str]:
    message = rf"{regex}: \b in the middle knows Latin letters alone, so this may never be found"
    return regex.at, message, r"put \b at the beginning and the end alone: /\b(?:one|two)\b/"


def name_warnings(brand: Brand) -> list[tuple[str, str, str]]:
    """(the name as configured, what is wrong, what helps) for wrong numbers and names that need context."""
    found = wrong_numbers(brand)
    if brand.about or (brand.query and "NAMES" in brand.query):
        return found
    for entity in brand.entities:
        text = fold(entity.text.lstrip("=")).strip()
        if entity.kind is EntityKind.BRAND and not text.startswith(("@", "#")) and (why := _common(text)):
            message = f"brand {brand.name!r}: {entity.text!r} {why}: many texts that do not mean it will be found"
            found.append((entity.text, message, "about: [words that stand near it when it is meant]"))
    return found


def _wanted(node: Node, beside: bool) -> Iterator[Term]:
    """Terms that alone decide: not those that NEAR or AND puts beside another, nor those under NOT or of facts."""
    if isinstance(node, Term):
        if not beside:
            yield node
    elif isinstance(node, Or):
        for part in node.parts:
            yield from _wanted(part, beside)
    elif isinstance(node, And):
        wanted = [part for part in node.parts if not isinstance(part, Not)]
        for part in wanted:
            yield from _wanted(part, beside or len(wanted) > 1)
    elif isinstance(node, In) and node.field in ("title", "text"):
        yield from _wanted(node.part, beside)
    elif isinstance(node, Near):
        return


def _warning(term: Term) -> tuple[int, str, str] | None:
    parts = pieces(term.text)
    text = max((fold(part).strip() for part in parts), key=len)
    if len(parts) > 1 and sum(map(wordish, text)) < SHORT + 1:
        return term.at, f"{term} has few fixed letters: it will match many words", "write more of the word"
    why = _common(text) if len(parts) == 1 else ""
    return (term.at, f"{term} {why}: it will be found in very many texts", f"{term} AND …, or NEAR/5") if why else None


def _common(text: str) -> str:
    words = words_in(text)
    if not words or len(words) > 1:
        return ""
    if sum(map(wordish, text)) < SHORT and text[:1] < "\u3000":
        return "is very short"
    return "is a common word" if words[0] in _COMMON else ""

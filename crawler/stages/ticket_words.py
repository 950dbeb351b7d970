"""The words that we write ourselves, in the languages that tickets can speak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crawler.model import Priority

_EN = {
    "Author": "Author",
    "Link": "Link",
    "none": "none",
    "unknown": "unknown",
    "Published": "Published",
    "Seen": "Seen",
    "Source": "Source",
    "Rating": "Rating",
    "Engagement": "Engagement",
    "Tone": "Tone",
    "intent": "intent",
    "language": "language",
    "Found": "Found",
    "Due": "Answer by",
    "Kept": "Kept as",
    "mention": "mention",
    "version": "version",
    "Why": "Why",
    "Ticket": "Ticket",
    "words": "words",
    "rating": "rating",
    "followers": "followers",
    "flags": "flags",
    "rule": "rule",
    "and": "and",
    "or": "or",
    "by hand": "decided by",
    "again": "wrote again",
    "Someone": "Someone",
    "is brand": "brand",
    "is legal": "legal entity",
    "is person": "person",
}
_UK = {
    "Author": "Автор",
    "Link": "Посилання",
    "none": "немає",
    "unknown": "невідомо",
    "Published": "Опубліковано",
    "Seen": "Помічено",
    "Source": "Джерело",
    "Rating": "Оцінка",
    "Engagement": "Реакції",
    "Tone": "Тон",
    "intent": "намір",
    "language": "мова",
    "Found": "Знайдено",
    "Due": "Відповісти до",
    "Kept": "Збережено як",
    "mention": "згадка",
    "version": "версія",
    "Why": "Чому",
    "Ticket": "Звернення",
    "words": "слова",
    "rating": "оцінка",
    "followers": "підписників:",
    "flags": "ознаки",
    "rule": "правило",
    "and": "і",
    "or": "або",
    "by hand": "рішення:",
    "again": "пише знову",
    "Someone": "Хтось",
    "is brand": "бренд",
    "is legal": "юридична особа",
    "is person": "особа",
    "urgent": "терміново",
    "high": "високий пріоритет",
    "normal": "звичайний пріоритет",
    "low": "низький пріоритет",
    "negative": "негатив",
    "neutral": "нейтрально",
    "positive": "позитив",
    "question": "питання",
    "complaint": "скарга",
    "praise": "похвала",
    "other": "інше",
    "threat": "погроза",
    "legal": "правові наслідки",
    "churn": "намір піти",
    "purchase": "намір купити",
}
_RU = {
    "Author": "Автор",
    "Link": "Ссылка",
    "none": "нет",
    "unknown": "неизвестно",
    "Published": "Опубликовано",
    "Seen": "Замечено",
    "Source": "Источник",
    "Rating": "Оценка",
    "Engagement": "Реакции",
    "Tone": "Тон",
    "intent": "намерение",
    "language": "язык",
    "Found": "Найдено",
    "Due": "Ответить до",
    "Kept": "Сохранено как",
    "mention": "упоминание",
    "version": "версия",
    "Why": "Почему",
    "Ticket": "Обращение",
    "words": "слова",
    "rating": "оценка",
    "followers": "подписчиков:",
    "flags": "признаки",
    "rule": "правило",
    "and": "и",
    "or": "или",
    "by hand": "решение:",
    "again": "пишет снова",
    "Someone": "Кто-то",
    "is brand": "бренд",
    "is legal": "юридическое лицо",
    "is person": "лицо",
    "urgent": "срочно",
    "high": "высокий приоритет",
    "normal": "обычный приоритет",
    "low": "низкий приоритет",
    "negative": "негатив",
    "neutral": "нейтрально",
    "positive": "позитив",
    "question": "вопрос",
    "complaint": "жалоба",
    "praise": "похвала",
    "other": "другое",
    "threat": "угроза",
    "legal": "правовые последствия",
    "churn": "намерение уйти",
    "purchase": "намерение купить",
}
_TABLES: Mapping[str, Mapping[str, str]] = {"en": _EN, "uk": _UK, "ru": _RU}


def say(word: str, language: str) -> str:
    """A word of ours in that language; one that the table lacks as it is."""
    return _TABLES.get(language, _EN).get(word, word)


@dataclass(frozen=True, slots=True)
class Why:
    """What spoke for a ticket. `scores` name a tone or intent (or several, joined by "or") and its probability.

    `rule` decided, or the person called `by`.
    """

    priority: Priority
    scores: tuple[tuple[str, float], ...] = ()
    words: tuple[str, ...] = ()
    rating: float | None = None
    followers: int | None = None
    flags: tuple[str, ...] = ()
    rule: str = ""
    by: str = ""

    def in_words(self, language: str) -> str:
        """`Ticket, urgent: negative 93%; words «суд»; rule complaints`."""
        facts = self.facts(language)
        head = f"{say('Ticket', language)}, {say(self.priority.value, language)}: "
        source = f"{say('by hand', language)} {self.by}" if self.by else f"{say('rule', language)} {self.rule}"
        return head + (f"{facts}; " if facts else "") + source

    def facts(self, language: str) -> str:
        """The middle part alone, "" when there is none."""
        joined = f" {say('and', language)} ".join(f"{_name(name, language)} {value:.0%}" for name, value in self.scores)
        parts = [joined] if joined else []
        if self.words:
            parts.append(f"{say('words', language)} {', '.join(f'«{word}»' for word in self.words)}")
        if self.rating is not None:
            parts.append(f"{say('rating', language)} {self.rating:g}")
        if self.followers is not None:
            parts.append(followers(self.followers, language))
        if self.flags:
            parts.append(f"{say('flags', language)} {', '.join(say(flag, language) for flag in self.flags)}")
        return "; ".join(parts)


def _name(name: str, language: str) -> str:
    return f" {say('or', language)} ".join(say(word, language) for word in name.split(" or "))


def followers(count: int, language: str) -> str:
    """`5000 followers`."""
    return f"{count} followers" if language == "en" else f"{say('followers', language)} {count}"

"""Five lines about a brand's day: volume, tone, tickets, what waits, alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crawler.model import Tone
from crawler.store import DayNumbers

_MOST_ALERTS = 3
_CAUSE_CHARS = 160
_EN = {
    "mentions": "Mentions: {mentions} ({mentions_before} the day before)",
    "tone": "Tone: {negative} negative, {neutral} neutral, {positive} positive, {untagged} not tagged yet",
    "tickets": "Tickets: {opened} opened, {joined} follow-ups, {solved} solved",
    "waiting": "Waiting: {in_review} in review, {undecided} undecided, {on_their_way} on their way, {parked} parked,"
    " {overdue} overdue",
    "alerts": "Alerts: {alerts}",
    "none": "none",
    "subject": "{brand}, {day}: mentions {mentions}, negative {negative}, tickets {opened}",
}
_UK = {
    "mentions": "Згадки: {mentions} (напередодні {mentions_before})",
    "tone": "Тон: негативних {negative}, нейтральних {neutral}, позитивних {positive}, без оцінки {untagged}",
    "tickets": "Звернення: відкрито {opened}, доповнено {joined}, вирішено {solved}",
    "waiting": "Чекають: на розгляд {in_review}, на рішення {undecided}, на доставку {on_their_way},"
    " відкладено {parked}, прострочено {overdue}",
    "alerts": "Тривоги: {alerts}",
    "none": "немає",
    "subject": "{brand}, {day}: згадок {mentions}, негативних {negative}, звернень {opened}",
}
_RU = {
    "mentions": "Упоминания: {mentions} (накануне {mentions_before})",
    "tone": "Тон: негативных {negative}, нейтральных {neutral}, позитивных {positive}, без оценки {untagged}",
    "tickets": "Обращения: открыто {opened}, дополнено {joined}, решено {solved}",
    "waiting": "Ждут: рассмотрения {in_review}, решения {undecided}, доставки {on_their_way}, отложено {parked},"
    " просрочено {overdue}",
    "alerts": "Тревоги: {alerts}",
    "none": "нет",
    "subject": "{brand}, {day}: упоминаний {mentions}, негативных {negative}, обращений {opened}",
}
_TABLES: Mapping[str, Mapping[str, str]] = {"en": _EN, "uk": _UK, "ru": _RU}
_LINES = ("mentions", "tone", "tickets", "waiting", "alerts")


@dataclass(frozen=True, slots=True)
class Digest:
    """A subject and five lines."""

    subject: str
    lines: tuple[str, ...]


def compose(brand: str, day: str, numbers: DayNumbers, alerts: Sequence[str], language: str) -> Digest:
    """The digest of one brand; `alerts` are the causes of open ones, `day` is shown as it is given."""
    table = _TABLES.get(language, _EN)
    told = {name: getattr(numbers, name) for name in numbers.__slots__ if name != "tones"}
    told |= {tone.value: numbers.tones.get(tone.value, 0) for tone in Tone}
    # What was found and has no tone yet is counted by itself, and never less than nothing.
    told |= {"untagged": max(0, numbers.mentions - sum(numbers.tones.values())), "brand": brand, "day": day}
    told["alerts"] = _alerts(alerts) or table["none"]
    return Digest(_filled(table["subject"], told), tuple(_filled(table[name], told) for name in _LINES))


def _filled(text: str, told: Mapping[str, object]) -> str:
    return " ".join(text.format_map(told).split())


def _alerts(causes: Sequence[str]) -> str:
    if not causes:
        return ""
    shown = "; ".join(" ".join(cause.split())[:_CAUSE_CHARS] for cause in causes[:_MOST_ALERTS])
    return f"{len(causes)}: {shown}" + ("; …" if len(causes) > _MOST_ALERTS else "")

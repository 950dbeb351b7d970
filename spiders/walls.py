"""What a page is when it is not the page that was asked for: a wall, a log-in, a consent, "not found", a pause.

It reads what a person would see, in the languages of the sources, and nothing tries to get around it. A page is only
judged by its words where it has few of them: walls are short, and an article about walls is not.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from scrapy.http import Response, TextResponse

from crawler.model import Verdict
from crawler.text import strip_markup

LOOK_AT = 200_000
FEW_WORDS = 250
# A page with a widget that only checks people has no room for anything else.
NEXT_TO_NONE = 100
TITLE_WORDS = 9

# Feeds, sitemaps and JSON: what they say of walls and pauses is news.
_DATA = re.compile(
    rb"(?:\xef\xbb\xbf|\s)*(?:[{\[]|(?:<\?xml.{0,600}?)?<(?:rss|feed|rdf:rdf|urlset|sitemapindex)[\s>])", re.I | re.S
)
# Marks that stand in nothing but the pages of those who hold robots off.
_CHALLENGE = re.compile(
    rb"cf-chl-|_cf_chl_opt|_incapsula_resource|ddos-guard|captcha-delivery\.com|px-captcha|perimeterx|/antibot/|"
    rb"showcaptcha|aws-waf-token|awswafintegration|/_guard/|sgcaptcha|/\.well-known/sgcaptcha|__ddg\d|anubis_challenge|"
    rb"/\.within\.website/x/cmd/anubis|datadome|akamai-bot|bm-verify|sec-cpt-if|kpsdk|wafchallenge|qrator"
)
# Marks of checks that stand in ordinary forms too.
_WIDGET = re.compile(
    rb"/cdn-cgi/challenge-platform|challenges\.cloudflare\.com|smartcaptcha|g-recaptcha|h-captcha|hcaptcha\.com|"
    rb"geetest|friendlycaptcha|frc-captcha|mtcaptcha"
)
_WALL_TITLE = re.compile(
    r"just a moment|one moment, please|attention required|access (?:to this page has been )?denied|"
    r"verif(?:y|ying) (?:that )?(?:you|your browser)|checking your browser|are you (?:a )?(?:human|robot)|"
    r"(?:not|no) a robot|security (?:check|verification)|request (?:blocked|rejected)|^blocked\W*$|too many requests|"
    r"^\W*(?:(?:error|http)\W*)?(?:403\W*)?forbidden\W*$|whoa there|bot (?:protection|verification)|human verification|"
    r"making sure you|pardon our interruption|^robot check|^(?:error\W*)?1020|sorry, you have been blocked|"
    r"^\W*(?:(?:solve|complete|enter|please|введите|введіть|пройдите|пройдіть)\W+){0,3}(?:re|h)?(?:captcha|капч[ау])\W*"
    r"(?:check|challenge|required|verification)?\W*$|"
    r"не робот|проверка (?:браузера|безопасности)|перевірка (?:браузера|безпеки)|доступ (?:ограничен|запрещ|закрыт)|"
    r"доступ (?:обмежен|заборон|закрит)|подтвердите, что|підтвердьте, що|слишком много запросов|забагато запитів|"
    r"zugriff verweigert|sicherheitsüberprüfung|accès refusé|vérification de sécurité|acceso denegado|"
    r"dostęp zabroniony|odmowa dostępu|erişim engellendi|accesso negato|acesso negado",
    re.I,
)
_WALL_TEXT = re.compile(
    r"your request has been (?:blocked|denied|rejected)|unusual (?:traffic|activity) (?:from|on|detected)|"
    r"enable javascript and cookies to continue|(?:you|your ip(?: address)?) (?:have|has) been (?:blocked|banned)|"
    r"request (?:was|has been) (?:blocked|denied)|press (?:&|and) hold|"
    r"needs to review the security of your connection|"
    r"confirm (?:that )?you(?:'re| are) (?:a |not a )?(?:human|robot|bot)|"
    r"prove (?:that )?you are (?:human|not a robot)|"
    r"automated (?:access|queries|requests) (?:to|from|are|is)|"
    r"запросы.{0,40}похожи на автоматические|ваш запрос.{0,20}заблокирован|ваш ip.{0,30}заблокирован|"
    r"докажите, что вы (?:не робот|человек)|ваш запит.{0,20}заблоковано|ваш? ip.{0,30}заблоковано|"
    r"доведіть, що ви (?:не робот|людина)|ungewöhnlichen datenverkehr|trafic (?:inhabituel|exceptionnel)|"
    r"tráfico inusual|nietypowy ruch",
    re.I | re.S,
)
_LOGIN_TITLE = re.compile(
    r"^\W*(?:(?:please|member|user|account)\W+)?(?:log|sign)[ -]?(?:in|on)\b|\|\W*(?:log|sign)[ -]?in\W*$|^login\b|"
    r"^\W*(?:вход|войти|авторизация|увійти|вхід|авторизація)\b|^anmelden|^einloggen|^connexion|"
    r"^(?:se )?connecter|^iniciar ses|^zaloguj|^logowanie|^giriş|^accedi\b|^entrar\b|members only|"
    r"только для участников",
    re.I,
)
_LOGIN_TEXT = re.compile(
    r"(?:log|sign)(?:ged)?[ -]?in (?:or (?:sign up|register|create an account) )?(?:to|in order to) "
    r"(?:view|see|read|access|continue|proceed)|"
    r"must (?:be logged in|log in|be registered).{0,40}(?:view|see|read|access)|"
    r"only (?:registered|logged).{0,40}(?:view|see|read|access)|not authori[sz]ed to (?:view|read)|"
    r"(?:войдите|авторизуйтесь|зарегистрируйтесь)[^.]{0,30}чтобы (?:просм|увид|прод|прочит|чит)|"
    r"(?:необходимо|требуется|нужно) (?:войти|авториз)|только (?:для )?зарегистрированны|"
    r"вы не авторизованы для|(?:увійдіть|авторизуйтесь|зареєструйтесь)[^.]{0,30}щоб (?:перег|побач|прод|прочит|чит)|"
    r"(?:необхідно|потрібно) (?:увійти|авториз)|(?:лише|тільки) для зареєстрованих|"
    r"müssen (?:sie )?(?:sich )?(?:angemeldet|anmelden|registriert)|connectez-vous pour|debes iniciar sesión|"
    r"musisz (?:być zalogowan|się zalogować)",
    re.I,
)
_LOGIN_URL = re.compile(r"/(?:log-?in|sign-?in|auth|authorize|account/login|sso|accounts/login)(?:/|\.|\?|$)", re.I)
_PASSWORD = re.compile(rb"<input[^>]{1,300}?type\s{0,9}=\s{0,9}[\"']?password", re.I)
_CONSENT_URL = re.compile(r"^https?://consent\.|/(?:cookie-?)?consent(?:/|\?|$)|/gdpr(?:/|\?|$)", re.I)
_CONSENT = re.compile(
    r"before you continue|avant d'accéder|bevor sie fortfahren|antes de continuar|zanim przejdziesz|"
    r"прежде чем (?:продолжить|перейти)|перш ніж (?:продовжити|перейти)|"
    r"(?:accept|agree)[^.]{0,40}(?:cookies?|terms)[^.]{0,30}to continue|"
    r"(?:we|site and its partners) (?:value|care about) your privacy|"
    r"are you (?:at least |over )?(?:18|21)|"
    r"вам (?:уже |вже )?(?:есть|исполнилось|виповнилось) 18|підтвердьте.{0,20}вік",
    re.I,
)
_GONE = re.compile(
    r"^\W*(?:error\W*|ошибка\W*|помилка\W*)?404\b|(?:page|topic|thread|post|file|site|channel|content|object)"
    r"(?: that)?(?: you)?(?: requested| were looking for| are looking for)?(?: was| is| could| can)?(?: not|n't|not)? "
    r"(?:be )?(?:not )?found|(?:page|topic|thread|forum|post) (?:does not|doesn't|no longer) exist|"
    r"this page (?:isn't|is not|is no longer) available|"
    r"(?:страница|тема|сообщение|пост) (?:не найден|не существует|удал[её]н|больше не)|"
    r"запрошенн\w{2,3} \w+ не существует|такой страницы (?:нет|не существует)|"
    r"(?:сторінку?|тему?|тема|повідомлення) (?:не знайден|не існує|видален|більше не)|"
    r"такої сторінки (?:немає|не існує)|"
    r"seite (?:wurde )?nicht gefunden|page (?:introuvable|non trouvée)|página no (?:encontrada|existe)|"
    r"nie znaleziono (?:strony|takiej)|strona nie (?:istnieje|została)|sayfa bulunamadı|pagina non trovata",
    re.I,
)
_PAUSE = re.compile(
    r"(?:under|down for|scheduled|currently (?:in|under)) maintenance|maintenance mode|^\W*maintenance\W*$|"
    r"site is (?:temporarily|currently) (?:unavailable|down|offline)|(?:service|temporarily) unavailable|be right back|"
    r"error establishing a database connection|database (?:connection )?error|(?:board|forum) is (?:currently )?"
    r"(?:disabled|offline|closed|unavailable)|internal server error|bad gateway|"
    r"(?:техническ\w+|профилактическ\w+|регламентн\w+) (?:работ|обслуживан)|(?:сайт|форум) (?:временно )?"
    r"(?:недоступен|отключ[её]н|закрыт)|ошибка (?:подключения к|базы) |(?:технічн|профілактичн)\w+ (?:робот|обслугов)|"
    r"(?:сайт|форум) (?:тимчасово )?(?:недоступний|вимкнено|закрито)|помилка (?:підключення|бази)|"
    r"wartungs(?:arbeiten|modus)|en maintenance|en mantenimiento|przerwa techniczna|prace techniczne|bakım çalışması|"
    r"in manutenzione|em manutenção",
    re.I,
)
_SOLD = re.compile(
    r"domain (?:name )?(?:is|may be) (?:for sale|parked|expired)|buy this domain|this account has been suspended|"
    r"account suspended|домен (?:прода[её]тся|припаркован|не оплачен|истек)|домен (?:продається|припарковано)|"
    r"сайт (?:заблокирован|приостановлен) хост|domain steht zum verkauf|domena na sprzedaż",
    re.I,
)
Found = tuple[Verdict, str]


def found(response: Response) -> Found | None:
    """What the page is instead of what was asked for, with a verdict; None for an ordinary page.

    `changed` ("not found" with status 200) counts only where a run shows nothing else: links die one by one.
    """
    if not isinstance(response, TextResponse) or _DATA.match(response.body[:1000]):
        return None
    head, markup = response.body[:LOOK_AT], response.text[:LOOK_AT]
    text = strip_markup(markup)
    words = len(text.split())
    title = title_of(markup)
    if wall := _wall(response, head, text, title, words):
        return Verdict.BLOCKED, wall
    if words >= FEW_WORDS:
        return None
    for pattern, verdict, name in _ELSE:
        if _says(pattern, title, text):
            return verdict, f"{name} («{' '.join((title or text).split())[:60]}»)"
    return None


def _wall(response: Response, head: bytes, text: str, title: str, words: int) -> str | None:
    few, short = words < FEW_WORDS, title if len(title.split()) <= TITLE_WORDS else ""
    widget = words < NEXT_TO_NONE and _WIDGET.search(head.lower())
    said = _WALL_TITLE.search(short) or _WALL_TEXT.search(text) or _CHALLENGE.search(head.lower())
    if few and (said or (widget and not _PASSWORD.search(head))):
        return f"a block or captcha page («{title[:60]}»)"
    redirected = bool(response.request and response.request.meta.get("redirect_urls"))
    if redirected and _LOGIN_URL.search(urlsplit(response.url).path):
        return "a log-in page"
    if few and (_LOGIN_TITLE.search(short) or _LOGIN_TEXT.search(text) or _only_a_form(head, words)):
        return "a log-in page"
    consent = _CONSENT_URL.search(response.url) if redirected else None
    return "a page that asks for consent first" if few and (consent or _says(_CONSENT, short, text)) else None


def _only_a_form(head: bytes, words: int) -> bool:
    """A password is asked for and next to nothing else stands there; a forum has its small form on every page."""
    return words < NEXT_TO_NONE // 2 and bool(_PASSWORD.search(head))


def _says(pattern: re.Pattern[str], title: str, text: str) -> bool:
    """The title says it, or the first words do."""
    return bool((len(title.split()) <= TITLE_WORDS and pattern.search(title)) or pattern.search(text[:400]))


def title_of(markup: str) -> str:
    """The text of the title element, at one look."""
    start = markup.lower().find("<title")
    body = markup.find(">", start) + 1 if start >= 0 else 0
    return strip_markup(markup[body : markup.find("<", body)]).strip() if body else ""


_ELSE: tuple[tuple[re.Pattern[str], Verdict, str], ...] = (
    (_SOLD, Verdict.FAILED, "the site is not there any more: its domain or account is given up"),
    (_PAUSE, Verdict.FAILED, "the site is under maintenance or in trouble"),
    (_GONE, Verdict.CHANGED, "the page says that it is not there, with status 200: correct `url`"),
)

"""Loopback forums in the shapes of seven programs: they page, limit, reorder, edit, delete, move, shut and grow.

Each shape is a pair of functions that draw a list and a page of a thread, of our own making after the classes and
addresses that the programs use. The double keeps its own log of requests that came ahead of a Retry-After.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rough_site import Request, RoughSite

START = 1_790_000_000
MINUTE = 60


@dataclass
class Said:
    """One post; its place in a thread is by `at` (minutes), whenever it was let in. `score` is what voters think."""

    id: int
    at: int
    text: str
    quoted: int | None = None
    gone: bool = False
    score: int = 0


@dataclass
class Thread:
    """`bumped` orders the list; `shut` asks for a log-in; `moved` leaves a row in the list that leads elsewhere."""

    id: int
    posts: list[Said] = field(default_factory=list)
    sticky: bool = False
    shut: bool = False
    views: int = 0

    @property
    def shown(self) -> list[Said]:
        return sorted((post for post in self.posts if not post.gone), key=lambda post: post.at)

    @property
    def bumped(self) -> int:
        return max((post.at for post in self.posts), default=0)


Row = tuple[Thread, str]


@dataclass(frozen=True)
class Shape:
    """One program: where its pages are and how it draws them. `by_votes`: the best answers stand first."""

    board: Callable[[int], str]
    thread: Callable[[int, int], str]
    list_: Callable[[Sequence[Row], int, int, Shape], str]
    page: Callable[[Thread, Sequence[Said], int, int, Shape], str]
    by_votes: bool = False


def iso(minutes: int) -> str:
    return datetime.fromtimestamp(START + MINUTE * minutes, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def words(minutes: int) -> str:
    return datetime.fromtimestamp(START + MINUTE * minutes, UTC).strftime("%b %d, %Y, %H:%M")


@dataclass
class ForumDouble:
    """`per_page` posts a page, `per_list` threads a list. Of `every` requests one is refused for a second."""

    site: RoughSite
    shape: Shape
    per_page: int = 5
    per_list: int = 6
    every: int = 0
    threads: dict[int, Thread] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    asked: int = 0
    breaches: int = 0
    refused: int = 0
    last_id: int = 100
    clock: int = 0
    _not_before: float = 0.0
    _waited: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.site.routes["/*"] = self._answer
        self.site.routes["/robots.txt"] = lambda request: request.send("", "text/plain", 404)

    # ---- what people do there ----------------------------------------------------------------------------------

    def say(self, thread: int, count: int = 1, *, late: int | None = None, quoting: bool = False) -> list[int]:
        """`count` new posts; `late` ones stand behind that post, where they waited for a moderator. Their numbers."""
        made = []
        for _ in range(count):
            self.last_id, self.clock = self.last_id + 1, self.clock + 10
            told = self.threads.setdefault(thread, Thread(thread))
            at = self.clock if late is None else next(post.at for post in told.posts if post.id == late) + 1
            quoted = told.shown[-1].id if quoting and told.shown else None
            told.posts.append(Said(self.last_id, at, f"Post {self.last_id} of {thread}", quoted))
            made.append(self.last_id)
        return made

    def find(self, number: int) -> Said:
        return next(post for thread in self.threads.values() for post in thread.posts if post.id == number)

    def alive(self) -> set[str]:
        """Names of all posts that a guest can read."""
        open_ = (thread for thread in self.threads.values() if not thread.shut)
        return {f"post-{post.id}" for thread in open_ for post in thread.shown}

    def do(self, name: str, *steps: Callable[[], object]) -> None:
        """A page that does something when it is asked for."""

        def tick(request: Request) -> None:
            for step in steps:
                step()
            request.send("done")

        self.site.routes[f"/tick-{name}"] = tick

    # ---- what the server answers -------------------------------------------------------------------------------

    def _answer(self, request: Request) -> None:
        if self._too_many(request.path):
            request.send("slow down", status=429, Retry_After="1")
            return None
        self.log.append(request.path)
        for thread in list(self.threads.values()):
            for page in range(1, self._pages(thread) + 1):
                if request.path == self.shape.thread(thread.id, page):
                    return self._thread(request, thread, page)
        for page in range(1, len(self.threads) // self.per_list + 2):
            if request.path == self.shape.board(page):
                return self._list(request, page)
        if found := re.search(r"last[=-](\d+)", request.path):
            thread = self.threads[int(found[1])]
            where = self.shape.thread(thread.id, self._pages(thread))
            # One request with its redirect is refused once at most.
            self._waited.add(where)
            return request.send("", status=302, Location=f"{where}#p{thread.shown[-1].id}")
        return request.send("not here", status=404)

    def _too_many(self, path: str) -> bool:
        """Whoever waited is served."""
        now = time.monotonic()
        # What was on its way when the other was refused is no breach.
        self.breaches += self._not_before - 0.5 < now < self._not_before - 0.05
        self.asked += 1
        if not self.every or self.asked % self.every or path in self._waited:
            self._waited.discard(path)
            return False
        self._waited.add(path)
        self.refused, self._not_before = self.refused + 1, now + 1.0
        return True

    def _pages(self, thread: Thread) -> int:
        return max(1, -(-len(thread.shown) // self.per_page))

    def _thread(self, request: Request, thread: Thread, page: int) -> None:
        thread.views += 1
        if thread.shut:
            form = "<form><input name='login'><input type='password'></form>"
            request.send(f"<html id='XF'><head><title>Log in</title></head><body>{form}</body></html>")
            return
        shown = sorted(thread.shown, key=lambda post: -post.score) if self.shape.by_votes else thread.shown
        shown = shown[self.per_page * (page - 1) : self.per_page * page]
        request.send(self.shape.page(thread, shown, page, self._pages(thread), self.shape))

    def _list(self, request: Request, page: int) -> None:
        for thread in self.threads.values():
            thread.views += 7
        order = sorted(self.threads.values(), key=lambda thread: (not thread.sticky, -thread.bumped))
        rows = [(thread, self.shape.thread(thread.id, 1)) for thread in order]
        pages = max(1, -(-len(rows) // self.per_list))
        request.send(self.shape.list_(rows[self.per_list * (page - 1) : self.per_list * page], page, pages, self.shape))


# ---- XenForo -------------------------------------------------------------------------------------------------------


def _xenforo_list(rows: Sequence[Row], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<div class='structItem structItem--thread'><div class='structItem-cell structItem-cell--main'>"
        f"{'<i class=structItem-status--sticky></i>' * thread.sticky}"
        f"<div class='structItem-title'><a href='{link}'>T{thread.id}</a></div></div>"
        f"<div class='structItem-cell structItem-cell--meta'><dl class='pairs'><dt>Replies</dt>"
        f"<dd>{len(thread.shown)}</dd></dl><dl class='pairs structItem-minor'><dt>Views</dt><dd>"
        f"{thread.views}</dd></dl>"
        f"</div><div class='structItem-cell structItem-cell--latest'><a href='/threads/last-{thread.id}/latest'>"
        f"<time class='structItem-latestDate' datetime='{iso(thread.bumped)}'>x</time></a></div></div>"
        for thread, link in rows
    )
    following = f"<a class='pageNav-jump pageNav-jump--next' rel='next' href='{shape.board(page + 1)}'>n</a>"
    return f"<html id='XF'><body>{drawn}{following * (page < pages)}</body></html>"


def _xenforo_page(thread: Thread, posts: Sequence[Said], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<article class='message message--post' data-author='Ada' data-content='post-{post.id}'>"
        f"<div class='message-attribution'><ul class='message-attribution-main'><li><a href='/threads/t.{thread.id}/"
        f"post-{post.id}'><time class='u-dt' datetime='{iso(post.at)}'>x</time></a></li></ul></div>"
        f"<div class='message-body'><div class='bbWrapper'>{_xenforo_quote(post)}{post.text}</div></div></article>"
        for post in posts
    )
    before = f"<a class='pageNav-jump pageNav-jump--prev' href='{shape.thread(thread.id, page - 1)}'>p</a>"
    last = (
        f"<ul class='pageNav-main'><li class='pageNav-page'><a href='{shape.thread(thread.id, pages)}'>9</a></li></ul>"
    )
    head = f"<h1 class='p-title-value'>T{thread.id}</h1>{before * (page > 1)}{last * (pages > 1)}"
    return f"<html id='XF'><body>{head}{drawn}</body></html>"


def _xenforo_quote(post: Said) -> str:
    said = (
        f"<blockquote class='bbCodeBlock bbCodeBlock--quote' data-source='post: {post.quoted}'>old words</blockquote>"
    )
    return said if post.quoted else ""


# ---- phpBB ---------------------------------------------------------------------------------------------------------


def _phpbb_list(rows: Sequence[Row], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<li class='row {'sticky' * thread.sticky}'><dl><dt><a class='topictitle' href='.{link}'>T{thread.id}</a></dt>"
        f"<dd class='posts'>{len(thread.shown) - 1} <dfn>Replies</dfn></dd><dd class='views'>{thread.views}</dd>"
        f"<dd class='lastpost'><span>by Ada <a href='./viewtopic.php?last={thread.id}#p{thread.shown[-1].id}'>x</a>"
        f"{words(thread.bumped)}</span></dd></dl></li>"
        for thread, link in rows
    )
    following = f"<div class='pagination'><a rel='next' href='.{shape.board(page + 1)}'>n</a></div>" * (page < pages)
    return f"<body id='phpbb'><ul class='topiclist topics'>{drawn}</ul>{following}</body>"


def _phpbb_page(thread: Thread, posts: Sequence[Said], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<div id='p{post.id}' class='post bg2'><div class='postbody'><p class='author'>"
        f"<a href='./viewtopic.php?p={post.id}#p{post.id}'>x</a> by <strong><a class='username' href='./memberlist.php?"
        f"mode=viewprofile&amp;u=5'>Ada</a></strong> &raquo; <time datetime='{iso(post.at)}'>x</time></p>"
        f"<div class='content'>{_phpbb_quote(post)}{post.text}</div></div></div>"
        for post in posts
    )
    before = f"<li class='previous'><a rel='prev' href='.{shape.thread(thread.id, page - 1)}'>p</a></li>" * (page > 1)
    numbers = "".join(f"<li><a class='button' href='.{shape.thread(thread.id, n)}'>{n}</a></li>" for n in {1, pages})
    paging = f"<div class='pagination'><ul>{before}{numbers * (pages > 1)}</ul></div>"
    return f"<body id='phpbb'><h2 class='topic-title'>T{thread.id}</h2>{paging}{drawn}</body>"


def _phpbb_quote(post: Said) -> str:
    cite = f"<cite><a href='./viewtopic.php?p={post.quoted}#p{post.quoted}' data-post-id='{post.quoted}'>Tom</a></cite>"
    return f"<blockquote><div>{cite}old words</div></blockquote>" if post.quoted else ""


# ---- SMF -----------------------------------------------------------------------------------------------------------


def _smf_list(rows: Sequence[Row], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<div class='windowbg {'sticky' * thread.sticky}'><div class='info'><div class='message_index_title'>"
        f"<span id='msg_{thread.posts[0].id}'><a href='{link}'>T{thread.id}</a></span></div></div>"
        f"<div class='board_stats centertext'><p>Replies: {len(thread.shown) - 1}<br>Views: {thread.views}</p></div>"
        f"<div class='lastpost'><p><a href='/index.php?last={thread.id}.msg#new'>{words(thread.bumped)}</a></p>"
        f"</div></div>"
        for thread, link in rows
    )
    following = f"<div class='pagelinks'><a class='nav_page next_page' href='{shape.board(page + 1)}'>n</a></div>"
    script = "<script>var smf_theme_url='x';</script>"
    return f"<html><body>{script}<div id='topic_container'>{drawn}</div>{following * (page < pages)}</body></html>"


def _smf_page(thread: Thread, posts: Sequence[Said], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<div class='windowbg' id='msg{post.id}'><div class='post_wrapper'><div class='poster'><h4>"
        f"<a href='/index.php?action=profile;u=5' title='View'>Ada</a></h4></div><div class='postarea'>"
        f"<div class='keyinfo'><div class='postinfo'><a class='smalltext' title='x' href='/index.php?msg={post.id}'>"
        f"{words(post.at)}</a></div></div><div class='post'><div class='inner' data-msgid='{post.id}' "
        f"id='msg_{post.id}'>{_smf_quote(post)}{post.text}</div></div></div></div></div>"
        for post in posts
    )
    before = f"<a class='nav_page previous_page' href='{shape.thread(thread.id, page - 1)}'>p</a>" * (page > 1)
    numbers = "".join(f"<a class='nav_page' href='{shape.thread(thread.id, n)}'>{n}</a>" for n in range(1, pages + 1))
    paging = f"<div class='pagelinks'>{before}{numbers * (pages > 1)}</div>"
    return f"<html><body><script>var smf_theme_url='x';</script><h2 class='display_title'>T</h2>{paging}{drawn}</body>"


def _smf_quote(post: Said) -> str:
    said = f"<cite><a href='/index.php?msg={post.quoted}'>Quote from: Tom</a></cite>old words"
    return f"<blockquote class='bbc_standard_quote'>{said}</blockquote>" if post.quoted else ""


# ---- vBulletin 4 ---------------------------------------------------------------------------------------------------


def _vbulletin_list(rows: Sequence[Row], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<li class='threadbit {'sticky' * thread.sticky}'><a class='title' href='{link}'>T{thread.id}</a>"
        f"<ul class='threadstats td'><li>Replies: {len(thread.shown) - 1}</li><li>Views: {thread.views}</li></ul>"
        f"<dl class='threadlastpost td'><dd>Ada</dd><dd>{words(thread.bumped)} "
        f"<a href='/showthread.php?last={thread.id}#post{thread.shown[-1].id}'>x</a></dd></dl></li>"
        for thread, link in rows
    )
    following = f"<span class='prev_next'><a rel='next' href='{shape.board(page + 1)}'>n</a></span>" * (page < pages)
    return f"<html id='vbulletin_html'><body><ol class='threads'>{drawn}</ol>{following}</body></html>"


def _vbulletin_page(thread: Thread, posts: Sequence[Said], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<li class='postbitlegacy' id='post_{post.id}'><div class='posthead'><span class='date'>"
        f"{words(post.at)}</span>"
        f"<a class='postcounter' href='/showthread.php?{thread.id}-t&amp;p={post.id}#post{post.id}'>#</a></div>"
        f"<div class='username_container'><a class='username' href='member.php?5'>Ada</a></div>"
        f"<div id='post_message_{post.id}'><blockquote class='postcontent restore'>{_vbulletin_quote(post)}{post.text}"
        "</blockquote></div></li>"
        for post in posts
    )
    before = f"<a rel='prev' href='{shape.thread(thread.id, page - 1)}'>p</a>" * (page > 1)
    last = f"<span class='first_last'><a href='{shape.thread(thread.id, pages)}'>l</a></span>" * (page < pages)
    paging = f"<div class='pagination'>{before}{last}</div>"
    return f"<html id='vbulletin_html'><body>{paging}<ol id='posts'>{drawn}</ol></body></html>"


def _vbulletin_quote(post: Said) -> str:
    by = f"<div class='bbcode_postedby'><a href='/showthread.php?p={post.quoted}#post{post.quoted}'>Tom</a></div>"
    return f"<div class='bbcode_container'><div class='bbcode_quote'>{by}old words</div></div>" if post.quoted else ""


# ---- Invision 5 ----------------------------------------------------------------------------------------------------


def _invision_list(rows: Sequence[Row], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<li class='ipsData__item' data-rowid='{thread.id}'><div class='ipsData__main'><h4 class='ipsData__title'>"
        f"{'<span class=ipsBadge--pinned></span>' * thread.sticky}<a href='{link}' data-role='title'>"
        f"T{thread.id}</a></h4>"
        f"</div><ul class='ipsData__stats'><li data-stattype='forums_comments'>{len(thread.shown)} replies</li>"
        f"<li data-stattype='num_views'>{thread.views} looks</li></ul><div class='ipsData__last'>"
        f"<a href='/topic/last-{thread.id}/?do=getLastComment'><time datetime='{iso(thread.bumped)}'>x</time>"
        f"</a></div></li>"
        for thread, link in rows
    )
    following = f"<link rel='next' href='{shape.board(page + 1)}'>" * (page < pages)
    return f"<html><head>{following}</head><body data-pageapp='forums' class='ipsApp'><ol>{drawn}</ol></body></html>"


def _invision_page(thread: Thread, posts: Sequence[Said], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<article id='elComment_{post.id}' class='ipsEntry js-ipsEntry ipsEntry--post'><aside "
        f"class='ipsEntry__author-column'><h3 class='ipsEntry__username'><a href='/profile/5-ada/'>Ada</a></h3></aside>"
        f"<div id='comment-{post.id}_wrap' data-commentapp='forums' data-commentid='{post.id}'>"
        f"<div class='ipsEntry__post'><div class='ipsEntry__meta'><a class='ipsEntry__date' href='/topic/{thread.id}-t/"
        f"?do=findComment&amp;comment={post.id}'><time datetime='{iso(post.at)}'>x</time></a></div>"
        f"<div class='ipsRichText' data-role='commentContent'>{_invision_quote(post)}<p>{post.text}</p></div>"
        f"</div></div>"
        "</article>"
        for post in posts
    )
    before = f"<link rel='prev' href='{shape.thread(thread.id, page - 1)}'>" * (page > 1)
    last = f"<li class='ipsPagination__last'><a href='{shape.thread(thread.id, pages)}'>l</a></li>" * (page < pages)
    title = f"<h1 class='ipsPageHeader__title'>T{thread.id}</h1><ul class='ipsPagination'>{last}</ul>"
    return f"<html><head>{before}</head><body data-pageapp='forums' class='ipsApp'>{title}{drawn}</body></html>"


def _invision_quote(post: Said) -> str:
    said = f"<blockquote class='ipsQuote' data-ipsquote-contentcommentid='{post.quoted}'>old words</blockquote>"
    return said if post.quoted else ""


# ---- NodeBB --------------------------------------------------------------------------------------------------------


def _nodebb_list(rows: Sequence[Row], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<li component='category/topic' data-tid='{thread.id}' class='{'pinned' * thread.sticky}'>"
        f"<h3 component='topic/header'>"
        f"<i component='topic/pinned' class='fa fa-thumbtack {'' if thread.sticky else 'hidden'}'>"
        f"</i><a href='{link}'>T{thread.id}</a></h3><div class='stats stats-postcount'><span>"
        f"{len(thread.shown)}</span></div>"
        f"<div class='stats stats-viewcount'><span>{thread.views}</span></div>"
        f"<div class='lastpost'><span class='timeago' title='{iso(thread.bumped)}'></span></div></li>"
        for thread, link in rows
    )
    following = f"<link rel='next' href='{shape.board(page + 1)}'>" * (page < pages)
    return f"<html><head>{following}</head><body><ul component='category' class='nodebb'>{drawn}</ul></body></html>"


def _nodebb_page(thread: Thread, posts: Sequence[Said], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<li component='post' data-pid='{post.id}' data-username='Ada'><a href='/user/ada'>Ada</a>"
        f"<a class='permalink' href='/post/{post.id}'><span class='timeago' title='{iso(post.at)}'></span></a>"
        f"<div component='post/content'>{'<blockquote><p>old words</p></blockquote>' * bool(post.quoted)}"
        f"<p>{post.text}</p></div></li>"
        for post in posts
    )
    before = f"<link rel='prev' href='{shape.thread(thread.id, page - 1)}'>" * (page > 1)
    numbers = "".join(
        f"<li class='page'><a href='{shape.thread(thread.id, n)}'>{n}</a></li>" for n in range(1, pages + 1)
    )
    paging = f"<ul class='pagination'>{numbers * (pages > 1)}</ul>"
    title = f"<h1 component='topic/title'>T{thread.id}</h1>"
    posts_ = f"<ul component='topic'>{drawn}</ul>"
    return f"<html><head>{before}</head><body class='nodebb'>{title}{posts_}{paging}</body></html>"


# ---- askbot --------------------------------------------------------------------------------------------------------


def _askbot_list(rows: Sequence[Row], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<div class='short-summary'><div class='counts'><div class='answers'><div>{len(thread.shown)}</div></div>"
        f"<div class='views'><div>{thread.views}</div></div></div><h2><a href='{link}'>T{thread.id}</a></h2>"
        f"<abbr class='timeago' title='{iso(thread.bumped)}'>x</abbr></div>"
        for thread, link in rows
    )
    following = f"<div class='paginator'><span class='next'><a href='{shape.board(page + 1)}'>n</a></span></div>"
    return f"<html><body class='askbot'>{drawn}{following * (page < pages)}</body></html>"


def _askbot_page(thread: Thread, posts: Sequence[Said], page: int, pages: int, shape: Shape) -> str:
    drawn = "".join(
        f"<div class='post {'js-question' if post is thread.posts[0] else 'answer'}' data-post-id='{post.id}'>"
        f"<div class='user-info'><a href='/users/5/ada/'>Ada</a></div>"
        f"<abbr class='timeago' title='{iso(post.at)}'></abbr>"
        f"<div class='post-body'>{post.text}</div></div>"
        for post in posts
    )
    before = f"<link rel='prev' href='{shape.thread(thread.id, page - 1)}'>" * (page > 1)
    numbers = "".join(
        f"<span class='page'><a href='{shape.thread(thread.id, n)}'>{n}</a></span>" for n in range(1, pages + 1)
    )
    paging = f"<div class='paginator'>{numbers * (pages > 1)}</div>"
    title = f"<h1><a href='#'>T{thread.id}</a></h1>"
    return f"<html><head>{before}</head><body class='askbot question-page'>{title}{drawn}{paging}</body></html>"


def _paged(first: str, later: str) -> Callable[..., str]:
    """An address with {n} for the thread and {page} in those of later pages; {skip} counts posts."""

    def address(*said: int) -> str:
        page = said[-1]
        return (later if page > 1 else first).format(n=said[0], page=page, skip=5 * (page - 1), rows=6 * (page - 1))

    return address


SHAPES = {
    "xenforo": Shape(
        _paged("/forums/b.5/", "/forums/b.5/page-{page}"),
        _paged("/threads/t.{n}/", "/threads/t.{n}/page-{page}"),
        _xenforo_list,
        _xenforo_page,
    ),
    "phpbb": Shape(
        _paged("/viewforum.php?f=5", "/viewforum.php?f=5&start={rows}"),
        _paged("/viewtopic.php?t={n}", "/viewtopic.php?t={n}&start={skip}"),
        _phpbb_list,
        _phpbb_page,
    ),
    "smf": Shape(
        _paged("/index.php?board=5.0", "/index.php?board=5.{rows}"),
        _paged("/index.php?topic={n}.0", "/index.php?topic={n}.{skip}"),
        _smf_list,
        _smf_page,
    ),
    "vbulletin": Shape(
        _paged("/forumdisplay.php?5-b", "/forumdisplay.php?5-b/page{page}"),
        _paged("/showthread.php?{n}-t", "/showthread.php?{n}-t/page{page}"),
        _vbulletin_list,
        _vbulletin_page,
    ),
    "invision": Shape(
        _paged("/forum/5-b/", "/forum/5-b/?page={page}"),
        _paged("/topic/{n}-t/", "/topic/{n}-t/?page={page}"),
        _invision_list,
        _invision_page,
    ),
    "nodebb": Shape(
        _paged("/category/5/b", "/category/5/b?page={page}"),
        _paged("/topic/{n}/t", "/topic/{n}/t?page={page}"),
        _nodebb_list,
        _nodebb_page,
    ),
    "askbot": Shape(
        _paged("/questions/", "/questions/?page={page}"),
        _paged("/question/{n}/t/", "/question/{n}/t/?page={page}"),
        _askbot_list,
        _askbot_page,
        by_votes=True,
    ),
}

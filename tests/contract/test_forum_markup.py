"""The markup of forum programs through their versions and skins: the same post, whoever drew it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from crawler.model import Document, Source
from spiders.answers import response_of
from spiders.base import Reading
from spiders.forum import ForumSpider

NOW = datetime(2026, 11, 20, tzinfo=UTC)
WHEN = datetime(2026, 11, 2, 10, 5, tzinfo=UTC)

PHPBB_30 = """<body id="phpbb" class="section-viewtopic ltr"><h2><a href="./viewtopic.php?f=2&amp;t=9">Каса</a></h2>
<div id="p501" class="post bg2"><div class="inner"><span class="corners-top"></span><div class="postbody">
<h3 class="first"><a href="#p501">Re: Каса</a></h3><p class="author"><a href="./viewtopic.php?p=501#p501">
<img alt="Post"/>
</a>by <strong><a href="./memberlist.php?mode=viewprofile&amp;u=5">Ada</a>
</strong> &raquo; Mon Nov 02, 2026 10:05 am </p>
<div class="content"><blockquote><div><cite>Tom wrote:</cite>old words</div></blockquote>my words</div>
<div class="signature">sig</div></div><dl class="postprofile"><dt><a href="./memberlist.php">Ada</a></dt></dl>
</div></div>"""
SUBSILVER2 = """<body class="ltr"><script>phpbb</script><table class="tablebg" width="100%" cellspacing="1">
<tr class="row1"><td align="center" valign="middle"><a name="p501"></a><b class="postauthor">Ada</b></td>
<td width="100%" height="25"><table width="100%" cellspacing="0"><tr><td class="gensmall" width="100%">
<div style="float: left;">&nbsp;<b>Post subject:</b> Re: T</div><div style="float: right;">
<a href="./viewtopic.php?p=501#p501"><img src="i.gif"/></a><b>Posted:</b> Mon Nov 02, 2026 10:05 am&nbsp;</div>
</td></tr>
</table></td></tr><tr class="row1"><td valign="top" class="profile">Joined: 2009</td><td valign="top"><table><tr><td>
<div class="postbody"><div class="quotetitle">Tom wrote:</div><div class="quotecontent">old words</div>my words</div>
</td></tr></table></td></tr></table>"""
PHPBB_2 = """<a href="viewtopic.php?t=9">x</a><table class="forumline"><tr><td width="150" class="row1">
<span class="name">
<a name="501"></a><b>Ada</b></span><br/><span class="postdetails">Joined: 01 Jan 2009</span></td>
<td class="row1"><table><tr><td><span class="postdetails">Posted: Mon Nov 02, 2026 10:05 am</span></td></tr>
<tr><td><span class="postbody">my words</span></td></tr></table></td></tr></table>"""
XENFORO_1 = """<html id="XenForo"><div class="titleBar"><h1>T</h1></div><ol id="messageList">
<li id="post-501" class="message"
 data-author="Ada"><div class="messageUserInfo"><h3 class="userText">
<a class="username" href="members/ada.5/">Ada</a></h3>
</div><div class="messageInfo primaryContent"><div class="messageContent"><article>
<blockquote class="messageText ugc">
<div class="bbCodeBlock bbCodeQuote"><aside><div class="attribution type">Tom said:
<a href="goto/post?id=400#post-400">&uarr;</a></div><blockquote class="quote">old words</blockquote></aside></div>
my words</blockquote></article></div><div class="messageMeta"><a href="threads/t.9/#post-501" class="datePermalink">
<abbr class="DateTime" data-time="1793613900" data-datestring="Nov 2, 2026" data-timestring="10:05 AM">x</abbr></a>
</div>
</div></li></ol>"""
XENFORO_2 = """<html id="XF" data-app="public"><h1 class="p-title-value">T</h1><article class="message message--post"
 data-author="Ada" data-content="post-501" id="js-post-501"><div class="message-attribution"><ul
 class="message-attribution-main"><li><a href="/threads/t.9/post-501"><time class="u-dt"
 datetime="2026-11-02T12:05:00+0200" data-time="1793613900">Mon</time></a></li></ul></div><div class="message-body">
<div class="bbWrapper">
<blockquote class="bbCodeBlock bbCodeBlock--quote" data-source="post: 400">old words</blockquote>
my words</div></div></article>"""
VB_3 = """<meta name="generator" content="vBulletin 3.8.4"><div id="posts"><div><table id="post501"><tr>
<td class="thead">
<a name="post501"></a> 02.11.2026, 10:05 <a href="showpost.php?p=501" id="postcount501">#2</a></td></tr><tr><td>
<div id="postmenu_501"><a class="bigusername" href="member.php?u=5">Ada</a></div></td></tr><tr><td><div
 id="post_message_501"><div><div class="smallfont">Цитата:</div><table cellpadding="6"><tr>
<td class="alt2">old words</td>
</tr></table></div>my words</div></td></tr></table></div></div>"""
VB_4 = """<html id="vbulletin_html"><ol id="posts"><li class="postbitlegacy" id="post_501"><div class="posthead">
<span class="postdate"><span class="date">02.11.2026,&nbsp;<span class="time">10:05</span></span></span>
<a class="postcounter" href="showthread.php?9-t&amp;p=501#post501" name="post501">#2</a></div>
<div class="username_container">
<a class="username offline" href="member.php?5-ada"><strong>Ada</strong></a></div><div class="content">
<div id="post_message_501"><blockquote class="postcontent restore"><div class="bbcode_container">
<div class="bbcode_quote">
<div class="quote_container"><div class="bbcode_postedby"><a href="showthread.php?p=400#post400">Tom</a>
</div>old words</div>
</div></div>my words</blockquote></div></div></li></ol>"""
VB_5 = """<html><script>vbulletin_global</script><ul><li class="b-post js-post" data-node-id="501">
<div class="b-userinfo">
<div class="author"><strong><a href="/member/5-ada">Ada</a></strong></div></div>
<a class="b-post__count" href="/f/9-t?p=501#post501">
#2</a><div class="b-post__timestamp"><time datetime="2026-11-02T10:05:00">02-11-2026</time></div>
<div class="js-post__content-text"><div class="bbcode_container"><div class="bbcode_quote">old words</div>
</div>my words</div>
</li></ul>"""
SMF_20 = """<script>var smf_theme_url="x";</script><div class="windowbg"><div class="post_wrapper">
<div class="poster"><h4>
<a href="index.php?action=profile;u=5" title="View the profile of Ada">Ada</a></h4></div><div class="postarea">
<div class="flow_hidden"><div class="keyinfo"><h5 id="subject_501">
<a href="index.php?topic=9.msg501#msg501">Re: T</a></h5>
<div class="smalltext">&#171; <strong>Reply #1 on:</strong> November 02, 2026, 10:05:00 AM &#187;</div></div></div>
<div class="post"><div class="inner" id="msg_501"><div class="quoteheader"><a href="index.php?topic=9.msg400#msg400">
Quote from: Tom</a></div><blockquote class="bbc_standard_quote">old words</blockquote><div class="quotefooter"></div>
my words</div></div></div></div></div>"""
SMF_21 = """<script>var smf_theme_url="x";</script><div class="windowbg" id="msg501"><div class="post_wrapper">
<div class="poster"><h4><a href="index.php?action=profile;u=5" title="View">Ada</a></h4></div><div class="postarea">
<div class="keyinfo"><div id="subject_501" class="subject_title"></div><div class="postinfo"><a
 href="index.php?msg=501" title="Reply #1 - T" class="smalltext">November 02, 2026, 10:05:00 AM</a></div></div>
<div class="post"><div class="inner" data-msgid="501" id="msg_501"><blockquote class="bbc_standard_quote"><cite>
<a href="index.php?msg=400">Quote from: Tom</a></cite>old words</blockquote>my words</div></div></div></div></div>"""
IPS_4 = """<body data-pageapp="forums"><h1 class="ipsType_pageTitle">T</h1>
<article id="elComment_501" class="ipsComment">
<h3 class="cAuthorPane_author"><strong><a href="/profile/5-ada/">Ada</a></strong></h3><div data-commentid="501"
 data-commentapp="forums"><div class="ipsComment_meta"><a href="/topic/9-t/?do=findComment&amp;comment=501"><time
 datetime="2026-11-02T10:05:00Z">x</time></a></div><div data-role="commentContent"><blockquote class="ipsQuote"
 data-ipsquote-contentcommentid="400">old words</blockquote><p>my words</p></div></div></article>"""
IPS_5 = """<body class="ipsApp" data-pageapp="forums"><h1 class="ipsPageHeader__title">T</h1><article id="elComment_501"
 class="ipsEntry js-ipsEntry ipsEntry--post" data-ips-hook="postWrapper"><aside class="ipsEntry__author-column">
<h3 class="ipsEntry__username"><span class="ipsOnline"></span><a href="/profile/5-ada/">Ada</a></h3>
<ul class="ipsEntry__authorStats"><li data-i-el="posts"><a href="/profile/5-ada/content/"><span>77</span></a></li></ul>
</aside><div id="comment-501_wrap" data-commentapp="forums" data-commentid="501" class="ipsEntry__content">
<div class="ipsEntry__post"><div class="ipsEntry__meta"><a class="ipsEntry__date"
 href="/topic/9-t/?do=findComment&amp;comment=501"><time datetime="2026-11-02T10:05:00Z">x</time></a>
<ul class="ipsBadges"><li><span class="ipsBadge ipsBadge--author">Author</span></li></ul></div>
<div class="ipsRichText" data-role="commentContent"><blockquote class="ipsQuote"
 data-ipsquote-contentcommentid="400">old words</blockquote><p>my words</p></div></div></div></article>"""
NODEBB_1 = """<body><h1 component="post/header"><span component="topic/title">T</span></h1><ul component="topic"><li
 component="post" data-pid="501" data-username="Ada" itemprop="comment"><a href="/user/ada">Ada</a><a
 class="permalink" href="/post/501"><span class="timeago" title="2026-11-02T10:05:00.000Z"></span></a>
<div class="content" component="post/content" itemprop="text"><blockquote><p>old words</p></blockquote>
<p>my words</p></div>
</li></ul>"""
NODEBB_3 = NODEBB_1.replace('class="timeago"', 'class="timeago x"').replace('class="content"', 'class="content x"')

DRAWN = {
    "phpbb 3.0": (PHPBB_30, "viewtopic.php?f=2&t=9", None),
    "phpbb subsilver2": (SUBSILVER2, "viewtopic.php?t=9", None),
    "phpbb 2": (PHPBB_2, "viewtopic.php?t=9", None),
    "xenforo 1": (XENFORO_1, "threads/t.9/", "post-400"),
    "xenforo 2": (XENFORO_2, "threads/t.9/", "post-400"),
    "vbulletin 3": (VB_3, "showthread.php?t=9", None),
    "vbulletin 4": (VB_4, "showthread.php?t=9", "post-400"),
    "vbulletin 5": (VB_5, "forum/banks/9-t", None),
    "smf 2.0": (SMF_20, "index.php?topic=9.0", "post-400"),
    "smf 2.1": (SMF_21, "index.php?topic=9.0", "post-400"),
    "invision 4": (IPS_4, "topic/9-t/", "post-400"),
    "invision 5": (IPS_5, "topic/9-t/", "post-400"),
    "nodebb 1": (NODEBB_1, "topic/9/t", None),
    "nodebb 3": (NODEBB_3, "topic/9/t", None),
}


def read(body: str, url: str, cursor: dict[str, object] | None = None) -> Reading:
    address = f"https://forum.example/{url}"
    spider = ForumSpider(source=Source("f", "forum", ForumSpider.Settings(url=address), cursor=cursor or {}))
    headers = {"content-type": "text/html; charset=utf-8"}
    return spider.read(response_of(Document(address, 200, headers, f"<html>{body}</html>".encode(), NOW)))


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_a_post_reads_the_same_in_each_version(name: str) -> None:
    body, url, parent = DRAWN[name]
    [post] = read(body, url).posts
    assert (post.text, post.author.name, post.published_at) == ("my words", "Ada", WHEN)
    assert (post.platform_id, post.thread, post.parent) == ("post-501", "thread-9", parent)
    assert post.site == "forum.example" and (post.url or "").startswith("https://forum.example/")


@pytest.mark.parametrize(
    "gone",
    [
        "This message has been deleted by Admin.",
        "[deleted]",
        "Сообщение удалено модератором",
        "Повідомлення видалено.",
        "Beitrag gelöscht",
    ],
)
@pytest.mark.parametrize("name", ["xenforo 2", "nodebb 1", "phpbb 3.0", "vbulletin 4"])
def test_what_stands_for_a_deleted_post_is_no_text(name: str, gone: str) -> None:
    body, url, _ = DRAWN[name]
    [post] = read(body.replace("my words", gone), url).posts
    assert (post.deleted, post.text, post.platform_id) == (True, "", "post-501")
    [post] = read(body.replace("my words", f"{gone} That is what they write to everybody, and my money?"), url).posts
    assert not post.deleted and post.text


def test_a_deleted_post_without_a_body_keeps_its_number() -> None:
    body = "<article class='message message--post message--deleted' data-content='post-7'><div>x</div></article>"
    [post] = read(f"<div id='XF'>xenforo{body}</div>", "threads/t.9/").posts
    assert (post.deleted, post.platform_id) == (True, "post-7")


def thread(*numbers: int) -> str:
    return "".join(XENFORO_2.replace("501", str(n)) if n == numbers[0] else _more(n) for n in numbers)


def _more(number: int) -> str:
    return XENFORO_2[XENFORO_2.index("<article") :].replace("501", str(number)).replace("my words", f"words {number}")


def test_a_post_that_vanished_from_its_page_was_taken_down() -> None:
    first = read(thread(501, 502, 503, 504, 505), "threads/t.9/")
    assert first.cursor is not None
    known = dict(first.cursor)
    again = read(thread(501, 502, 504, 505), "threads/t.9/", known)
    assert [post.platform_id for post in again.posts if post.deleted] == ["post-503"]
    assert again.cursor is not None
    assert not [p for p in read(thread(501, 502, 504, 505), "threads/t.9/", dict(again.cursor)).posts if p.deleted]
    later = read(thread(504, 505, 506), "threads/t.9/page-2", known)
    assert not [post for post in later.posts if post.deleted], "what stands on other pages is not gone"
    cut = read(thread(501, 502, 505), "threads/t.9/", known)
    assert not [post for post in cut.posts if post.deleted], "most of a page is not taken down post by post"


def test_posts_of_other_servers_keep_their_address_as_id() -> None:
    body = NODEBB_3.replace('data-pid="501"', 'data-pid="https://other.example/post/501"')
    [post] = read(body, "topic/9/t").posts
    assert post.platform_id == "https://other.example/post/501"
    assert replace(post, platform_id=None).text == "my words"

"""Forum programs as data: how a page tells which one drew it, and where the parts of a post and of a list stand.

`proved` says whether real pages were read; the others follow the templates that the programs ship.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """One forum program; `signs` are looked for in the lower-case bytes of a page.

    Selectors are those of kind `page`; in the text ` || ` parts alternatives: the first that is there counts.
    """

    name: str
    signs: str
    item: str
    fields: dict[str, str]
    without: tuple[str, ...]
    quoted: str
    thread_id: str
    title: str
    previous: str
    last: str
    row: str
    row_link: str
    row_mark: str
    row_last: str = ""
    boards: str = ""
    proved: bool = False
    following: str = "link[rel~=next]@href, a[rel~=next]@href"
    sign: re.Pattern[bytes] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sign", re.compile(self.signs.encode()))


# What programs draw in the place of a post that was taken down: classes of its item, and the words that are left.
DELETED_CLASS = re.compile(
    r"(?:^|\s)(?:message--deleted|deleted|post--deleted|b-post--deleted|postbitdeleted|post-deleted|ipsComment_deleted|"
    r"message_deleted|is-deleted)(?:\s|$)"
)
DELETED_WORDS = re.compile(
    r"\W*(?:\[deleted\]|this (?:post|message|comment|topic) (?:has been |was |is )?(?:deleted|"
    r"removed)(?: by(?: \S{1,40}){1,3})?|"
    r"(?:post|message|comment) (?:has been |was )?(?:deleted|removed)(?: by(?: \S{1,40}){1,3})?|"
    r"(?:это |данное )?сообщение (?:было )?удалено(?: \S{1,40}){0,3}|(?:этот )?пост удал[её]н(?: \S{1,40}){0,3}|"
    r"(?:це )?повідомлення (?:було )?видалено(?: \S{1,40}){0,3}|(?:цей )?допис видалено(?: \S{1,40}){0,3}|"
    r"(?:dieser )?beitrag (?:wurde )?gelöscht(?: \S{1,40}){0,3}|(?:ce )?message (?:a été )?supprimé(?: \S{1,40}){0,3}|"
    r"(?:ten )?post (?:został )?usunięty(?: \S{1,40}){0,3})\W*",
    re.I,
)
_QUOTES = ("blockquote", ".signature", ".quote", ".edit-info")

ENGINES: tuple[Engine, ...] = (
    Engine(
        name="xenforo",
        proved=True,
        signs=r'<html[^>]{0,300} id="xf"|data-app="public"|\bxf\.(?:config|activate)|id="xenforo"|xenforo',
        item="article.message[data-content^='post-'], li.message[id^='post-']",
        fields={
            "text": ".message-body .bbWrapper || .message-body || blockquote.messageText",
            "author": "@data-author, .message-name@data-author, .message-name, .username",
            "author_url": ".message-name a@href, a.username@href",
            "published_at": ".message-attribution time@datetime, time.u-dt@datetime, .DateTime@data-time,"
            " .DateTime@title, .DateTime@data-datestring",
            "url": ".message-attribution-main a@href, a.message-attribution-main@href,"
            " .message-attribution a[href*='/post-']@href, a.datePermalink@href",
            "id": "@data-content, @id",
        },
        without=(
            ".bbCodeBlock--quote",
            ".bbCodeBlock--unfurl",
            ".bbCodeQuote",
            ".message-signature",
            ".message-lastEdit",
            ".bbWrapper blockquote",
            ".messageText blockquote",
            "aside.message-signature",
        ),
        quoted=".bbCodeBlock--quote@data-source, .bbCodeQuote .attribution a@href",
        thread_id=r"/threads/(?:[^/]{0,300}\.)?(\d+)(?:/|$)",
        title="h1.p-title-value, .titleBar h1",
        previous="a.pageNav-jump--prev@href, link[rel=prev]@href, .PageNav a.text[href]:first-of-type@href",
        last=".pageNav-main .pageNav-page:last-child a@href, .PageNav nav a:nth-last-child(2)@href",
        row=".structItem--thread, li.discussionListItem",
        row_link=".structItem-title a[href*='threads/']@href, h3.title a.PreviewTooltip@href",
        row_mark=".structItem-cell--meta dl:not(.structItem-minor) dd, .structItem-latestDate@datetime,"
        " .stats dl:not(.minor) dd, .lastPostInfo .DateTime@title",
        row_last=".structItem-cell--latest a[href*='latest']@href",
        boards=".node-title a@href, .nodeTitle a@href",
    ),
    Engine(
        name="phpbb",
        proved=True,
        signs=r'<body[^>]{0,300} id="phpbb"|phpbb(?:_|\.com|\b)|viewtopic\.php\?',
        # prosilver of phpBB 3; subsilver2 of phpBB 3 and subSilver of phpBB 2, which are tables.
        item="xpath://div[contains(concat(' ', @class, ' '), ' post ') and starts-with(@id, 'p')]"
        " | //table[contains(concat(' ', @class, ' '), ' tablebg ')]"
        "[.//a[starts-with(@name, 'p') and number(substring(@name, 2)) > 0]][.//div[@class = 'postbody']]"
        " | //tr[td[1]/span[@class = 'name']/a[@name]][.//span[@class = 'postbody']]",
        fields={
            "text": ".postbody .content || div.postbody || span.postbody",
            "author": ".author .username@title, .author .username, .author .username-coloured,"
            " .postprofile .username, .postprofile .username-coloured, .author strong, .postauthor, span.name b",
            "author_url": ".author a[href*=viewprofile]@href, .postprofile a[href*=viewprofile]@href",
            "published_at": ".author time@datetime, .author, td.gensmall div, td.gensmall, td table span.postdetails",
            "url": ".author a[href*='p=']@href, h3 a[href*='p=']@href, td.gensmall a[href*='p=']@href",
            "id": "@id, a[name]@name",
        },
        without=(
            "blockquote",
            ".signature",
            ".notice",
            ".attachbox",
            ".inline-attachment",
            ".quotetitle",
            ".quotecontent",
            "td.quote",
            "span.genmed",
        ),
        quoted="blockquote cite a@data-post-id, blockquote cite a[href*='p=']@href",
        thread_id=r"[?&]t=(\d+)",
        title="h2.topic-title, #page-body > h2",
        previous="a[rel=prev]@href, .pagination .previous a@href, .pagination .arrow.previous a@href,"
        " link[rel=prev]@href",
        last=".pagination li:not(.next):not(.arrow):not(.page-jump) a.button@href, .pagination span > a@href",
        row="xpath://ul[contains(@class, 'topiclist') and contains(@class, 'topics')]/li[contains(@class, 'row')]"
        " | //tr[td/a[contains(@class, 'topictitle')] or td/span[contains(@class, 'topictitle')]/a[contains(@href,"
        " 'viewtopic')]]",
        row_link="a.topictitle@href, .topictitle a[href*=viewtopic]@href",
        row_mark="dd.posts, dd.lastpost time@datetime, dd.lastpost, .topicdetails, .postdetails",
        row_last="dd.lastpost a[href*='#p']@href, .topicdetails a[href*='#p']@href, .postdetails a[href*='#']@href",
        boards="a.forumtitle@href",
        following="a[rel=next]@href, .pagination .next a@href, .pagination .arrow.next a@href, link[rel=next]@href",
    ),
    Engine(
        name="vbulletin",
        proved=True,
        signs=r'id="vbulletin_html"|content="vbulletin|vbulletin[_-](?:css|important|global)|vb_(?:global|post)|'
        r'class="b-post|showthread\.php\?',
        item="#posts li[id^='post_'], #posts > div table[id^=post], li.b-post[data-node-id]",
        fields={
            "text": ".postcontent || [id^='post_message_'] || .js-post__content-text",
            "author": ".username_container .username, a.bigusername, .b-userinfo .author a, .guestauthor, .username",
            "author_url": "a.username@href, a.bigusername@href, .author a@href",
            "published_at": ".posthead .date, .postdate, .b-post__timestamp time@datetime, .userinfo_extra dd,"
            " td.thead",
            "url": "a.postcounter@href, a.b-post__count@href, a[id^='postcount']@href",
            "id": "@data-node-id, @id",
        },
        without=(
            ".bbcode_quote",
            ".bbcode_container .bbcode_description",
            ".bbcode_quote_container",
            ".signature",
            "[class*=Signatur]",
            ".after_content",
            ".js-post__content-text blockquote",
            "table[cellpadding='6'] td.alt2",
            "[id^='post_message_'] div.smallfont",
        ),
        quoted=".bbcode_postedby a@href, .bbcode_quote a[href*=post]@href",
        # showthread.php?t=5&page=2, showthread.php?5-Title/page2, /forum/board/5-title/page2
        thread_id=r"(?:showthread\.php\?(?:[^#]{0,80}[?&])?(?:t=)?(?=\d+(?:[-&/#]|$))|"
        r"(?:/threads?/|/)(?=\d+(?:-|$)))(\d+)",
        title=".threadtitle, h1.main-title, .navbar strong",
        previous="a[rel=prev]@href, link[rel=prev]@href, .pagenav a[rel=prev]@href",
        last="a[rel=last]@href, .pagination .first_last a@href, .pagenav a[title*=Last]@href,"
        " .js-pagenav-lastpage@href",
        row="li.threadbit, tbody[id^=threadbits] tr, tr.topic-item",
        row_link="a.title@href, a[id^=thread_title_]@href, a.topic-title@href",
        row_mark=".threadstats li:first-child, .threadlastpost, td[title], .posts-count, .lastpost-date",
        row_last=".threadlastpost a[href*='#post']@href, a.go-to-last-post@href",
        boards=".forumtitle a@href, a.forum-title@href",
    ),
    Engine(
        name="smf",
        signs=r"simple machines|smf_(?:theme_url|scripturl|default_theme|prepare)|simplemachines\.org",
        item="xpath://div[@class = 'inner' and starts-with(@id, 'msg_')]"
        "/ancestor::div[contains(@class, 'post_wrapper') or (contains(@class, 'postarea')"
        " and not(ancestor::div[contains(@class, 'post_wrapper')]))][last()]",
        fields={
            "text": ".inner",
            "author": ".poster h4 a[title], .poster h4 a, .poster h4",
            "author_url": ".poster h4 a[href*='u=']@href",
            "published_at": ".keyinfo .smalltext, .postinfo .smalltext@title, .postinfo .smalltext, .keyinfo",
            "url": ".keyinfo h5 a[href*=msg]@href, .postinfo a[href*=msg]@href, .page_number a@href",
            "id": ".inner@id, .inner@data-msgid, @id",
        },
        without=(".quoteheader", ".quotefooter", "blockquote", "cite", ".signature", ".moderatorbar", ".modified"),
        quoted=".quoteheader a@href, blockquote cite a@href",
        thread_id=r"topic[=,](\d+)",
        title="h2.display_title, h2 .display_title, #top_subject, h5[id^='subject_'] a",
        previous=".pagelinks a.previous_page@href, .pagelinks a[rel=prev]@href",
        last=".pagelinks a.nav_page:not(.next_page):not(.previous_page)@href, .pagelinks a.navPages@href",
        row="#messageindex tbody tr, #topic_container > div",
        row_link="span[id^='msg_'] a@href, .message_index_title a@href, td.subject a@href",
        row_mark=".stats, .lastpost, .board_stats",
        row_last=".lastpost a[href*='#new']@href, .lastpost a[href*=msg]@href",
        boards="a.subject@href, a[name^='b'][href*='board=']@href, a[id^='b'][href*='board=']@href",
        following=".pagelinks a.next_page@href, .pagelinks a[rel=next]@href",
    ),
    Engine(
        name="invision",
        signs=r"data-pageapp=|ipsapp|ips\.setsetting|invision community|ipscomment|ipsdataitem",
        # Version 4 wraps the div of a comment in its article: that is one post.
        item="xpath://article[starts-with(@id, 'elComment_')] | //div[@data-commentid and @data-commentapp"
        " and not(ancestor::article[starts-with(@id, 'elComment_')])]",
        fields={
            "text": "[data-role=commentContent] || .ipsType_richText",
            "author": ".cAuthorPane_author, .cAuthorName, .ipsEntry__username, .ipsComment_author strong,"
            " .cAuthorPane a[href*='/profile/']",
            "author_url": ".cAuthorPane_author a[href*='/profile/']@href, .ipsEntry__username a@href,"
            " .cAuthorPane a[href*='/profile/']@href, .ipsComment_author a[href*='/profile/']@href",
            "published_at": ".ipsComment_meta time@datetime, .ipsEntry__date time@datetime,"
            " .ipsComment_content time@datetime, .ipsColumn time@datetime, time@datetime",
            "url": "a[data-role=shareComment]@href, .ipsComment_meta a[href*=comment]@href, a.ipsEntry__date@href",
            "id": "@id, @data-commentid",
        },
        without=("blockquote", ".ipsQuote", "[data-role=memberSignature]", ".ipsEdited", ".ipsComment_signature"),
        quoted="blockquote[data-ipsquote-contentcommentid]@data-ipsquote-contentcommentid",
        thread_id=r"/topic/(\d+)",
        title="h1.ipsType_pageTitle, h1.ipsPageHeader__title",
        previous="link[rel=prev]@href, .ipsPagination_prev a@href, .ipsPagination__prev a@href",
        last=".ipsPagination_last a@href, .ipsPagination__last a@href, link[rel=last]@href",
        row="li.ipsDataItem[data-rowid], li.ipsData__item[data-rowid]",
        row_link="a[data-role=title]@href, .ipsDataItem_title a[href*='/topic/']@href,"
        " .ipsData__title a[href*='/topic/']@href,"
        " a[href*='/topic/']@href",
        row_mark=".ipsDataItem_stats li:not([data-stattype=num_views]), .ipsDataItem_lastPoster time@datetime,"
        " .ipsData__stats li:not([data-stattype=num_views]), .ipsData__last time@datetime",
        row_last="a[href*='getLastComment']@href",
        boards=".ipsDataItem_title a[href*='/forum/']@href, .cForumRow a[href*='/forum/']@href",
    ),
    Engine(
        name="nodebb",
        signs=r'nodebb|component="(?:post|topic|category)',
        item="[component=post][data-pid]",
        fields={
            "text": "[component='post/content']",
            "author": "@data-username, [itemprop=author]@data-username, [component='user/username'], a[data-username]",
            "author_url": "a[href*='/user/']@href",
            "published_at": "meta[itemprop=datePublished]@content, .timeago@title, time@datetime",
            "url": "a.permanent-link@href, a[href*='/post/']@href",
            "id": "@data-pid",
        },
        without=("blockquote", "[component='post/signature']", ".post-signature"),
        quoted="[component='post/parent']@data-topid",
        thread_id=r"/topic/(\d+)",
        title="[component='topic/title'], h1",
        previous="link[rel=prev]@href",
        last=".pagination li.page:not(.next) a@href",
        row="li[component='category/topic']",
        row_link="[component='topic/header'] a[href*='/topic/']@href, a[itemprop=url]@href, h3 a@href",
        row_mark="@data-last-post, .stats-postcount, .stats:not(.stats-viewcount):not(.stats-votes),"
        " .lastpost .timeago@title, .timeago@title",
        boards="[component='categories/category'] a[href*='/category/']@href",
    ),
    Engine(
        name="askbot",
        proved=True,
        signs=r"askbot|js-question|question-page",
        item=".post.js-question, .post.answer, .comment.js-comment:not([data-comment-id='0'])",
        fields={
            "text": "xpath:self::*[not(contains(@class, 'js-comment'))]"
            "//*[contains(concat(' ', @class, ' '), ' post-body ')]"
            " | self::*[contains(@class, 'js-comment')]//*[contains(@class, 'comment-body')]",
            "author": ".user-info a, a.author",
            "author_url": ".user-info a@href, a.author@href",
            "published_at": "abbr.timeago@title, .timeago@title",
            "id": "@data-post-id, @data-comment-id",
        },
        without=("blockquote", ".comments", ".post-update-info-container", ".comment-controls", ".comment-delete"),
        quoted="",
        thread_id=r"/question/(\d+)",
        title="h1 a, h1",
        previous="link[rel=prev]@href",
        last=".paginator .page a@href",
        row=".short-summary",
        row_link="h2 a@href",
        row_mark=".counts .answers, .timeago@title",
        following=".paginator .next a@href, link[rel=next]@href",
    ),
    Engine(
        name="machina",
        signs=r"forum_conversation|class=\"[^\"]{0,60}topic-name-link|post-content-wrapper|topic-actions-block|machina",
        item="div.card.post[id]",
        fields={
            "text": ".post-content",
            "author": ".post-content-wrapper small a, .post-sidebar .username",
            "author_url": ".post-content-wrapper small a[href*=profile]@href, .post-sidebar .username a@href",
            "published_at": ".post-content-wrapper small",
            "url": ".subject a@href",
            "id": "@id",
        },
        without=_QUOTES,
        quoted="",
        thread_id=r"/topic/[^/]{0,300}?(\d+)/",
        title="h1",
        previous="xpath:.//ul[contains(@class, 'pagination')]/li[not(contains(@class, 'disabled'))][1]"
        "/a[normalize-space() = '«' and @href != '']/@href",
        last="xpath:(.//ul[contains(@class, 'pagination')])[1]/li/a[number(.) = number(.)]/@href",
        row=".topiclist .card-body > .row",
        row_link="a.topic-name-link@href",
        # The first count is that of the answers, the second that of the views.
        row_mark="xpath:(.//*[contains(@class, 'topic-count')])[1] | .//*[contains(@class, 'topic-last-post')]",
        row_last=".topic-last-post a[href*='post=']@href",
        boards="a.forum-name-link@href",
        following="xpath:.//ul[contains(@class, 'pagination')]/li[not(contains(@class, 'disabled'))][last()]"
        "/a[normalize-space() = '»' and @href != '']/@href",
    ),
)
BY_NAME = {engine.name: engine for engine in ENGINES}

"""A deliberately broken build: it leaves a thread at the first post that it knows, as naive crawlers do."""

from collections.abc import Sequence

from crawler.model import Post
from spiders.forum import ForumSpider
from spiders.forum_walk import ThreadWalk


class HastyWalk(ThreadWalk):
    def stops(self, posts: Sequence[Post], fresh: int) -> bool:
        return super().stops(posts, fresh) or (fresh < len(posts) and self.until is not None)


class HastyForum(ForumSpider):
    kind = "forum_hasty"

    def _walk(self, response):  # type: ignore[no-untyped-def]
        walk = super()._walk(response)
        if not isinstance(walk, HastyWalk):
            hasty = HastyWalk(walk.budget, walk.state, walk.order, until=walk.until, overlap=walk.overlap)
            self._walks[self._chain(response)] = walk = hasty
        return walk

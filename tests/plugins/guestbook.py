"""The smallest source kind: a guest book of lines "name: words". A file like this in `plugins/` is a kind."""

from collections.abc import Iterable

from scrapy.http import Response

from crawler.model import Author, Post
from spiders.base import SourceSettings, SourceSpider


class Guestbook(SourceSpider):
    kind = "guestbook"

    class Settings(SourceSettings):
        """Settings of `guestbook`."""

    def posts(self, response: Response) -> Iterable[Post]:
        lines = response.xpath("//pre//text()").get("").splitlines()
        return self.each(filter(str.strip, lines), self.post)

    def post(self, line: str) -> Post:
        name, words = line.split(":", 1)
        return Post(text=words.strip(), author=Author(name.strip()), platform_id=line)

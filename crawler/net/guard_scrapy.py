"""The egress guard for Scrapy: a name resolver on the reactor, so that every connection goes to a checked address.

Literal addresses pass the same resolver. A middleware judges each request's URL (also of redirects and robots.txt),
keeps the resolver in place, and turns "no address" back into the EgressRefused that caused it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scrapy.exceptions import CannotResolveHostError
from scrapy.utils.httpobj import urlparse_cached
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from crawler.errors import CrawlerError, EgressRefused
from crawler.net.guard import EgressPolicy, literal_address, normal_host

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler
    from twisted.python.failure import Failure

_REMEMBERED = 10_000


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """A look-up in a thread cannot be stopped; its answer is dropped by the receiver."""


@implementer(IHostnameResolver)
class GuardedResolver:
    """Twisted's name resolver over `EgressPolicy.resolve`: only allowed addresses come out, refusals are remembered.

    Also usable as Scrapy's setting TWISTED_DNS_RESOLVER, for runs that Scrapy's own command starts.
    """

    def __init__(self, reactor: Any, policy: EgressPolicy) -> None:
        self._reactor = reactor
        self.policy = policy
        self.failures: dict[str, CrawlerError] = {}

    @classmethod
    def from_crawler(cls, crawler: Any, reactor: Any) -> GuardedResolver:
        return cls(reactor, policy_of(crawler))

    def install_on_reactor(self) -> None:
        self._reactor.installNameResolver(self)

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """Resolve off the reactor's thread (a literal address at once) and hand over what the policy allows."""
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)

        def done(addresses: list[str]) -> None:
            self.failures.pop(_key(hostName), None)
            for address in addresses:
                found = _address(address, portNumber, transportSemantics)
                if addressTypes is None or isinstance(found, tuple(addressTypes)):
                    resolutionReceiver.addressResolved(found)
            resolutionReceiver.resolutionComplete()

        def failed(failure: Failure) -> None:
            self._remember(hostName, failure.value)
            resolutionReceiver.resolutionComplete()

        if _is_literal(hostName):
            self._now(hostName, portNumber, done, resolutionReceiver)
        else:
            pool = self._reactor.getThreadPool()
            work = deferToThreadPool(self._reactor, pool, self.policy.resolve, hostName, portNumber)
            work.addCallbacks(done, failed)
        return resolution

    def _now(self, host: str, port: int, done: Any, receiver: Any) -> None:
        try:
            addresses = self.policy.resolve(host, port)
        except CrawlerError as error:
            self._remember(host, error)
            receiver.resolutionComplete()
        else:
            done(addresses)

    def _remember(self, host: str, error: BaseException | None) -> None:
        if len(self.failures) >= _REMEMBERED:
            self.failures.pop(next(iter(self.failures)))
        if isinstance(error, CrawlerError):
            self.failures[_key(host)] = error

    def failure_of(self, host: str) -> CrawlerError | None:
        """Why the last look-up of `host` gave nothing, or None when it gave something."""
        return self.failures.get(_key(host))


def _key(host: str) -> str:
    try:
        return normal_host(host)
    except EgressRefused:
        return host


def _is_literal(host: str) -> bool:
    return ":" in host or literal_address(host) is not None


def _address(address: str, port: int, transport: Any) -> IPv4Address | IPv6Address:
    kind = IPv6Address if ipaddress.ip_address(address).version == 6 else IPv4Address
    return kind(transport, address, port)


def policy_of(crawler: Any) -> EgressPolicy:
    """The policy that the crawler's maker attached as `crawler.egress`, else one from EGRESS_ALLOW_PRIVATE (CIDRs)."""
    attached = getattr(crawler, "egress", None)
    if isinstance(attached, EgressPolicy):
        return attached
    nets = crawler.settings.getlist("EGRESS_ALLOW_PRIVATE")
    return EgressPolicy(tuple(ipaddress.ip_network(net, strict=False) for net in nets))


def install_guard(reactor: Any, policy: EgressPolicy) -> GuardedResolver:
    """Put the guard on the reactor, or give the guard that is there this policy. One policy a process."""
    current = reactor.nameResolver
    if isinstance(current, GuardedResolver):
        current.policy = policy
        return current
    guard = GuardedResolver(reactor, policy)
    guard.install_on_reactor()
    return guard


class EgressMiddleware:
    """Judges every request before anything else does and names the guard's reason when a connection was refused."""

    def __init__(self, policy: EgressPolicy) -> None:
        self.policy = policy
        self._guard: GuardedResolver | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> EgressMiddleware:
        return cls(policy_of(crawler))

    def process_request(self, request: Request) -> None:
        """Raise EgressRefused for a URL that may not be fetched; the errback gets it."""
        from twisted.internet import reactor

        # Scrapy's command installs a resolver of its own after the crawler is built: look at each request.
        self._guard = install_guard(reactor, self.policy)
        if request.meta.get("proxy"):
            raise EgressRefused("a request through a proxy is refused: the proxy would look names up by itself")
        self.policy.check_url(request.url)

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Raise the guard's EgressRefused in place of the "no such host" that Scrapy made of it."""
        if self._guard is None or not isinstance(exception, CannotResolveHostError | DNSLookupError):
            return
        failure = self._guard.failure_of(urlparse_cached(request).hostname or "")
        if isinstance(failure, EgressRefused):
            raise EgressRefused(str(failure)) from None

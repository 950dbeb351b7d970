"""The one place that decides which addresses this program may talk to.

Every name is resolved here, every address that comes back is checked, and the caller connects to a checked address
itself: there is no second DNS look-up that could answer differently. Source of the ranges: the IANA special-purpose
address registries for IPv4 and IPv6, plus the metadata services of cloud providers that live on public addresses.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, Queue
from urllib.parse import SplitResult, urlsplit

import idna

from crawler.errors import EgressRefused, Transient

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str, int], Sequence[str]]
"""Turns (host, port) into addresses in text form; raises OSError when the name does not resolve."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_RANGES: tuple[tuple[IPNetwork, str], ...] = tuple(
    (ipaddress.ip_network(net), words)
    for net, words in (
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a carrier-grade NAT address"),
        ("127.0.0.0/8", "a loopback address"),
        ("168.63.129.16/32", "a cloud metadata address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "a documentation address"),
        ("192.31.196.0/24", "a reserved address"),
        ("192.52.193.0/24", "a reserved address"),
        ("192.88.99.0/24", "a 6to4 relay address"),
        ("192.168.0.0/16", "a private address"),
        ("192.175.48.0/24", "a reserved address"),
        ("198.18.0.0/15", "a benchmarking address"),
        ("198.51.100.0/24", "a documentation address"),
        ("203.0.113.0/24", "a documentation address"),
        ("224.0.0.0/4", "a multicast address"),
        ("255.255.255.255/32", "a broadcast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("::/96", "an IPv4 address inside IPv6"),
        ("::ffff:0:0:0/96", "an IPv4 address inside IPv6"),
        ("64:ff9b::/96", "a NAT64 address"),
        ("64:ff9b:1::/48", "a NAT64 address"),
        ("100::/64", "a discard address"),
        ("2001::/32", "a Teredo address"),
        ("2001::/23", "a reserved address"),
        ("2001:db8::/32", "a documentation address"),
        ("2002::/16", "a 6to4 address"),
        ("2620:4f:8000::/48", "a reserved address"),
        ("3fff::/20", "a documentation address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_V4_INSIDE = tuple(ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
_ISATAP = (0x00005EFE, 0x02005EFE)

# Ports of protocols that a line of HTTP can talk into doing something (mail, shells, databases, brokers).
_PORTS = """
    0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117 119 123 135
    137 138 139 143 161 162 179 389 427 445 465 512 513 514 515 526 530 531 532 540 543 544 548 554 556 563 587 601 636
    873 989 990 992 993 995 1433 1521 1719 1720 1723 2049 2375 2379 3306 3389 3659 4045 4190 5060 5061 5432 5672 5900
    6000 6379 6566 6665 6666 6667 6668 6669 6679 6697 9092 10080 11211 27017
"""
BLOCKED_PORTS = frozenset(int(port) for port in _PORTS.split())
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\\u0085\u00a0\u2028\u2029\ufeff]")


def system_lookup(host: str, port: int) -> list[str]:
    """Addresses of `host` by the system's resolver, in its order, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def normal_host(host: str) -> str:
    """The host in the spelling that is looked up: lower case, punycode, no brackets, no final dot.

    Raises EgressRefused for what cannot be a host name (blanks, percent signs, labels that IDNA refuses).
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    bare = bare.strip().lower()
    if ":" in bare:
        return bare
    if not bare.isascii():
        bare = _punycode(unicodedata.normalize("NFKC", bare).replace("\u3002", "."))
    bare = bare.removesuffix(".")
    if len(bare) > 253 or not _HOST.fullmatch(bare):
        raise EgressRefused(f"{host[:80]!r} is not a host name; check the URL")
    return bare


def _punycode(host: str) -> str:
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise EgressRefused(f"{host[:80]!r} is not a host name; check the URL") from None


def literal_address(host: str) -> IPAddress | None:
    """The address that `host` spells out in any form a resolver would take (127.1, 0x7f.1, 2130706433), else None."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _embedded(ip: IPAddress) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to this IPv6 address would end at."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip.sixtofour:
        return ip.sixtofour
    if ip.teredo:
        return ip.teredo[1]
    if any(ip in net for net in _V4_INSIDE) or (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def _special(ip: IPAddress) -> str | None:
    """What is special about the address, in words; None for one that the open internet routes to one host."""
    for net, words in _RANGES:
        if ip in net:
            return words
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_V6:
        return "not a public address"
    inner = _embedded(ip)
    return _special(inner) if inner is not None else None


@dataclass(frozen=True)
class EgressPolicy:
    """Which URLs and addresses may be talked to.

    `allow_private` are the networks of `network.allow_private`; all other special-purpose ranges are refused. `lookup`
    is the resolver. Every refusal is an EgressRefused that names the setting which would allow the address.
    """

    allow_private: tuple[IPNetwork, ...] = ()
    lookup: Lookup = system_lookup

    def check_url(self, url: str) -> None:
        """Raise EgressRefused unless the URL is plain http/https to a web port and not to a refused literal address."""
        parts = self._split(url)
        port = parts.port if parts.port is not None else DEFAULT_PORTS[parts.scheme]
        self.check_port(port)
        host = normal_host(parts.hostname or "")
        ip = literal_address(host)
        if ip is not None:
            self._demand(str(ip), host)
        elif ":" in host:
            raise EgressRefused(f"{host[:80]!r} is not a host name; check the URL")

    def _split(self, url: str) -> SplitResult:
        if _UNSAFE.search(url):
            raise EgressRefused("the URL holds blanks, control characters or backslashes; write it percent-encoded")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise EgressRefused("the URL cannot be parsed; check its host and port") from None
        if parts.scheme not in DEFAULT_PORTS:
            raise EgressRefused(f"only http and https URLs are fetched, not {parts.scheme[:20] or 'a relative one'}:")
        if "@" in parts.netloc:
            raise EgressRefused("the URL carries a user name or password; use the kind's own settings for them")
        if not parts.hostname or (port is None and parts.netloc.endswith(":")):
            raise EgressRefused("the URL names no host or an empty port; write it like https://example.com/")
        return parts

    def check_port(self, port: int) -> None:
        """Raise EgressRefused for ports where no web server listens."""
        if port in BLOCKED_PORTS or not 0 < port < 65536:
            raise EgressRefused(f"port {port} is not a web port and is never talked to; check the URL")

    def check_address(self, address: str) -> bool:
        """True when a connection to this address (text form, IPv4 or IPv6) is allowed."""
        return self.why_refused(address) is None

    def why_refused(self, address: str) -> str | None:
        """Why the address is refused ("a loopback address"), or None when it is allowed."""
        try:
            ip: IPAddress = ipaddress.ip_address(address)
        except ValueError:
            return "not an address"
        if isinstance(ip, ipaddress.IPv6Address):
            if ip.scope_id:
                return "a link-local address"
            ip = ip.ipv4_mapped or ip
        if any(ip in net for net in self.allow_private):
            inner = _embedded(ip)
            # ::1 sits in ::/96 but carries no IPv4 address; anything else allowed must not smuggle a refused one.
            return None if inner is None or int(ip) <= 1 else self.why_refused(str(inner))
        return _special(ip)

    def _demand(self, address: str, host: str) -> None:
        words = self.why_refused(address)
        if words is not None:
            raise EgressRefused(self._message(host, [address]))

    def _message(self, host: str, addresses: Sequence[str]) -> str:
        address = addresses[0]
        named = address if host == address else f"{host} ({address})"
        return (
            f"{named} is {self.why_refused(address)}, which is refused; to allow it, name it in the setting "
            f"network.allow_private, e.g. allow_private: [{address.split('%')[0]}]"
        )

    def resolve(self, host: str, port: int, timeout: float = 10.0) -> list[str]:
        """The addresses of `host` that may be connected to, in the resolver's order; never empty.

        Raises EgressRefused when every address is refused, Transient when the name does not resolve in `timeout` s.
        """
        name = normal_host(host)
        ip = literal_address(name)
        found = [str(ip)] if ip is not None else self._look_up(name, port, timeout)
        allowed = [address for address in found if self.check_address(address)]
        if not allowed:
            raise EgressRefused(self._message(name, found))
        return allowed

    def _look_up(self, name: str, port: int, timeout: float) -> list[str]:
        try:
            found = list(_within(timeout, lambda: self.lookup(name, port)))
        except TimeoutError:
            raise Transient(f"the name {name} did not resolve within {timeout:g} s; is DNS working?") from None
        except UnicodeError:
            raise EgressRefused(f"{name[:80]!r} is not a host name; check the URL") from None
        except OSError as error:
            raise Transient(f"the name {name} does not resolve ({error.strerror or type(error).__name__})") from None
        if not found:
            raise Transient(f"the name {name} does not resolve (no address)")
        return found


def _within(seconds: float, call: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Run `call` in a thread of its own: the system's resolver knows no deadline. Raises TimeoutError."""
    answer: Queue[Sequence[str] | BaseException] = Queue(1)

    def work() -> None:
        try:
            answer.put(call())
        except BaseException as error:
            answer.put(error)

    threading.Thread(target=work, name="resolve", daemon=True).start()
    try:
        result = answer.get(timeout=max(seconds, 0.001))
    except Empty:
        raise TimeoutError from None
    if isinstance(result, BaseException):
        raise result
    return result

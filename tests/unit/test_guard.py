"""The egress guard: every spelling of an address that is not public is refused, and only what is named is allowed."""

from __future__ import annotations

import ipaddress
import pickle
import socket
import time
from collections.abc import Iterator

import httpx2
import pytest

from crawler.errors import EgressRefused, Transient
from crawler.net.guard import BLOCKED_PORTS, EgressPolicy, literal_address, normal_host, system_lookup

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
V4 = [
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.254",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.1",
    "192.0.0.192",
    "192.0.2.7",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.9",
    "203.0.113.5",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
]
V6 = [
    "::",
    "::1",
    "::2",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:db8::1",
    "2620:4f:8000::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::200e"]


def nobody(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def spellings(address: str) -> Iterator[str]:
    """URL hosts that some client or resolver reads as this IPv4 address."""
    a, b, c, d = (int(part) for part in address.split("."))
    number = int(ipaddress.IPv4Address(address))
    yield address
    yield f"{address}."
    yield f"{number}"
    yield f"{number:#x}"
    yield f"0X{number:X}"
    yield f"0{number:o}"
    yield f"{a}.{(b << 16) | (c << 8) | d}"
    yield f"{a}.{b}.{(c << 8) | d}"
    yield ".".join(f"{part:#x}" for part in (a, b, c, d))
    yield ".".join(f"0{part:o}" for part in (a, b, c, d))
    yield ".".join(f"000{part:o}" for part in (a, b, c, d))
    yield f"{a:#x}.0{b:o}.{c}.{d}"
    yield f"{a:#010x}.{(b << 16) | (c << 8) | d:#x}"
    yield address.replace(".", "\u3002")
    yield address.translate({ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)})
    yield address.replace(".", "%2e")
    yield "".join(f"%{ord(char):02x}" for char in address)
    yield f"[::ffff:{address}]"
    yield f"[::ffff:{a:02x}{b:02x}:{c:02x}{d:02x}]"
    yield f"[0:0:0:0:0:ffff:{address}]"
    yield f"[::{address}]"
    yield f"[::ffff:0:{address}]"
    yield f"[64:ff9b::{address}]"
    yield f"[64:ff9b:1::{address}]"
    yield f"[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]"
    yield f"[2a00:1450::5efe:{address}]"
    yield f"user@{address}"
    yield f"1.1.1.1@{address}"
    yield f"1.1.1.1\\@{address}"
    yield f"{address}\t"


def refused_forms() -> list[str]:
    forms = [f"http://{host}/" for address in V4 for host in spellings(address)]
    forms += [f"http://[{address}]:8080/" for address in V6]
    forms += [f"http://[{ipaddress.IPv6Address(address).exploded}]/" for address in V6]
    forms += ["http://[fe80::1%25eth0]/", "http://[::1%250]/", "http://1/", "http://0/", "http://127.0.0.1:80:80/"]
    return forms


def fetch_would_refuse(policy: EgressPolicy, url: str) -> bool:
    """What a client does: judge the URL, then resolve the host of the URL as the client itself parsed it."""
    try:
        policy.check_url(url)
        target = httpx2.URL(url)
        policy.resolve(target.host, target.port or 80)
    except (EgressRefused, httpx2.InvalidURL):
        return True
    except Transient:
        # A name that no resolver knows: nothing was connected to either.
        return True
    return False


def test_there_are_enough_forms() -> None:
    assert len(set(refused_forms())) >= 500


def test_every_spelling_of_a_special_address_is_refused() -> None:
    policy = EgressPolicy(lookup=nobody)
    assert [url for url in refused_forms() if not fetch_would_refuse(policy, url)] == []


def test_the_system_resolver_finds_no_way_around() -> None:
    """The same with the real resolver, which reads many odd spellings as addresses."""
    policy = EgressPolicy(lookup=system_lookup)
    local = [f"http://{host}/" for host in spellings("127.0.0.1") if "ff10" not in host]
    assert [url for url in local if not fetch_would_refuse(policy, url)] == []


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    policy = EgressPolicy(lookup=nobody)
    host = f"[{address}]" if ":" in address else address
    policy.check_url(f"https://{host}/path?q=1")
    assert policy.resolve(host, 443) == [address]


@pytest.mark.parametrize("address", V4 + V6)
def test_a_name_that_leads_to_a_special_address_is_refused(address: str) -> None:
    policy = EgressPolicy(lookup=lambda host, port: [address])
    policy.check_url("http://innocent.example/")
    with pytest.raises(EgressRefused, match=r"innocent\.example .*network\.allow_private"):
        policy.resolve("innocent.example", 80)


def test_only_the_allowed_addresses_of_a_mixed_answer_are_used() -> None:
    policy = EgressPolicy(lookup=lambda host, port: ["127.0.0.1", "1.1.1.1", "10.0.0.1", "::1"])
    assert policy.resolve("mixed.example", 80) == ["1.1.1.1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"])
def test_a_named_network_is_allowed_in_every_spelling(host: str) -> None:
    policy = EgressPolicy(LOOPBACK)
    policy.check_url(f"http://{host}:8000/")
    assert "127.0.0.1" in [address.removeprefix("::ffff:") for address in policy.resolve(host, 8000)] or host[0] == "["


def test_naming_one_network_allows_no_other() -> None:
    policy = EgressPolicy(LOOPBACK)
    assert [address for address in V4 if policy.check_address(address)] == ["127.0.0.1", "127.1.2.3"]
    assert [address for address in V6 if policy.check_address(address)] == []


def test_an_allowed_wrapper_does_not_smuggle_a_refused_address() -> None:
    policy = EgressPolicy((ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16")))
    assert policy.check_address("64:ff9b::8.8.8.8")
    assert not policy.check_address("64:ff9b::127.0.0.1")
    assert not policy.check_address("2002:7f00:1::1")
    assert EgressPolicy((ipaddress.ip_network("::1/128"),)).check_address("::1")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.com/",
        "example.com",
        "",
        "http://",
        "http:///path",
        "http://user:pw@example.com/",
        "http://example.com:/",
        "http://example.com:99999/",
        "http://example.com:-1/",
        "http://exa mple.com/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com\n.evil/",
        "http://[::1/",
        "http://[example.com]/",
        "http://exa%6dple.com/",
        "http://.example.com/",
        "http://a..b/",
        "http://\u2024example.com/",
    ],
)
def test_urls_that_are_no_plain_web_urls_are_refused(url: str) -> None:
    with pytest.raises(EgressRefused):
        EgressPolicy(LOOPBACK, nobody).check_url(url)


@pytest.mark.parametrize("port", sorted(BLOCKED_PORTS - {0}))
def test_ports_of_other_protocols_are_refused(port: int) -> None:
    with pytest.raises(EgressRefused, match=f"port {port}"):
        EgressPolicy().check_url(f"http://example.com:{port}/")


@pytest.mark.parametrize("port", [80, 443, 3000, 8000, 8080, 8443, 9200, 40000, 65535])
def test_web_ports_pass(port: int) -> None:
    EgressPolicy().check_url(f"http://example.com:{port}/")


def test_international_names_are_looked_up_in_punycode() -> None:
    asked: list[str] = []

    def lookup(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["1.1.1.1"]

    policy = EgressPolicy(lookup=lookup)
    policy.check_url("https://Пример.рф/")
    policy.resolve("Пример.рф", 443)
    policy.resolve("EXAMPLE.com.", 443)
    assert asked == ["xn--e1afmkfd.xn--p1ai", "example.com"]


def test_no_answer_and_a_slow_resolver_are_transient() -> None:
    with pytest.raises(Transient, match="does not resolve"):
        EgressPolicy(lookup=nobody).resolve("nope.example", 80)
    with pytest.raises(Transient, match="does not resolve"):
        EgressPolicy(lookup=lambda host, port: []).resolve("nope.example", 80)

    def slow(host: str, port: int) -> list[str]:
        time.sleep(1)
        return ["1.1.1.1"]

    started = time.monotonic()
    with pytest.raises(Transient, match=r"within 0\.1 s"):
        EgressPolicy(lookup=slow).resolve("slow.example", 80, timeout=0.1)
    assert time.monotonic() - started < 0.9


def test_helpers() -> None:
    assert normal_host("[::1]") == "::1"
    assert str(literal_address("0x7f.1")) == "127.0.0.1"
    assert literal_address("example.com") is None
    assert not EgressPolicy().check_address("not an address")


def test_a_policy_travels_to_a_child_process() -> None:
    policy = EgressPolicy(LOOPBACK)
    assert pickle.loads(pickle.dumps(policy)) == policy

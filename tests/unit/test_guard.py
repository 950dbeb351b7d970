"""The egress guard: every spelling of an address that is not public is refused, and only what is named is allowed."""

from __future__ import annotations

import ipaddress
import pickle
import socket
import time

import httpx2
import pytest
from addresses import V4, V6, refused_forms, spellings

from crawler.errors import EgressRefused, Transient
from crawler.net.guard import BLOCKED_PORTS, EgressPolicy, literal_address, normal_host, system_lookup

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::200e"]


def nobody(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


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
    local = [f"http://{host}/" for host in spellings("127.0.0.1")]
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

"""Addresses that are not of the open internet, in every spelling that some client or resolver reads as them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

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

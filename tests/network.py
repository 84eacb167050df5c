"""No test may phone out: reaching for anything but this machine raises. Needs the stdlib only."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

NAMES_OF_THIS_MACHINE = {"localhost", "localhost.localdomain", ""}


class NetworkBlocked(OSError):
    """A test or the server under test tried to leave this machine."""


def is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if name in NAMES_OF_THIS_MACHINE or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_foreign(family: int, address: Any) -> None:
    inet = family in (socket.AF_INET, socket.AF_INET6)
    if inet and isinstance(address, tuple) and not is_loopback(address[0]):
        raise NetworkBlocked(f"tests may only reach this machine, not {address[0]}")


def block_network() -> None:
    """Guard the calls by which Python code reaches another host, name look-ups among them."""
    guard_method("connect")
    guard_method("connect_ex")
    guard_method("sendto")
    plain_lookup = socket.getaddrinfo

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        numeric = kwargs.get("flags", 0) & socket.AI_NUMERICHOST
        if host is not None and not numeric and not is_loopback(host):
            raise NetworkBlocked(f"tests may not look up {host}")
        return plain_lookup(host, *args, **kwargs)

    socket.getaddrinfo = lookup


def guard_method(name: str) -> None:
    plain = getattr(socket.socket, name)

    def guarded(self: socket.socket, *args: Any) -> Any:
        refuse_foreign(self.family, args[-1])
        return plain(self, *args)

    setattr(socket.socket, name, guarded)

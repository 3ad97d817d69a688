"""Which addresses a registry may lead to.

The user chose the registry, so its own address may be anything. Where it leads by a redirect is the
choice of a stranger: a registry in the internet must not make this machine ask its own services or
those of its local network (server-side request forgery).
"""

import ipaddress

__all__ = ["is_private", "is_public", "may_connect"]


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the internet; what is no address is not."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def is_private(host: str) -> bool:
    """Tell whether a host is an IP address that is none of the internet; a name is not."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return not is_public(host)


def may_connect(address: str, *, registry_is_public: bool) -> bool:
    """Tell whether a connection on behalf of a registry may go to an address."""
    return is_public(address) or not registry_is_public


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

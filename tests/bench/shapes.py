"""Rules and prefixes of one shape, as each program wants to read them."""

import dataclasses
import ipaddress

import policies


@dataclasses.dataclass(frozen=True)
class Rule:
    """Allows new connections to a port, from anywhere or from one IPv4 address."""
    port: int
    source: str = ""
    protocol: str = "tcp"


LAST_PORT = 10_000  # the port of the last rule, however many there are
LAST_SOURCE = "10.66.0.2"
SHAPES = {"port": "port", "address": "address and port"}


def rules(count, shape="port", protocol="tcp"):
    """`count` rules no two of which are alike. The last one is for LAST_PORT and, with addresses,
    LAST_SOURCE; no other is."""
    first = LAST_PORT - count + 1
    if shape == "port":
        return [Rule(port, protocol=protocol) for port in range(first, LAST_PORT + 1)]
    base = int(ipaddress.IPv4Address("10.128.0.0"))
    made = [Rule(port, str(ipaddress.IPv4Address(base + port * 37)), protocol)
            for port in range(first, LAST_PORT)]
    return made + [Rule(LAST_PORT, LAST_SOURCE, protocol)]


def yaml(wanted):
    """A policy file; also what fwctld itself writes into rules.yaml."""
    lines = ["version: 1"] + (["rules:"] if wanted else [])
    for rule in wanted:
        lines.append(f"  - allow: {rule.port}/{rule.protocol}")
        if rule.source:
            lines.append(f"    from: {rule.source}")
    return "\n".join(lines) + "\n"


NFT_TABLE = """\
add table inet bench
add chain inet bench input { type filter hook input priority 0; policy drop; }
add rule inet bench input iifname "lo" accept
add rule inet bench input ct state established,related accept
add rule inet bench input meta l4proto { icmp, ipv6-icmp } accept
"""


def nft(wanted):
    """For nft -f: rule by rule, as people write and generate them."""
    lines = [f"add rule inet bench input {f'ip saddr {rule.source} ' if rule.source else ''}"
             f"{rule.protocol} dport {rule.port} accept\n" for rule in wanted]
    return NFT_TABLE + "".join(lines)


def iptables(rule, chain):
    source = f" -s {rule.source}" if rule.source else ""
    return f"-A {chain}{source} -p {rule.protocol} --dport {rule.port} -j ACCEPT\n"


def iptables_restore(wanted):
    """For iptables-restore, which knows one family only."""
    return ("*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n"
            "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n-A INPUT -p icmp -j ACCEPT\n"
            + "".join(iptables(rule, "INPUT") for rule in wanted) + "COMMIT\n")


def ufw(wanted, family):
    """What stands between the two marks of ufw's user.rules (4) or user6.rules (6)."""
    anywhere, chain = ("0.0.0.0/0", "ufw-user-input") if family == 4 else ("::/0", "ufw6-user-input")
    return "".join(
        f"\n### tuple ### allow {rule.protocol} {rule.port} {anywhere} any {rule.source or anywhere} in\n"
        + iptables(rule, chain)
        for rule in wanted if family == 4 or not rule.source)


def prefixes(count):
    """`count` disjoint IPv4 prefixes in order, none beside another; half are single addresses, as in
    published block lists. At most a million and a half."""
    lengths = (32, 24, 32, 28, 32, 23, 32, 27)
    base = int(ipaddress.IPv4Address("16.0.0.0"))
    for index in range(count):
        length = lengths[index % len(lengths)]
        address = base + index * 1024
        text = f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
        yield text if length == 32 else f"{text}/{length}"


def pairs(count):
    """`count` IPv4 addresses with a port, in no order and no two alike, as (address, port). At most
    2^28. bare.cpp makes the same."""
    for index in range(count):
        address = 0x10000000 + (index * 2654435761 & 0x0fffffff)
        yield str(ipaddress.IPv4Address(address)), 1024 + index * 7 % 60_000


SET_FILE = "sets/unwanted.txt"
SET_POLICY = policies.of_set("unwanted", SET_FILE, "deny")
PAIRS_FILE = "sets/partners.txt"
PAIRS_POLICY = policies.of_set("partners", PAIRS_FILE, "allow")


def pairs_file(wanted):
    return "".join(f"{address} {port}/tcp\n" for address, port in wanted)


def nft_map(wanted):
    """Its size is declared, as fwctl and the bare transaction do it."""
    return ("add table inet bench\nadd map inet bench partners { type ipv4_addr . inet_proto . inet_service "
            f": verdict; size {len(wanted)}; }}\nadd element inet bench partners {{ "
            + ", ".join(f"{address} . tcp . {port} : accept" for address, port in wanted) + " }\n")


def nft_ports(wanted):
    """The ports of the rules in a set to which one more costs the same whatever is there. (The kernel goes
    through a set of ports alone, without the protocol.)"""
    elements = "".join(f"add element inet bench ports {{ {rule.protocol} . {rule.port} }}\n" for rule in wanted)
    return ("add table inet bench\nadd set inet bench ports { type inet_proto . inet_service; size 65536; }\n"
            + elements)


def nft_set(wanted):
    return ("add table inet bench\nadd set inet bench unwanted { type ipv4_addr; flags interval; }\n"
            "add element inet bench unwanted { " + ", ".join(wanted) + " }\n")


def ipset(wanted, count):
    return (f"create unwanted hash:net family inet maxelem {max(2 * count, 65536)}\n"
            + "".join(f"add unwanted {prefix}\n" for prefix in wanted))

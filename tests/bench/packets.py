"""What a ruleset costs each new flow: packets over a cable between two namespaces, judged by the
server's rules."""

import json
import os
import pathlib
import socket
import struct

import ground
import lab
import measure
import shapes
import ufw
from report import Row, at_least

TITLE = "New flows a second"
PEERS = ("nft", "ufw")
FLOWS = pathlib.Path(os.environ.get("FLOWS", lab.BUILD / "tests/bench/flows"))
SECONDS = 1.0
MOST = {"tcp": 20_000, "udp": 60_000}  # below nf_conntrack_max, and one source port each for UDP
BUDGETS = {"tcp": 0.95, "udp": 0.9}
NAMES = {"tcp": "TCP connections", "udp": "UDP packets of new flows"}
TRACKING = ("add table inet bench\n"
            "add chain inet bench input { type filter hook input priority 0; policy accept; }\n"
            "add rule inet bench input ct state established,related accept\n")


def seconds(rounds, quick):
    return 2 * ((rounds + 1) * (2 if quick else 10) + 25)


def measured(bench):
    rows = []
    for protocol in NAMES:
        with bench.ground.part() as place:
            rows += of_protocol(bench, place, protocol)
    return rows


def of_protocol(bench, place, protocol):
    few, many = (1, 100), 1_000 if bench.quick else 10_000
    makers = {"none": lambda server: None,
              "nft tracking": lambda server: ground.run(server, "nft", "-f", "-", input=TRACKING)}
    for shape in shapes.SHAPES:
        for count in (*few, many):
            makers[f"fwctl {shape} {count}"] = (
                lambda server, rules=shapes.rules(count, shape, protocol): place.fwctl(
                    server, {"rules.yaml": shapes.yaml(rules)}))
    rules = shapes.rules(many, protocol=protocol)
    makers["nft linear"] = lambda server: ground.run(server, "nft", "-f", "-", input=shapes.nft(rules))
    makers["ufw"] = lambda server: with_ufw(server, rules)

    contestants = bench.ready(
        {name: lambda pair, name=name, make=make: contestant(bench, protocol, name, make, pair)
         for name, make in makers.items()}, place.pair)
    found = bench.compare(NAMES[protocol], contestants)

    tracking = bench.series(found, "nft tracking")
    rows = []
    for shape, words in shapes.SHAPES.items():
        for count in (*few, many):
            demanded = count == many and not bench.quick
            rows.append(Row(f"{NAMES[protocol]}, last of {count:,} by {words}", "/s",
                            found[f"fwctl {shape} {count}"], "connection tracking alone", tracking,
                            "the rate", at_least(BUDGETS[protocol]) if demanded else None))
    for name, words in (("none", "no rules at all"), ("nft linear", f"nft, {many:,} rules in a row"),
                        ("ufw", f"ufw, {many:,} rules")):
        rows.append(Row(f"{NAMES[protocol]}, last of {many:,} by {shapes.SHAPES['port']}", "/s",
                        found[f"fwctl port {many}"], words, bench.series(found, name), "the rate"))
    return rows


def with_ufw(server, rules):
    ufw.prepare(rules)
    ufw.enable(server)


def contestant(bench, protocol, name, make, pair):
    server, client = pair
    make(server)
    lab.sysctl(client, "net.ipv4.ip_local_port_range", "1024 65535")
    if name not in ("none", "nft tracking"):  # it must be the rules that let the packets in
        found = lab.probe(ground.SERVER_ADDRESS, shapes.LAST_PORT + 1, namespace=client, wait=0.3)
        measure.expect(f"{name}: a port without a rule", found, "filtered")

    def turn(_):
        duration = SECONDS / 5 if bench.quick else SECONDS
        try:
            done = lab.run(FLOWS, protocol, f"/run/netns/{client}", f"/run/netns/{server}",
                           ground.SERVER_ADDRESS, shapes.LAST_PORT, duration, MOST[protocol])
        finally:
            forget_flows(server)
        figures = json.loads(done.stdout)
        if figures["lost"] > figures["arrived"] / 100:
            raise measure.Failed(f"{name}: {figures['lost']} flows of {figures['arrived']} were lost")
        return figures["arrived"] / figures["seconds"]
    return measure.Contestant(turn)


def forget_flows(namespace):
    """Empties the connection tracking table, which is one for all namespaces in the kernel: each turn
    finds it as the others did."""
    delete, flags = 1 << 8 | 2, 1 | 4  # IPCTNL_MSG_CT_DELETE without a tuple; REQUEST | ACK
    with lab.inside(namespace), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netfilter:
        netfilter.send(struct.pack("=IHHIIBBH", 20, delete, flags, 1, 0, 0, 0, 0))
        [error] = struct.unpack_from("=i", netfilter.recv(4096), 16)
        if error:
            raise OSError(-error, f"emptying connection tracking: {os.strerror(-error)}")

"""Many rules of one shape at once, from the text to the kernel."""

import time

import ground
import measure
import sets
import shapes
import ufw
from report import Row, at_least

TITLE = "Many rules at once (file to kernel)"
PEERS = ("nft", "iptables-restore", "ufw")
BARE = {"port": "ports", "address": "sources"}  # what sets.BARE calls the shapes


def seconds(rounds, quick):
    return 2 * ((rounds + 1) * (2 if quick else 9) + 5)


def measured(bench):
    rows = []
    count = 1_000 if bench.quick else 10_000
    for shape, words in shapes.SHAPES.items():
        with bench.ground.part() as place:
            rows += of_shape(bench, place, f"{count:,} rules by {words}", shapes.rules(count, shape),
                             BARE[shape])
    return rows


def of_shape(bench, place, title, rules, kind):
    contestants = bench.ready({
        "fwctl": lambda namespace: fwctl(bench, place, namespace, rules),
        "bare": lambda namespace: sets.bare(namespace, kind, len(rules)),
        "nft": lambda namespace: nft(place, namespace, rules),
        "iptables-restore": lambda namespace: iptables(place, namespace, rules),
        "ufw": lambda namespace: ufw_enable(namespace, rules)}, place.namespace)
    found = bench.compare(title, contestants)
    return [Row(title, "ms", found["fwctl"], "the bare transaction", found["bare"], "the cost")] + [
        Row(title, "ms", found["fwctl"], words, bench.series(found, name), "as fast",
            None if bench.quick or not budget else at_least(budget))
        for name, words, budget in (("nft", "nft -f, rule by rule", 2),
                                    ("iptables-restore", "iptables-restore (IPv4 only)", None),
                                    ("ufw", "ufw enable", None))]


def fwctl(bench, place, namespace, rules):
    """`fwctl apply` in place of an empty policy."""
    server = place.fwctl(namespace)
    empty, full = place.file("empty.yaml", shapes.yaml([])), place.file("full.yaml", shapes.yaml(rules))

    def turn(_):
        with server.awake():
            server.timed("apply", empty)
            time.sleep(measure.CHANGES_THAT_LINGER)
            took = server.timed("apply", full)
            time.sleep(measure.CHANGES_THAT_LINGER)
        return took

    def check(_):
        with server.awake():
            measure.expect("rules of fwctl", server.rules(), len(rules))
    return measure.Contestant(turn, check)


def nft(place, namespace, rules):
    file = place.file("rules.nft", shapes.nft(rules))

    def turn(number):
        if number:
            ground.run(namespace, "nft", "delete", "table", "inet", "bench")
        return ground.timed(namespace, "nft", "-f", file)

    def check(_):
        listing = ground.run(namespace, "nft", "list", "table", "inet", "bench").stdout
        measure.expect("rules of nft", listing.count("tcp dport "), len(rules))
    return measure.Contestant(turn, check)


def iptables(place, namespace, rules):
    empty = place.file("empty.iptables", shapes.iptables_restore([]))
    full = place.file("full.iptables", shapes.iptables_restore(rules))

    def turn(_):
        ground.run(namespace, "iptables-restore", empty)
        return ground.timed(namespace, "iptables-restore", full)

    def check(_):
        saved = ground.run(namespace, "iptables-save").stdout
        measure.expect("rules of iptables", saved.count("--dport "), len(rules))
    return measure.Contestant(turn, check)


def ufw_enable(namespace, rules):
    ufw.prepare(rules)

    def turn(_):
        ufw.disable(namespace)
        return ufw.enable(namespace)

    def check(_):
        measure.expect("rules of ufw", ufw.loaded(namespace), len(rules))
    return measure.Contestant(turn, check)

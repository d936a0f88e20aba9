"""One rule more: from the start of the command to its exit."""

import re
import time

import ground
import lab
import measure
import shapes
import ufw
from report import Row, at_least

TITLE = "One rule more (process start to exit)"
PEERS = ("nft", "ufw")
FIRST_NEW_PORT = 20_000
LEAST_CHANGE = lab.BUILD / "tests/bench/least_change"

BUDGETS = {("nft", 0): 2.5, ("ufw", 0): 50, ("nft", 10_000): 2.5, ("ufw", 10_000): 200}


def seconds(rounds, quick):
    return (rounds + 1) * (2 if quick else 8) + (3 if quick else 30)


def measured(bench):
    rows = []
    for there in (0, 1_000) if bench.quick else (0, 1_000, 10_000):
        with bench.ground.part() as place:
            rows += with_rules(bench, place, there)
    return rows


def with_rules(bench, place, there):
    rules = shapes.rules(there)
    contestants = bench.ready({
        "fwctl": lambda namespace: fwctl(bench, place, namespace, rules),
        "nft": lambda namespace: nft(place, namespace, rules),
        "ufw": lambda namespace: ufw_allow(namespace, rules),
        "least": lambda namespace: least(place, namespace, rules)}, place.namespace)
    contestants["true"] = measure.Contestant(lambda _: measure.timed("true"))
    title = f"one rule more, {there:,} there"
    found = bench.compare(title, contestants)
    rows = [Row(title, "ms", found["fwctl"], "starting 'true'", found["true"], "the cost"),
            Row(title, "ms", found["fwctl"], "the least that is kept", found["least"], "the cost")]
    peers = (("nft", "nft add rule"), ("ufw", "ufw allow"))
    for name, words in peers:
        budget = BUDGETS.get((name, there))
        rows.append(Row(title, "ms", found["fwctl"], words, bench.series(found, name), "as fast",
                        at_least(budget) if budget else None))
    for name, words in peers:
        rows.append(Row("  the least that is kept", "ms", found["least"], words, bench.series(found, name),
                        "as fast"))
    return rows


def fwctl(bench, place, namespace, rules):
    server = place.fwctl(namespace, {"rules.yaml": shapes.yaml(rules)})

    def turn(number):
        took = server.timed("allow", f"{FIRST_NEW_PORT + number}/tcp")
        if not bench.quick:
            time.sleep(measure.CHANGES_THAT_LINGER)  # not at the next contestant's expense
        return took

    def check(turns):
        measure.expect("rules of fwctl", server.rules(), len(rules) + turns)
    return measure.Contestant(turn, check)


def least(place, namespace, rules):
    """What any program takes that keeps a change: a process, a synced line, one element of a set."""
    file = place.file("ports.nft", shapes.nft_ports(rules))
    ground.run(namespace, "nft", "-f", file)
    kept = place.file("kept", "")

    def turn(number):
        return ground.timed(namespace, LEAST_CHANGE, kept, number)

    def check(turns):
        listing = ground.run(namespace, "nft", "list", "set", "inet", "bench", "ports").stdout
        [elements] = re.findall(r"elements = {([^}]*)}", listing)
        measure.expect("elements of the least change", len(elements.split(",")), len(rules) + turns)
    return measure.Contestant(turn, check)


def nft(place, namespace, rules):
    ground.run(namespace, "nft", "-f", place.file("rules.nft", shapes.nft(rules)))

    def turn(number):
        return ground.timed(namespace, "nft", "add", "rule", "inet", "bench", "input", "tcp", "dport",
                            str(FIRST_NEW_PORT + number), "accept")

    def check(turns):
        listing = ground.run(namespace, "nft", "list", "table", "inet", "bench").stdout
        measure.expect("rules of nft", listing.count("tcp dport "), len(rules) + turns)
    return measure.Contestant(turn, check)


def ufw_allow(namespace, rules):
    ufw.prepare(rules)
    ufw.enable(namespace)

    def turn(number):
        return ground.timed(namespace, "ufw", "allow", f"{FIRST_NEW_PORT + number}/tcp")

    def check(turns):
        measure.expect("rules of ufw", ufw.loaded(namespace), len(rules) + turns)
    return measure.Contestant(turn, check)

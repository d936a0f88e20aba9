"""One rule more: from the start of the command to its exit."""

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
SYNCED_LINE = lab.BUILD / "tests/bench/synced_line"

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
        "ufw": lambda namespace: ufw_allow(namespace, rules)}, place.namespace)
    contestants["true"] = measure.Contestant(lambda _: measure.timed("true"))
    kept = place.file("kept", "")
    contestants["line"] = measure.Contestant(lambda number: measure.timed(SYNCED_LINE, kept, number))
    title = f"one rule more, {there:,} there"
    found = bench.compare(title, contestants)
    rows = [Row(title, "ms", found["fwctl"], "starting 'true'", found["true"], "the cost"),
            Row(title, "ms", found["fwctl"], "starting, a synced line", found["line"], "the cost")]
    for name, words in (("nft", "nft add rule"), ("ufw", "ufw allow")):
        budget = BUDGETS.get((name, there))
        rows.append(Row(title, "ms", found["fwctl"], words, bench.series(found, name), "as fast",
                        at_least(budget) if budget else None))
    rows.append(Row("  a synced line and nothing else", "ms", found["line"], "nft add rule",
                    bench.series(found, "nft"), "as fast"))
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

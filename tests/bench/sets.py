"""Big sets of addresses, and of addresses with ports: from a file, and one address more."""

import time

import ground
import lab
import measure
import shapes
from report import Row, at_least, at_most

TITLE = "Sets of addresses"
BARE = lab.BUILD / "tests/bench/bare"
PEERS = ("nft", "ipset")
MOST_ROUNDS = 5  # of a million prefixes: each takes half a minute in nft


def seconds(rounds, quick):
    if quick:
        return (rounds + 1) * 13
    return (min(rounds, MOST_ROUNDS) + 1) * 40 + (rounds + 1) * 14 + 20


def measured(bench):
    with bench.ground.part() as place:
        rows = from_file(bench, place, 10_000 if bench.quick else 1_000_000)
    with bench.ground.part() as place:
        rows += pairs(bench, place, 1_000 if bench.quick else 100_000)
    with bench.ground.part() as place:
        rows += one_more(bench, place, 100, 1_000 if bench.quick else 100_000)
    return rows


# --- from a file

def from_file(bench, place, count):
    prefixes = list(shapes.prefixes(count))
    title = f"{count:,} prefixes from a file"
    contestants = bench.ready({
        "fwctl": lambda namespace: fwctl_file(place, namespace, prefixes),
        "bare": lambda namespace: bare(namespace, "prefixes", count),
        "nft": lambda namespace: nft_file(place, namespace, shapes.nft_set(prefixes)),
        "ipset": lambda namespace: ipset_file(place, namespace, prefixes)}, place.namespace)
    found = bench.compare(title, contestants, min(bench.rounds, MOST_ROUNDS))
    return [beside_bare(bench, title, found, 1.3)] + [
        Row(title, "ms", found["fwctl"], words, bench.series(found, name), "as fast",
            None if bench.quick else at_least(budget))
        for name, words, budget in (("nft", "nft -f", 7), ("ipset", "ipset restore", 2))]


def beside_bare(bench, title, found, limit):
    return Row(title, "ms", found["fwctl"], "the bare transaction", found["bare"], "the cost",
               None if bench.quick else at_most(limit))


def fwctl_file(place, namespace, prefixes):
    return fwctl_grows(place, namespace, shapes.SET_POLICY, shapes.SET_FILE,
                       [prefix + "\n" for prefix in prefixes])


def fwctl_grows(place, namespace, policy, name, lines):
    """`fwctl reload` after the file of that name grew from its first line to all."""
    server = place.fwctl(namespace, {"policy.yaml": policy, name: ""})
    file = server.daemon.config / name
    text = "".join(lines)

    def reload(said):
        file.write_text(said)
        took = server.timed("reload")
        time.sleep(measure.CHANGES_THAT_LINGER)
        return took

    def turn(_):
        with server.awake():
            reload(lines[0])
            took = reload(text)
            [one] = server.daemon.json("set", "list")["sets"]
            measure.expect("entries of fwctl's set", one["count"], len(lines))
            reload(lines[0])  # else the next start would load them all again
        return took
    return measure.Contestant(turn)


def bare(namespace, kind, count, *kept):
    """What the kernel takes for it, from whoever sends no more than that. With a file and a number of
    bytes: and keeps as much."""
    def turn(number):
        if number:
            ground.run(namespace, "nft", "delete", "table", "inet", "bench")
        return ground.timed(namespace, BARE, kind, count, *kept)
    return measure.Contestant(turn)


def nft_file(place, namespace, text):
    file = place.file("set.nft", text)

    def turn(number):
        if number:
            ground.run(namespace, "nft", "delete", "table", "inet", "bench")
        return ground.timed(namespace, "nft", "-f", file)

    # nft -f does all or nothing, so its exit code will do. To ask it for one element of a million would
    # take it minutes.
    return measure.Contestant(turn)


def ipset_file(place, namespace, prefixes):
    file = place.file("set.ipset", shapes.ipset(prefixes, len(prefixes)))

    def turn(number):
        if number:
            ground.run(namespace, "ipset", "destroy", "unwanted")
        return ground.timed(namespace, "ipset", "restore", "-file", file)

    def check(_):
        ground.run(namespace, "ipset", "test", "unwanted", prefixes[-1])
    return measure.Contestant(turn, check)


# --- addresses with ports

def pairs(bench, place, count):
    wanted = list(shapes.pairs(count))
    text = shapes.pairs_file(wanted)
    kept = place.file("kept", "")
    title = f"{count:,} addresses with a port from a file"
    contestants = bench.ready({
        "fwctl": lambda namespace: fwctl_grows(place, namespace, shapes.PAIRS_POLICY, shapes.PAIRS_FILE,
                                               text.splitlines(keepends=True)),
        "bare": lambda namespace: bare(namespace, "pairs", count),
        "bare kept": lambda namespace: bare(namespace, "pairs", count, kept, len(text)),
        "nft": lambda namespace: nft_file(place, namespace, shapes.nft_map(wanted))}, place.namespace)
    found = bench.compare(title, contestants)
    return [beside_bare(bench, title, found, 1.5),
            Row(title, "ms", found["fwctl"], "that, and a synced file", found["bare kept"], "the cost"),
            Row(title, "ms", found["fwctl"], "nft -f of a map", bench.series(found, "nft"), "as fast",
                None if bench.quick else at_least(10)),
            Row("  the bare transaction and a synced file", "ms", found["bare kept"], "nft -f of a map",
                bench.series(found, "nft"), "as fast")]


# --- one address more

def one_more(bench, place, few, many):
    title = "one address more"
    makers = {}
    for name, make in (("fwctl", fwctl_more), ("nft", nft_more), ("ipset", ipset_more)):
        for count in (few, many):
            makers[f"{name} {count}"] = (lambda namespace, make=make, count=count:
                                         make(bench, place, namespace, list(shapes.prefixes(count))))
    found = bench.compare(title, bench.ready(makers, place.namespace))
    rows = [Row(f"{title}, {many:,} there", "ms", found[f"fwctl {many}"], f"fwctl, {few:,} there",
                found[f"fwctl {few}"], "the cost",
                None if bench.quick else at_most(2))]
    for name, words in (("nft", "nft add element"), ("ipset", "ipset add")):
        for count in (few, many):
            rows.append(Row(f"{title}, {count:,} there", "ms", found[f"fwctl {count}"], words,
                            bench.series(found, f"{name} {count}"), "as fast"))
    return rows


def new_address(number):
    return f"12.0.{number >> 7}.{number % 128 * 2}"  # in no prefix, and beside none


def fwctl_more(bench, place, namespace, prefixes):
    server = place.fwctl(namespace, {"rules.yaml": (
        "version: 1\nsets:\n  unwanted: [" + ", ".join(prefixes) + "]\n"
        "rules:\n  - deny: any\n    from: '@unwanted'\n")})

    def turn(number):
        took = server.timed("set", "add", "unwanted", new_address(number))
        if not bench.quick:
            time.sleep(measure.CHANGES_THAT_LINGER)
        return took

    def check(turns):
        [one] = server.daemon.json("set", "list")["sets"]
        measure.expect("entries of fwctl's set", one["count"], len(prefixes) + turns)
    return measure.Contestant(turn, check)


def nft_more(_, place, namespace, prefixes):
    ground.run(namespace, "nft", "-f", place.file(f"set-{len(prefixes)}.nft", shapes.nft_set(prefixes)))

    def turn(number):
        return ground.timed(namespace, "nft", "add", "element", "inet", "bench", "unwanted",
                            "{ " + new_address(number) + " }")
    return measure.Contestant(turn)


def ipset_more(_, place, namespace, prefixes):
    file = place.file(f"set-{len(prefixes)}.ipset", shapes.ipset(prefixes, len(prefixes)))
    ground.run(namespace, "ipset", "restore", "-file", file)

    def turn(number):
        return ground.timed(namespace, "ipset", "add", "unwanted", new_address(number))
    return measure.Contestant(turn)

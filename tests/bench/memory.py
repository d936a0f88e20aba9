"""What fwctld keeps in memory, and what nft needs at its peak for the same."""

import time

import ground
import lab
import measure
import shapes
from report import Row, megabytes

TITLE = "Memory (fwctld resident; nft at its peak)"
PEERS = ("nft",)
MOST_ROUNDS = 3  # it hardly differs from one to the next


def seconds(rounds, quick):
    return (min(rounds, MOST_ROUNDS) + 1) * (6 if quick else 45)


def measured(bench):
    prefixes = list(shapes.prefixes(10_000 if bench.quick else 1_000_000))
    rules = shapes.rules(100)
    rows = of_policy(bench, "idle, no rules", 6, {}, "")
    rows += of_policy(bench, "100 rules", 10, {"rules.yaml": shapes.yaml(rules)}, shapes.nft(rules))
    rows += of_policy(bench, f"{len(prefixes):,} prefixes", None if bench.quick else 64,
                      {"policy.yaml": shapes.SET_POLICY, shapes.SET_FILE: "\n".join(prefixes) + "\n"},
                      shapes.nft_set(prefixes))
    return rows


def of_policy(bench, what, budget, files, listing):
    """`files` of fwctl's configuration, and the same for nft; "" where there is nothing to load."""
    later, highest = measure.Series(), measure.Series()

    def fwctl(number):
        with bench.ground.part() as place:
            server = place.fwctl(place.namespace("memory-fwctl"), files)
            time.sleep(measure.CHANGES_THAT_LINGER)
            found = server.resident()
            server.daemon.fwctl("allow", "65000/tcp")
            time.sleep(measure.CHANGES_THAT_LINGER)
            if number:
                highest.values[number] = found["VmHWM"]
                later.values[number] = server.resident()["VmRSS"]
            return found["VmRSS"]

    def nft(_):
        with bench.ground.part() as place:
            with lab.inside(place.namespace("memory-nft")):
                return measure.peak_memory("nft", "-f", place.file("memory.nft", listing))

    contestants = {"fwctl": measure.Contestant(fwctl)}
    if listing:
        contestants |= bench.those_there({"nft": measure.Contestant(nft)})
    found = bench.compare(f"memory: {what}", contestants, min(bench.rounds, MOST_ROUNDS))
    if found["fwctl"].failed:
        later = highest = found["fwctl"]
    peer, theirs = ("nft -f", bench.series(found, "nft")) if listing else ("", measure.missing(""))
    return [Row(what, "MB", found["fwctl"], peer, theirs, "the memory",
                megabytes(budget) if budget else None),
            Row(f"{what}, after an `allow`", "MB", later, peer, theirs, "the memory"),
            Row(f"{what}, fwctld's peak", "MB", highest, peer, theirs, "the memory")]

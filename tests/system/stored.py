"""The files of /var/lib/fwctl, read as docs/storage.md describes them and as no code of fwctl's does."""

import collections
import json
import re

Newest = collections.namedtuple("Newest", "number enabled added trial settled")


def digest(data, state=0xcbf29ce484222325):
    for byte in data:
        state = (state ^ byte) * 0x100000001b3 % 2**64
    return state


def newest(state):
    """The newest generation that is stored below the folder `state`; None where there is none."""
    numbers = [int(path.name.removeprefix("generation-")) for path in state.glob("generation-*")]
    for base in sorted(numbers, reverse=True):
        header, _, body = (state / f"generation-{base}").read_bytes().partition(b"\n")
        said = re.fullmatch(rb"fwctl-generation 1 ([0-9a-f]{16})", header)
        if said and int(said[1], 16) == digest(body) and json.loads(body)["number"] == base:
            return _with_changes(json.loads(body), digest(body), state / f"changes-{base}")
    return None


def _with_changes(generation, state, log):
    added = generation["added"]["text"].encode()
    settled = False
    for line in (log.read_bytes() if log.exists() else b"").split(b"\n")[:-1]:
        state = digest(line[17:], state)
        if line[:17] != b"%016x " % state:
            break
        change = json.loads(line[17:])
        settled = "settled" in change
        if change.get("confirmed") == generation["number"]:
            generation.pop("trial", None)
        if "at" in change:
            at, end = change["at"], change["at"] + change["removed"]
            added = added[:at] + change["added"].encode() + added[end:]
            generation = {**generation, "trial": change.get("trial"), "number": change["number"]}
    return Newest(generation["number"], generation["enabled"], added.decode(),
                  bool(generation.get("trial")), settled)

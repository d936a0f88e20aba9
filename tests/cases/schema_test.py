#!/usr/bin/python3
"""Whether docs/policy.schema.json, the parser and docs/policy.md know the same language.

    schema_test.py POLICY_KEYS

The keys of each map are compared. Then the cases of this folder are held against the schema, one
by one for each rule and each other entry of a file: what the parser says nothing about must be
valid, and where it complains of the shape, the schema must too.
"""

import json
import pathlib
import re
import subprocess
import sys
import unittest

import jsonschema
import yaml

CASES = pathlib.Path(__file__).resolve().parent
DOCS = CASES.parent.parent / "docs"
SCHEMA = json.loads((DOCS / "policy.schema.json").read_text())

# Of each kind of map: how the parser begins to say what it is, where the schema has it, and the
# heading in policy.md behind which its table stands. A new kind of map belongs here.
MAPS = [
    ("a policy file is a map", [], "### The keys of a file"),
    ("defaults is a map", ["$defs", "defaults"], None),
    ("baseline is a map", ["$defs", "baseline"], "## What is always there"),
    ("a service is a map", ["$defs", "service"], "### Your own"),
    ("a rule is a map", ["$defs", "rule"], "### The keys of a rule"),
    ("a set is a list of addresses, or a map", ["$defs", "set-file"], None),
    ("an entry of a set is a map", ["$defs", "set-entry"], "### Entries that end"),
    ("a forward is a map", ["$defs", "forward"], "## Forwards"),
    ("a masquerade is a map", ["$defs", "masquerade"], "## Masquerades"),
]

# What the parser says about the shape of a file, which a schema can say as well.
OF_THE_SHAPE = re.compile(
    r"unknown key|is one word, not|an empty list|has no value|is a map|are a list, each item|"
    r"an item of the baseline is|containers is allow or deny|no neighbour is called|"
    r"one rule has one verdict|needs a verdict|is not known here: this program reads version|"
    r"logging is off|a default is|log is true|a direction is|go with limit only|"
    r"icmp-type goes with|out-interface goes with|"
    r"a set's name is|an entry that is a map has both|a service's name is|has neither ports nor protocols|is one line of text|"
    r"ports are 1 to 65535|is not allow, deny, reject or limit")
# The same words for what stands within a text, or is not visible in what YAML makes of it.
NOT_FOR_A_SCHEMA = re.compile(r"'65536' is not a port|'70000' is not a port")


class Core(yaml.SafeLoader):
    """YAML 1.2's core schema, as editors have it: `off` and `yes` are words."""

    yaml_implicit_resolvers = {}


for tag, pattern, first in [
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?[0-9]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
]:
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


def number(loader, node):
    text = loader.construct_scalar(node)
    return int(text, 16 if text.startswith("0x") else 10)


Core.add_constructor("tag:yaml.org,2002:int", number)


def validator(*path):
    """Of one definition; its references are into the whole."""
    return jsonschema.Draft202012Validator(
        {"$defs": SCHEMA["$defs"], "$ref": "#/" + "/".join(path)} if path else SCHEMA)


def entries(text, of_services):
    """(first line, line behind the last, value, validator) of all that is judged by itself."""
    loader = Core(text)
    root = loader.get_single_node()
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        yield root.start_mark.line, root.end_mark.line + 1, loader.construct_document(root), validator()
        return
    for key, value in root.value:
        begin, end = key.start_mark.line, value.end_mark.line + (value.end_mark.column > 0)
        if key.value in ("rules", "before") and isinstance(value, yaml.SequenceNode) and not of_services:
            for item in value.value:
                last = item.end_mark.line + (item.end_mark.column > item.start_mark.column)
                yield (item.start_mark.line, max(last, item.start_mark.line + 1),
                       [Core.construct_document(loader, item)], validator("$defs", "rules"))
        else:
            yield (begin, max(end, begin + 1), {key.value: loader.construct_document(value)},
                   validator("$defs", "services") if of_services else validator())


def keys_in_manual(heading):
    """The words of the first column of the first table behind the heading."""
    lines = (DOCS / "policy.md").read_text().splitlines()
    found = None
    for line in lines[lines.index(heading):]:
        if line.startswith("| key |"):
            found = set()
        elif found is not None and not line.startswith("|"):
            return found
        elif found is not None and not line.startswith("| ---"):
            found.update(re.findall(r"`([^`]+)`", line.split("|")[1]))
    raise AssertionError(f"no table behind {heading}")


class Keys(unittest.TestCase):
    def setUp(self):
        files = sorted(CASES.glob("*/policy.yaml"))
        output = subprocess.run([sys.argv[1], *files], capture_output=True, text=True, check=True)
        self.known = json.loads(output.stdout)

    def test_are_those_of_the_parser(self):
        for expected, keys in self.known.items():
            with self.subTest(expected):
                places = [path for begin, path, _ in MAPS if expected.startswith(begin)]
                self.assertEqual(len(places), 1, "MAPS does not know this map")
                place = SCHEMA
                for name in places[0]:
                    place = place[name]
                self.assertEqual(sorted(place["properties"]), sorted(keys))
        for begin, _, _ in MAPS:
            self.assertTrue(any(map(lambda e: e.startswith(begin), self.known)), begin)

    def test_are_those_of_the_manual(self):
        for begin, _, heading in MAPS:
            if heading:
                keys = next(keys for said, keys in self.known.items() if said.startswith(begin))
                with self.subTest(heading):
                    self.assertEqual(sorted(keys_in_manual(heading)), sorted(keys))


class Cases(unittest.TestCase):
    def test_the_schema_is_one(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_files_are_judged_as_by_the_parser(self):
        judged = {True: 0, False: 0}
        for path in sorted(CASES.glob("**/*.yaml")):
            case = CASES / path.relative_to(CASES).parts[0]
            name = path.relative_to(case).as_posix()
            complaints = []
            if (case / "errors").exists():
                complaints = re.findall(rf"^{re.escape(name)}:(\d+):\d+: error: (.*)",
                                        (case / "errors").read_text(), re.MULTILINE)
            if any("aliases" in message for _, message in complaints):
                continue  # would take minutes to hold against anything
            try:
                found = list(entries(path.read_text(), path.parent.name == "services.d"))
            except yaml.YAMLError:
                self.assertTrue(complaints, f"{case.name}/{name} is no YAML")
                continue
            for begin, end, value, schema in found:
                said = [message for line, message in complaints if begin < int(line) <= end]
                shape = [message for message in said
                         if OF_THE_SHAPE.search(message) and not NOT_FOR_A_SCHEMA.search(message)]
                problems = [error.message for error in schema.iter_errors(value)]
                with self.subTest(f"{case.name}/{name}:{begin + 1}"):
                    if not said:
                        self.assertEqual(problems, [], value)
                        judged[True] += 1
                    if shape:
                        self.assertNotEqual(problems, [], shape)
                        judged[False] += 1
        self.assertGreater(judged[True], 100)
        self.assertGreater(judged[False], 30)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

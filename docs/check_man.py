#!/usr/bin/python3
"""Whether the man pages name the same commands, options and arguments as --help does.

    check_man.py FWCTL [FWCTLD]

The pages are read as mdoc source: options are the Fl of `.It` lines in section OPTIONS, commands the
first Cm of `.It` lines in section COMMANDS (`.It Cm app list` for commands of a command), their
options and arguments the Fl and Ar behind it.
"""

import pathlib
import re
import subprocess
import sys

MAN = pathlib.Path(__file__).resolve().parent / "man"
HELP = {"-h", "--help"}  # of every command; the page says so once


def help_of(*command):
    """Heading → the first words of its entries, as CLI11 prints them."""
    text = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    entries = {"Options": [], "Subcommands": [], "Positionals": []}
    section = None
    for line in text.splitlines():
        heading = re.fullmatch(r"(\w+):", line)
        if heading or not line:
            section = entries.get(heading[1]) if heading else None
        elif section is not None and (entry := re.match(r" {2}([^ =]+)", line)):
            section += entry[1].split(",")
    return {name: set(words) for name, words in entries.items()}


def items(page, wanted):
    """The words of each .It line in section `wanted`."""
    section = None
    for line in (MAN / page).read_text().splitlines():
        if line.startswith(".Sh "):
            section = line[4:]
        elif line.startswith(".It ") and section == wanted:
            yield line.replace("\\", "").split()[1:]


def command(words):
    """The words of the first Cm, "app list" of `Cm app list Ar NAME`: macros have a capital letter."""
    name = [words[1]]
    for word in words[2:]:
        if not word.islower():
            break
        name.append(word)
    return " ".join(name)


def flags(words):
    return {"-" + name for flag, name in zip(words, words[1:]) if flag == "Fl"}


def arguments(words):
    """Those of the command, not of its options."""
    return {name for before, macro, name in zip(["", *words], words[1:], words[2:])
            if macro == "Ar" and before != "Fl"}


class Comparison:
    def __init__(self):
        self.failed = False

    def same(self, what, in_help, in_page):
        for word in sorted(in_help - in_page):
            self.say(f"{what}: {word} is in --help and not in the man page")
        for word in sorted(in_page - in_help):
            self.say(f"{what}: {word} is in the man page and not in --help")

    def say(self, sentence):
        self.failed = True
        print(sentence, file=sys.stderr)

    def options(self, program, page):
        described = [flags(words) for words in items(page, "OPTIONS")]
        self.same(page, help_of(program)["Options"], set().union(*described))

    def commands(self, program, page):
        # Lists below .Ss that explain the words of a rule begin with Ar, not with Cm.
        described = {command(words): words for words in items(page, "COMMANDS") if words[0] == "Cm"}
        known = set()
        for name in help_of(program)["Subcommands"]:
            inner = help_of(program, name)["Subcommands"]
            known |= {f"{name} {one}" for one in inner} or {name}
        self.same(page, known, set(described))
        for name in sorted(known & set(described)):
            of_command = help_of(program, *name.split())
            words = described[name]
            self.same(f"{page}, {name}", of_command["Options"] - HELP, flags(words))
            if positionals := of_command["Positionals"]:
                # A rule is more words than --help lists as positionals.
                self.same(f"{page}, {name}", positionals, arguments(words) - {"RULE"})


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    comparison = Comparison()
    comparison.options(sys.argv[1], "fwctl.1")
    comparison.commands(sys.argv[1], "fwctl.1")
    if len(sys.argv) == 3:
        comparison.options(sys.argv[2], "fwctld.8")
    return 1 if comparison.failed else 0


if __name__ == "__main__":
    sys.exit(main())

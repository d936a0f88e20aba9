"""What ufw says to each of some thousand commands, fwctl says too, and means the same by it.

The commands, and what the real ufw made of them, are data of another project and stand beside this one
($FWCTL_UFW, a folder with cases.tsv, expected.jsonl.gz and profiles/). Where the two differ on purpose,
docs/ufw.md says so under a heading that is named here; a difference without one fails, and so does a
reason that no command needs any more.
"""

import collections
import gzip
import ipaddress
import json
import os
import pathlib
import re
import shlex
import shutil

import lab

DATA = pathlib.Path(os.environ["FWCTL_UFW"])
DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/ufw.md"
ACTIONS = ("allow", "deny", "reject", "limit")

# Heading in docs/ufw.md → what the commands look like that ufw refuses and fwctl takes.
WIDER = {
    "Lists and ranges need no protocol": r"(port |allow |deny |limit )[\w:]+[,:][\w,:]+( |$)(?!.*proto)",
    "Lists are as long as you like": r"([\w:]+,){14,}",
    "Names and numbers mix in a list": r"(\d+|[a-z]+),[a-z]+|[a-z]+,\d+",
    "`on` needs no `in`": r"^(allow|deny|reject|limit) on ",
    "A comment may have a quote": r"comment .*'\"'\"'",
    "`app info` knows every service": r"^app info ssh$",
}
# Heading → what the commands look like that ufw takes and fwctl refuses.
NARROWER = {
    "A mask is a prefix": r"/\d+\.\d+\.\d+\.\d+",
    "Installing a package opens nothing": r"^app default (allow|deny|reject)$",
}
IMPOSSIBLE = "A rule to delete must be one"
PACKAGED = "ufw's own profiles"  # those that ufw's package brings, and the data does not


def cases():
    """(ufw's verdict, words, what it takes: a set of words)."""
    for line in (DATA / "cases.tsv").read_text().splitlines():
        verdict, command, *more = line.split("\t")
        needs = set(more[1].split(";")) - {""} if len(more) > 1 else set()
        yield verdict, command, shlex.split(command), needs


def profile_names():
    names = set()
    for path in (DATA / "profiles").iterdir():
        names.update(name.lower() for name in re.findall(r"^\[(.*)\]$", path.read_text(), re.M))
    return names


def applications(case):
    """The profiles that ufw found named in the command."""
    for stored in case["tuples4"] + case["tuples6"]:
        fields = stored.split()
        if len(fields) > 7:
            yield from (app.replace("%20", " ") for app in fields[6:8] if app != "-")


class Rule:
    """One line of iptables-restore: what it asks, and its verdict."""

    VERDICTS = {"ACCEPT": "allow", "DROP": "deny", "REJECT": "reject"}
    CHAIN = re.compile(r"ufw6?-user-(input|output|forward)$")

    def __init__(self, line, family):
        words = shlex.split(line)
        self.family = family
        self.asked = {}
        for option, value in zip(words, words[1:]):
            if option in ("-A", "-p", "-s", "-d", "-i", "-o", "-j"):
                self.asked[option] = value
            elif option in ("--dport", "--dports", "--sport", "--sports"):
                self.asked[option.rstrip("s")] = [
                    range(int(one.split(":")[0]), int(one.split(":")[-1]) + 1)
                    for one in value.split(",")]
        target = self.asked.get("-j", "")
        chain = self.CHAIN.match(self.asked["-A"])
        self.traffic = chain and {"input": "in", "output": "out", "forward": "routed"}[chain[1]]
        if target.endswith("user-limit-accept"):
            self.verdict = "limit"
        else:
            self.verdict = self.VERDICTS.get(target) if chain else None

    def network(self, side):
        text = self.asked.get(side)
        return ipaddress.ip_network(text, strict=False) if text else None

    def matches(self, packet):
        return (packet["family"] == self.family and packet["traffic"] == self.traffic and
                self.asked.get("-p", packet["-p"]) in (packet["-p"], "all") and
                all(self.network(side) is None or packet[side] in self.network(side)
                    for side in ("-s", "-d")) and
                all(port not in self.asked or
                    any(packet[port] in one for one in self.asked[port])
                    for port in ("--sport", "--dport")) and
                all(interface not in self.asked or self.named(interface, packet[interface])
                    for interface in ("-i", "-o")))

    def named(self, interface, name):
        asked = self.asked[interface]
        return name.startswith(asked[:-1]) if asked.endswith("+") else name == asked

    def packets(self):
        """One that it matches, and for each thing it asks one next to it."""
        def address(side, last):
            network = self.network(side)
            if network is None:
                return ipaddress.ip_address("198.18.0.7" if self.family == 4 else "2001:db8:77::7")
            return network[-1] if last else network[0]

        for last in (False, True):
            packet = {"family": self.family, "traffic": self.traffic,
                      "-p": self.asked.get("-p", "tcp"), "-s": address("-s", last),
                      "-d": address("-d", last), "-i": self.asked.get("-i", "eth7").replace("+", "3"),
                      "-o": self.asked.get("-o", "eth8").replace("+", "3")}
            for port in ("--sport", "--dport"):
                ranges = self.asked.get(port, [range(7000, 7001)])
                packet[port] = ranges[-1][-1] if last else ranges[0][0]
            yield packet
            for port in ("--sport", "--dport"):
                near = packet[port] + (1 if last else -1)
                if port in self.asked and 0 < near < 65536:
                    yield {**packet, port: near}
            for side in ("-s", "-d"):
                if self.network(side) is not None and self.network(side).prefixlen > 0:
                    near = int(packet[side]) + (1 if last else -1)
                    if 0 < near < 2 ** (32 if self.family == 4 else 128):
                        yield {**packet, side: type(packet[side])(near)}
            for interface in ("-i", "-o"):
                if interface in self.asked:
                    yield {**packet, interface: "other9"}
        if "-p" in self.asked and self.asked["-p"] in ("tcp", "udp"):
            yield {**packet, "-p": "udp" if packet["-p"] == "tcp" else "tcp"}
        if self.traffic != "routed":
            yield {**packet, "traffic": "out" if self.traffic == "in" else "in"}


def question(packet):
    """The packet in the words of `fwctl explain`."""
    ports = packet["-p"] in ("tcp", "udp")
    words = [f"{packet['--dport']}/{packet['-p']}" if ports else packet["-p"], packet["traffic"]]
    if packet["traffic"] == "routed":
        words += ["in", "on", packet["-i"], "out", "on", packet["-o"]]
    else:
        words += ["on", packet["-i"] if packet["traffic"] == "in" else packet["-o"]]
    words += ["from", str(packet["-s"])] + (["port", str(packet["--sport"])] if ports else [])
    return words + ["to", str(packet["-d"])]


class Ufw(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.document = DOCUMENT.read_text()
        shutil.copytree(DATA / "profiles", self.daemon.config / "applications.d")
        self.start()
        connection = lab.Varlink(self.daemon.socket)
        self.call = connection.__enter__().call
        self.addCleanup(connection.__exit__, None, None, None)

    def assert_documented(self, heading):
        self.assertIn(f"\n### {heading}\n", self.document, "docs/ufw.md does not say it")

    def takes(self, words):
        """(whether fwctl takes the command, what it says). Changes nothing."""
        try:
            if words[:1] and words[0] in ACTIONS:
                self.call("Add", rule=words, dryRun=True)
            elif words[0] == "delete" and words[1:] and words[1] in ACTIONS:
                self.call("Delete", selection=words[1:], dryRun=True)
            else:
                done = self.daemon.fwctl("--dry-run", *words, code=None)
                return done.returncode == 0, done.stderr
        except lab.VarlinkError as error:
            return False, str(error)
        return True, ""

    def test_takes_what_ufw_takes(self):
        known = profile_names()
        needed = collections.Counter()
        wrong = []
        count = 0
        for verdict, command, words, needs in cases():
            if needs - {"profiles=std", "ipv6=yes"}:
                continue  # the other tests: what needs rules that are there, or other settings
            count += 1
            taken, said = self.takes(words)
            if taken == (verdict == "ok"):
                continue
            reasons = WIDER if taken else NARROWER
            heading = next((heading for heading, form in reasons.items()
                            if re.search(form, command)), None)
            unknown = re.search(r"no service is called '(.*?)'", said)
            if not taken and unknown and unknown[1].lower() not in known:
                heading = PACKAGED
            if heading:
                needed[heading] += 1
            else:
                wrong.append((verdict, command, said.strip()[:120]))
        self.assertEqual(wrong, [])
        self.assertGreater(count, 3200)
        for heading in (*WIDER, *NARROWER, PACKAGED):
            self.assert_documented(heading)
            self.assertGreater(needed[heading], 0, heading)
        print(f"{count} commands, different on purpose: {dict(needed)}")

    def test_commands_on_rules_that_are_there(self):
        """ufw counts IPv4 rules first and IPv6 rules behind them; fwctl has one list."""
        for number in range(4000, 4012):
            self.call("Add", rule=["allow", str(number)])
        count = 0
        for verdict, command, words, needs in cases():
            if "state" not in needs or "ipv6=no" in needs:
                continue
            count += 1
            with self.subTest(command=command):
                taken, said = self.takes(words)
                if "is not the name of a service" in said:
                    self.assert_documented(IMPOSSIBLE)
                    continue
                self.assertEqual(taken, verdict == "ok", said)
        self.assertGreater(count, 20)

    def test_means_what_ufw_means(self):
        """The verdict of each packet by iptables' lines is that of `explain`."""
        commands = packets = matched = 0
        known = profile_names()
        with gzip.open(DATA / "expected.jsonl.gz", "rt") as file:
            for case in map(json.loads, file):
                words = shlex.split(case["cmd"])
                if case["ipv6"] != "yes" or not case.get("added"):
                    continue
                if words[0] not in ACTIONS and words[:1] != ["route"]:
                    continue
                if words[0] == "route" and words[1] not in ACTIONS or not self.takes(words)[0]:
                    continue
                if any(app.lower() not in known for app in applications(case)):
                    continue  # of ufw's package
                rules = [Rule(line, family) for family in (4, 6) for line in case[f"ipt{family}"]]
                rules = [rule for rule in rules if rule.verdict]
                outcome = self.call("Add", rule=words)["outcome"]
                self.assertTrue(outcome["changed"], case["cmd"])
                commands += 1
                for packet in (packet for rule in rules for packet in rule.packets()):
                    found = next((rule.verdict for rule in rules if rule.matches(packet)), None)
                    reply = self.call("Explain", question=question(packet))
                    answer = reply["explanations"][-1]["access"][-1]
                    ours = answer["verdict"] if answer.get("number") else None
                    if answer.get("rule") and not answer.get("number"):
                        continue  # the baseline decides before any rule
                    packets += 1
                    matched += found is not None
                    self.assertEqual(ours, found, (case["cmd"], question(packet)))
                self.call("Delete", selection=words)
        print(f"{commands} commands, {packets} packets, {matched} of them decided by the rule")
        self.assertGreater(commands, 800)
        self.assertGreater(matched, 2000)
        self.assertGreater(packets - matched, 2000)


if __name__ == "__main__":
    lab.main()

"""A policy that a daemon has, and one that it gets: no rule is in both, and another default."""


def of_set(name, file, verdict):
    """Another, whose only rule is about what a file says is in a set."""
    return f"""\
version: 1
sets:
  {name}: {{file: {file}}}
rules:
  - {verdict}: any
    from: "@{name}"
"""


OLD = """\
version: 1
defaults: {incoming: deny, outgoing: allow, routed: deny}
rules:
  - allow: 22/tcp
  - deny: 3000/tcp
"""
NEW = """\
version: 1
defaults: {incoming: reject, outgoing: allow, routed: deny}
rules:
  - allow: 443/tcp
  - allow: 6000-6007/udp
"""
# Entries of a set that are loaded beside what is in force, while the disk writes.
SET_FILE = "sets/partners.txt"
WITH_SET = of_set("partners", SET_FILE, "allow")
FEW = "203.0.113.9 22/tcp\n"
MANY = "".join(f"198.18.{number // 250}.{number % 250} 22/tcp\n" for number in range(4200))

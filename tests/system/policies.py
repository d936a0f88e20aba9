"""A policy that a daemon has, and one that it gets: no rule is in both, and another default."""

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

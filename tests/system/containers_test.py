"""Published ports and networks of containers, judged by real packets on both families.

A namespace stands for the container, and a table of another program redirects as Docker does:

    box  172.17.0.2 --- docker0 server eth0 --- client
         fd00:17::2     (.1, ::1)
"""

import lab

CLOSED = "version: 1\ndefaults: {incoming: deny, outgoing: allow, routed: deny}\n"
BRIDGE = {4: "172.17.0.1", 6: "fd00:17::1"}
BOX = {4: "172.17.0.2", 6: "fd00:17::2"}
# From the container to the client, and to the host that it is on.
OUT = {"server": lab.CLIENT, "namespace": "box"}
TO_HOST = {"server": BRIDGE, "namespace": "box"}
# 8080 and 8081 are published, and lead to ports 80 and 81 of the container.
DOCKER = f"""\
table ip docker {{
    map published {{ type inet_service : inet_service; elements = {{ 8080 : 80, 8081 : 81 }}; }}
    chain to {{
        type nat hook prerouting priority -100;
        fib daddr type local meta l4proto {{ tcp, udp }} dnat to {BOX[4]} : th dport map @published
    }}
    chain from {{
        type nat hook postrouting priority 100;
        ip saddr 172.17.0.0/16 oifname "eth0" masquerade
    }}
}}
table ip6 docker {{
    map published {{ type inet_service : inet_service; elements = {{ 8080 : 80, 8081 : 81 }}; }}
    chain to {{
        type nat hook prerouting priority -100;
        fib daddr type local meta l4proto {{ tcp, udp }} dnat to {BOX[6]} : th dport map @published
    }}
    chain from {{
        type nat hook postrouting priority 100;
        ip6 saddr fd00:17::/64 oifname "eth0" masquerade
    }}
}}
"""
SEEN_AS = {"allow": "open", "limit": "open", "deny": "filtered", "reject": "refused"}


class Containers(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.lab.forwarding()
        self.add_box("docker0")

    def add_box(self, bridge):
        """The container, on an interface of that name."""
        lab.run("ip", "netns", "add", "box")
        self.addCleanup(lab.run, "ip", "netns", "delete", "box", check=False)
        with lab.inside("box"), open("/proc/sys/net/ipv6/conf/default/accept_dad", "w") as file:
            file.write("0")
        lab.run("ip", "-n", "server", "-batch", "-", input="\n".join((
            f"link add {bridge} type veth peer name eth0 netns box",
            f"addr add {BRIDGE[4]}/16 dev {bridge}", f"addr add {BRIDGE[6]}/64 dev {bridge} nodad",
            f"link set {bridge} up")))
        lab.run("ip", "-n", "box", "-batch", "-", input="\n".join((
            f"addr add {BOX[4]}/16 dev eth0", f"addr add {BOX[6]}/64 dev eth0 nodad",
            "link set lo up", "link set eth0 up", f"route add default via {BRIDGE[4]}",
            f"route add default via {BRIDGE[6]}")))
        self.lab.listen(80, 81, namespace="box")
        self.lab.listen(80, protocol="udp", namespace="box")
        lab.until(lambda: lab.probe(BOX[6], 80, namespace="server", wait=0.2) == "open",
                  "the container is there")

    def replace_box(self, bridge):
        lab.run("ip", "-n", "box", "link", "delete", "eth0")
        lab.run("ip", "netns", "delete", "box")
        self.add_box(bridge)

    def publish(self):
        self.lab.nft("-f", "-", input=DOCKER)

    def verdict(self, question, family):
        reply = self.daemon.json("explain", *question, "from", lab.CLIENT[family], "to",
                                 lab.SERVER[family], "on", "eth0")
        return reply["explanations"][0]["access"][-1]["verdict"]


class PublishedPorts(Containers):
    RULES = f"""\
rules:
  - deny: any
    from: ["{lab.CLIENT_TOO[4]}", "{lab.CLIENT_TOO[6]}"]
  - allow: 80/tcp
  - deny: 8081/udp
"""

    def test_the_port_that_was_asked_for_counts(self):
        self.start(CLOSED + self.RULES)
        self.publish()
        for family in lab.FAMILIES:
            self.assertEqual(self.verdict(["8080/tcp"], family), "deny")
        here = {"source": lab.CLIENT}
        # Whatever the rules say of the container's port 80.
        self.assert_all(("filtered", 8080, here), ("filtered", 8080, "udp", here))
        self.daemon.fwctl("allow", "8080/tcp")
        for family in lab.FAMILIES:
            self.assertEqual(self.verdict(["8080/tcp"], family), "allow")
        self.assert_all(("open", 8080, here), ("filtered", 8080, "udp", here), ("filtered", 8081, here),
                        ("filtered", 8080, {"source": lab.CLIENT_TOO}))
        self.daemon.fwctl("allow", "8080/udp")
        self.assert_reach("open", 8080, "udp", source=lab.CLIENT)
        self.daemon.fwctl("delete", "allow", "8080/tcp")
        self.assert_reach("filtered", 8080, source=lab.CLIENT)
        counted = {rule["text"]: rule["packets"] for rule in self.daemon.call("Status")["rules"]}
        self.assertEqual(counted["allow 80/tcp"], 0)
        self.assertGreater(counted["allow 8080/udp"], 0)

    def test_every_kind_of_rule(self):
        self.start(CLOSED + f"""\
services: {{shop: {{ports: [8080/tcp]}}}}
rules:
  - reject: 8081/tcp
  - allow: shop
    to: ["{lab.SERVER[4]}", "{lab.SERVER[6]}"]
    interface: "eth*"
  - limit: 8000-8100/udp
    rate: 1/hour
    burst: 2
""")
        self.publish()
        self.assert_all(("refused", 8081), ("open", 8080), ("filtered", 8080, {"server": lab.SERVER_ETH1}))
        self.assert_reach("open", 8080, "udp")
        self.assert_reach("open", 8080, "udp")
        self.assert_reach("refused", 8080, "udp")
        self.daemon.apply(CLOSED.replace("incoming: deny", "incoming: allow"))
        # The second is not asked for as this host's.
        self.assert_all(("open", 8080), ("filtered", 80, {"server": BOX}))

    def test_pairs_are_of_the_port_that_was_asked_for(self):
        self.start(CLOSED + f"""\
sets:
  partners:
    - {lab.CLIENT[4]} 8080/tcp
    - "{lab.CLIENT[6]} 8080/tcp"
    - {lab.CLIENT[4]} 81/tcp
    - "{lab.CLIENT[6]} 81/tcp"
  here: [{lab.SERVER[4]} 8080/udp, "{lab.SERVER[6]} 8080/udp"]
rules:
  - allow from @partners
  - allow to @here
""")
        self.publish()
        here, other = {"source": lab.CLIENT}, {"source": lab.CLIENT_TOO}
        # Whatever they say of the container's port 81.
        self.assert_all(("open", 8080, here), ("filtered", 8080, other), ("filtered", 8081, here),
                        ("open", 8080, "udp", other), ("filtered", 8080, "udp", {"server": lab.SERVER_ETH1}))
        for family in lab.FAMILIES:
            self.assertEqual(self.verdict(["8080/tcp"], family), "allow")
            self.assertEqual(self.verdict(["8081/tcp"], family), "deny")

    def test_routed_rules_have_no_part_in_it(self):
        self.start(CLOSED + "rules: [route allow in on eth0]\n")
        self.publish()
        self.assert_all(("filtered", 8080), ("open", 80, {"server": BOX}))
        self.daemon.apply(CLOSED + "rules: [\"route deny from any\", allow 8080/tcp]\n")
        self.assert_reach("open", 8080)

    def test_a_process_that_passes_it_on_is_judged_alike(self):
        self.start(CLOSED + self.RULES)
        self.lab.listen(8080)  # as docker-proxy does, where nothing is redirected
        self.assert_reach("filtered", 8080, source=lab.CLIENT)
        self.daemon.fwctl("allow", "8080/tcp")
        self.assert_all(("open", 8080, {"source": lab.CLIENT}), ("filtered", 8080, {"source": lab.CLIENT_TOO}))

    def test_connections_outlive_the_rule(self):
        self.start(CLOSED + "rules: [allow 8080/tcp]\n")
        self.publish()
        connections = [lab.connect(lab.SERVER[family], 8080) for family in lab.FAMILIES]
        self.daemon.apply(CLOSED)
        for connection in connections:
            connection.sendall(b"still here")
            self.assertEqual(connection.recv(64), b"still here")
            connection.close()
        self.assert_reach("filtered", 8080)

    def test_beside_forwards_of_our_own(self):
        self.lab.listen(80, namespace="inner")
        self.start(CLOSED + f"""\
rules: [deny 8080/tcp, allow 8081/tcp]
forward:
  - port: 8090/tcp
    to: {lab.INNER[4]}:80
  - port: 8090/tcp
    to: "[{lab.INNER[6]}]:80"
""")
        self.publish()
        self.assert_all(("open", 8090), ("filtered", 8080), ("open", 8081))


class Outbound(Containers):
    def setUp(self):
        super().setUp()
        self.publish()
        self.lab.listen(7000, 7001, namespace="client")
        self.lab.listen(22)

    def assert_out(self, expected, port=7000):
        self.assert_reach(expected, port, **OUT)

    def test_containers_reach_out_unless_a_rule_says_otherwise(self):
        self.start(CLOSED)
        # This host is not out, and nobody comes in.
        self.assert_all(("open", 7000, OUT), ("filtered", 22, TO_HOST), ("filtered", 80, {"server": BOX}))
        self.daemon.apply(CLOSED + "rules: [route reject in on docker0 7001/tcp]\n")
        self.assert_out("open")
        self.assert_out("refused", 7001)
        self.daemon.apply(CLOSED + "containers: deny\n")
        self.assert_out("filtered")
        self.daemon.apply(CLOSED + "containers: deny\ntrust: docker\n")
        self.assert_out("open")

    def test_by_the_names_that_they_give_their_interfaces(self):
        self.start(CLOSED)
        for bridge, expected in (("br-0123456789ab", "open"), ("podman0", "open"),
                                 ("br-lan", "filtered"), ("br-0123456789AB", "filtered")):
            self.replace_box(bridge)
            self.assert_out(expected)


class Trust(Containers):
    """What two of the neighbours need, with and without their names in the policy."""

    def test_libvirt(self):
        self.replace_box("virbr0")
        self.lab.listen(53)
        self.lab.listen(53, 67, protocol="udp")
        self.lab.listen(7000, namespace="client")
        self.publish()  # for the address of what goes out
        self.start(CLOSED)
        self.assert_all(("filtered", 53, "udp", TO_HOST), ("filtered", 7000, OUT))
        self.daemon.apply(CLOSED + "trust: libvirt\n")
        # The last but one is from elsewhere.
        self.assert_all(("open", 53, TO_HOST), ("open", 53, "udp", TO_HOST), ("open", 67, "udp", TO_HOST),
                        ("open", 7000, OUT), ("filtered", 53, "udp"), ("filtered", 7001, TO_HOST))

    def test_k3s(self):
        self.replace_box("cni0")
        self.lab.listen(6443)
        self.lab.listen(7000, namespace="client")
        self.publish()
        self.start(CLOSED + "containers: deny\n")
        self.assert_all(("filtered", 6443, TO_HOST), ("filtered", 7000, OUT))
        self.daemon.apply(CLOSED + "containers: deny\ntrust: [k3s]\n")
        self.assert_all(("open", 6443, TO_HOST), ("open", 7000, OUT), ("filtered", 6443))

    def test_is_shown_and_stands_behind_the_rules(self):
        self.start(CLOSED + "trust: libvirt\nrules: [deny in on virbr0 53]\n")
        self.daemon.fwctl("allow", "22/tcp")
        rules = self.daemon.call("Status")["rules"]
        self.assertEqual([rule["text"] for rule in rules],
                         ["deny in on virbr0 53", "allow 22/tcp", "allow in on virbr* 53",
                          "allow in on virbr* 67,547/udp", "route allow in on virbr*"])
        self.assertEqual([rule["comment"] for rule in rules], ["", ""] + 3 * ["trust: libvirt"])
        self.assertTrue(rules[2]["managed"])
        self.assertEqual((rules[2]["file"].rsplit("/")[-1], rules[2]["line"]), ("policy.yaml", 3))
        self.assertIn("trust: libvirt", self.daemon.fwctl("status").stdout)
        refused = self.daemon.fwctl("delete", "3", code=1).stderr
        self.assertIn("policy.yaml:3", refused)
        self.daemon.fwctl("insert", "3", "allow", "23/tcp")
        self.assertEqual(self.daemon.call("Status")["rules"][2]["text"], "allow 23/tcp")
        self.daemon.fwctl("insert", "5", "allow", "24/tcp", code=1)
        self.daemon.fwctl("delete", "allow", "23/tcp")
        self.assertIn("trust: libvirt\n", self.daemon.policy())


if __name__ == "__main__":
    lab.main(workers=6)

"""Any Varlink client can call every method, and the interface description is what it says."""

import os

import lab

CLIENT = os.environ.get("VARLINK_GO", str(lab.BUILD / "tests/system/varlink_go/varlink_go"))
DESCRIPTION = lab.SOURCE / "daemon/protocol/org.fwctl.Firewall.varlink"


class Varlink(lab.LabTest):
    def test_a_client_of_others_calls_every_method(self):
        self.lab.listen(22, 3000)
        self.daemon.start()
        done = lab.run(CLIENT, self.daemon.socket, DESCRIPTION, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_introspection(self):
        self.daemon.start()
        with lab.Varlink(self.daemon.socket) as connection:
            info = connection.call("org.varlink.service.GetInfo")
            self.assertEqual(sorted(info["interfaces"]), [lab.INTERFACE, "org.varlink.service"])
            self.assertEqual(set(info), {"vendor", "product", "version", "url", "interfaces"})
            text = connection.call("org.varlink.service.GetInterfaceDescription",
                                   interface=lab.INTERFACE)["description"]
            self.assertEqual(text, DESCRIPTION.read_text())
            self.assertIn("interface org.varlink.service", connection.call(
                "org.varlink.service.GetInterfaceDescription",
                interface="org.varlink.service")["description"])
            for method, parameters, error in (
                    ("org.varlink.service.GetInterfaceDescription", {"interface": "org.example.None"},
                     "InterfaceNotFound"),
                    ("org.example.None.Method", {}, "InterfaceNotFound"),
                    ("org.varlink.service.Nothing", {}, "MethodNotFound"),
                    ("org.fwctl.Firewall.Nothing", {}, "MethodNotFound")):
                with self.assertRaises(lab.VarlinkError) as caught:
                    connection.call(method, **parameters)
                self.assertEqual(caught.exception.name, "org.varlink.service." + error)

    def test_oneway_calls_get_no_answer(self):
        self.daemon.start()
        with lab.Varlink(self.daemon.socket) as connection:
            connection.socket.sendall(b'{"method":"org.fwctl.Firewall.Status","oneway":true}\0')
            connection.send("Show", what="policy")
            self.assertIn("text", connection.receive()["parameters"])


if __name__ == "__main__":
    lab.main()

"""Which hosts may be called: names that are addresses in disguise, and networks by name."""

import ipaddress

import pytest

from console.reaching.targets import (
    BadTarget,
    Reach,
    addresses,
    endpoint,
    networks_of,
    objection_to,
    reach,
    target,
)

PUBLIC = Reach()
HERE = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "//hooks.example/",
        "hooks.example",
        "https://",
        "https:///path",
        "https://user@hooks.example/",
        "https://user:pass@hooks.example/",
        "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example/#part",
        "https://hooks.example:8443/",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example:x/",
        "https://hooks .example/",
        "https://hooks.example/\r\nX: y",
        "https://höoks.example/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://127.0.0.1%2f@hooks.example/",
        "https://%31%32%37.0.0.1/",
        f"https://hooks.example/{'x' * 500}",
        # An address in disguise, as resolvers of old take it.
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://hooks.example.0x7f/",
        # Addresses themselves.
        "https://127.0.0.1/",
        "https://0.0.0.0/",
        "https://10.0.0.7/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://168.63.129.16/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:7f00:1::]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[ff02::1]/",
        "https://[::1",
    ],
)
def test_what_is_not_a_public_host_over_tls_is_refused(url: str) -> None:
    with pytest.raises(BadTarget):
        target(url, PUBLIC)
    # An operator who allows the machine itself has not allowed any of these but the plain one.
    if url != "https://127.0.0.1/":
        with pytest.raises(BadTarget):
            target(url, Reach(networks=HERE))


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://hooks.example", "hooks.example", "/"),
        ("https://Hooks.Example/a?b=c", "hooks.example", "/a?b=c"),
        ("https://xn--hks-tna.example/", "xn--hks-tna.example", "/"),
        ("https://93.184.216.34/", "93.184.216.34", "/"),
        ("https://[2606:2800:220:1::1]/", "2606:2800:220:1::1", "/"),
    ],
)
def test_a_public_host_over_tls_is_taken(url: str, host: str, path: str) -> None:
    found = target(url, PUBLIC)
    assert (found.host, found.port, found.path) == (host, 443, path)


def test_every_address_of_a_name_must_be_public() -> None:
    wanted = target("https://hooks.example/", PUBLIC)
    mixed = ["93.184.216.34", "10.0.0.7"]
    with pytest.raises(BadTarget, match="not public"):
        addresses(wanted, PUBLIC, lambda _host, _port: mixed)
    assert addresses(wanted, PUBLIC, lambda _host, _port: mixed[:1] * 2) == mixed[:1]
    with pytest.raises(BadTarget, match="no address"):
        addresses(wanted, PUBLIC, lambda _host, _port: [])


def test_networks_and_ports_of_the_operator_are_allowed_and_no_more() -> None:
    allowed = reach("10.2.0.0/16, 127.0.0.0/8, 169.254.0.0/16", "443,8443")
    inside = target("https://hooks.internal:8443/", allowed)
    assert objection_to("10.2.3.4", inside, allowed) == ""
    assert "not public" in objection_to("10.3.0.1", inside, allowed)
    # Nobody can name where clouds keep their secrets.
    assert "not public" in objection_to("169.254.169.254", inside, allowed)
    assert "not public" in objection_to("::ffff:10.2.3.4", inside, allowed)
    with pytest.raises(BadTarget, match="https"):
        target("http://10.2.3.4/", allowed)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "::ffff:169.254.169.254",
        "::ffff:10.2.3.4",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a02:304",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",  # noqa: S104
        "::",
    ],
)
def test_some_addresses_are_never_called_whatever_is_named(address: str) -> None:
    everything = Reach(networks=networks_of(["0.0.0.0/0", "::/0"]))
    wanted = target("https://hooks.example/", everything)
    assert "not public" in objection_to(address, wanted, everything)


def test_what_speaks_no_http_is_held_to_the_same_rules() -> None:
    here = Reach(networks=HERE)
    assert endpoint("Mail.example", 587, PUBLIC, tls=True).host == "mail.example"
    assert endpoint("127.0.0.1", 25, here, tls=False).port == 25
    for host in ("10.0.0.7", "169.254.169.254", "0x7f.1", "::1", "a b", ""):
        with pytest.raises(BadTarget):
            endpoint(host, 587, PUBLIC, tls=True)
    with pytest.raises(BadTarget, match="without TLS"):
        endpoint("mail.example", 25, here, tls=False)
    # A name that leads elsewhere is found out when it is looked up.
    wanted = endpoint("localhost", 25, here, tls=False)
    with pytest.raises(BadTarget, match="without TLS"):
        addresses(wanted, here, lambda _host, _port: ["93.184.216.34"])

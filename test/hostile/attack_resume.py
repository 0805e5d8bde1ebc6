"""Sessions that may be resumed: tokens that are guessed, stolen or used up, and acknowledgements that
are not true."""

import json
import os

import link
import wire
from case import case, expect, expect_close, expect_silence

ME = "hostile"


def token():
    return os.urandom(32).hex()


def another(secret):
    """The same handle, another secret."""
    return secret[:16] + os.urandom(24).hex()


def hello(resume, name=ME):
    return json.dumps({"type": "client-id", "id": name, "ext": ["int64", "resume"],
                       "resume": resume}).encode()


def session(number, value):
    return wire.head(number, wire.SESSION) + wire.pack(value)


def ask(peer, resume, name=ME):
    """What the node says to it: [resumed, count], or None."""
    peer.send_text(hello(resume, name))
    said = json.loads(peer.message())
    expect(said["type"] == "id", f"{said}")
    verdict = peer.next_packet()
    expect(verdict.type == wire.SESSION and verdict.is_request, f"no verdict: {verdict}")
    return verdict.value


def answers(peer, count):
    """The values of the next answers; acknowledgements are dropped."""
    got = []
    while len(got) < count:
        packet = peer.next_packet()
        if packet.type != wire.SESSION:
            got.append(packet.value)
    return got


def begin(c, scheme, name=ME):
    peer, secret = c.dial(scheme), token()
    expect(ask(peer, {"token": secret}, name) == [False, None], "a new session")
    return peer, secret


def again(c, scheme, secret, next_secret, received, first=1, name=ME):
    peer = c.dial(scheme)
    resume = {"token": secret, "next": next_secret, "received": received, "from": first}
    return peer, ask(peer, resume, name)


def bad_requests():
    good = {"token": token(), "received": 0, "from": 1}
    good["next"] = another(good["token"])
    for key in ("token", "received", "from"):
        yield {k: v for k, v in good.items() if k != key}
    for key in ("token", "next"):
        for bad in (1, "", None, "g" * 64, good[key][:-1], good[key] + "0", good[key].upper(), [], {}):
            yield {**good, key: bad}
    for key in ("received", "from"):
        for bad in (-1, "1", None, 1.5, True, [], 1e300):
            yield {**good, key: bad}
    yield {**good, "next": token()}  # another handle


@case("resume")
def requests(c):
    """A request that cannot be understood ends the handshake."""
    for bad in bad_requests():
        peer = c.dial("tcp")
        try:
            expect_close(peer, peer.framed(hello(bad)), 1002, f"{bad}")
        finally:
            peer.shut()
    for ignored in (None, 1, "x", []):  # no request at all
        peer = c.dial("tcp")
        peer.send_text(hello(ignored))
        peer.message()
        peer.add()


@case("resume")
def guesses(c):
    """Who does not have the whole token, or another name, gets a session of its own, and the one that
    stands hears nothing of it."""
    for scheme in c.urls:
        victim, secret = begin(c, scheme, "victim")
        for tried, name in [(another(secret), "victim"), (token(), "victim"), (secret, "other"),
                            (secret[:-1] + ("0" if secret[-1] != "0" else "1"), "victim"),
                            (secret[:16] + "0" * 48, "victim")] * 5:
            thief, verdict = again(c, scheme, tried, another(tried), 0, name=name)
            expect(verdict in (None, [False, None]), f"{verdict}")
            thief.add()
            thief.shut()
            victim.add()


@case("resume")
def used_up(c):
    """A token is good for one connection: once its successor is known to be had, it is worth nothing."""
    for scheme in c.urls:
        peer, first = begin(c, scheme)
        peer.add()
        second = another(first)
        peer.vanish()
        peer, verdict = again(c, scheme, first, second, 1)
        expect(verdict == [True, 1], f"{verdict}")
        peer.add()  # so the node knows that the verdict has come
        thief, verdict = again(c, scheme, first, another(first), 2)
        expect(verdict is None, f"a token used twice: {verdict}")
        peer.add()
        # The right one takes over from a connection that stands.
        third, verdict = again(c, scheme, second, another(first), 3)
        expect(verdict == [True, 3], f"{verdict}")
        third.add()
        try:
            peer.add()
            raise link.Failure("the old connection is still served")
        except link.Closed:
            pass


@case("resume")
def verdict_lost(c):
    """Until the node has heard from the client, either token is right: the verdict may not have come."""
    peer, first = begin(c, "tcp")
    peer.add()
    for _ in range(5):
        second = another(first)
        peer.vanish()
        peer, verdict = again(c, "tcp", first, second, 1)
        expect(verdict == [True, 1], f"{verdict}")
    peer.vanish()
    peer, verdict = again(c, "tcp", second, another(first), 1)
    expect(verdict == [True, 1], f"{verdict}")
    peer.add()


@case("resume")
def once(c):
    """What was under way is sent again, once, and nothing is done twice."""
    for scheme in c.urls:
        peer, secret = begin(c, scheme)
        for number in range(1, 21):
            peer.send(wire.call(number, "calculator@1.0.0", "add", number, 1))
        got = answers(peer, 20)
        expect(got == list(range(2, 22)), f"{got}")
        peer.vanish()
        for received in (5, 12, 20):  # say that fewer came than did
            after = another(secret)
            peer, verdict = again(c, scheme, secret, after, received)
            expect(verdict == [True, 20], f"{verdict}")
            got = answers(peer, 20 - received)
            expect(got == list(range(received + 2, 22)), f"{got}")
            peer.send(session(1, received))
            peer.vanish()
            secret = after
        peer, verdict = again(c, scheme, secret, another(secret), 20)
        expect(verdict == [True, 20], f"{verdict}")
        peer.add()


@case("resume")
def counts(c):
    """Counts that cannot be: more than was sent, less than was acknowledged, a gap in what comes."""
    for received, first, what in [(2, 1, "more than was sent"), (2**53 - 1, 1, "far more"),
                                  (1, 3, "a gap in what comes"), (1, 2**53 - 1, "a wide one")]:
        peer, secret = begin(c, "tcp")
        peer.add()
        peer.vanish()
        peer, verdict = again(c, "tcp", secret, another(secret), received, first)
        expect(verdict[0] is False, f"{what}: {verdict}")
        peer.add()
    peer, secret = begin(c, "tcp")
    peer.add()
    peer.add()
    peer.send(session(9, 2))
    peer.add()
    peer.vanish()
    peer, verdict = again(c, "tcp", secret, another(secret), 1)
    expect(verdict == [False, 1], f"less than was acknowledged: {verdict}")
    peer.add()


def bad_packets():
    for value in (0, 1, 5, 2**32, 2**63, -1, -2**63, 1.5, True, False, [], {}, [1], [True, 1], b"", b"x",
                  wire.Ext(0, b"\0"), wire.Raw(b"\xc1"), wire.Raw(b"\xcf\xff"), wire.Raw(b"\xd9\xff"),
                  wire.Raw(b"\x01\x02"), wire.Raw(b"\xa5ab")):
        yield session(7, value)


@case("resume")
def acknowledgements(c):
    """Packets SESSION that make no sense are ignored; so are all from who did not announce them."""
    for scheme in c.urls:
        peer, _ = begin(c, scheme)
        # An acknowledgement of what was never sent only spoils what could be sent to that peer again.
        peer.send(*bad_packets())
        for _ in range(3):
            peer.add()
        peer = c.connect(scheme, extensions=("int64",))
        expect_silence(peer, [*bad_packets(), session(1, None), session(1, "bye")], "not announced")
        peer = c.connect(scheme, extensions=("resume",))
        expect_silence(peer, bad_packets(), "no session that is kept")


@case("resume")
def goodbye(c):
    """A goodbye ends the session at once; after nil it is not waited for."""
    peer, secret = begin(c, "tcp")
    expect_close(peer, peer.framed(session(1, "bye \x01\u00ff")), 1000, "bye")
    peer, secret = begin(c, "tcp")
    peer.send(session(1, None))
    peer.add()
    peer.vanish()
    peer, verdict = again(c, "tcp", secret, another(secret), 1)
    expect(verdict == [False, None], f"{verdict}")


@case("resume", limit=64)
def crowd(c):
    """Many sessions that nobody resumes, each with output that nobody took: memory stays bounded, and they
    end."""
    for _ in range(400 if c.is_long else 120):
        peer, _ = begin(c, "tcp")
        for number in range(1, 5):
            peer.send(wire.call(number, "lab@1.0.0", "blob", 200000, 0))
        peer.vanish()

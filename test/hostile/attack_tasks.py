"""Core tasks, events and references, asked for in every wrong way. PROTOCOL.md §5 to §7 and §12."""

import link
import wire
from case import MIB, case, expect, expect_fault, expect_silence

CALCULATOR, LAB = "calculator@1.0.0", "lab@1.0.0"
ODD = [None, 5, -1, 2.5, True, b"bytes", [], {}, [1, 2], {"a": 1}, wire.UNDEFINED, "",
       wire.Ext(125, bytes(8)), wire.Ext(108, wire.pack("x")), "x" * 1000, "a\0b", "*", "../.."]


@case()
def unknown(c):
    """Tasks that are not there: 404 with the name, also when it is no text."""
    for peer in c.everywhere():
        for name in ("nope", "Emit", "emit ", "constructor", "__proto__", "a" * 300, "😀" * 99):
            fault = expect_fault(peer, wire.task(1, name), 404, name[:20], "Task")
            quoted = fault.details["id"]
            expect(quoted == name or len(quoted) > 50 and name.startswith(quoted),
                   f"{name[:20]} ({len(name)}): {fault.details}")
        for name in (None, 5, [], {}, wire.UNDEFINED, "", ["emit"], True):
            expect_fault(peer, wire.request(1, wire.TASK, name), 404, repr(name), "Task not found")
        expect_fault(peer, wire.request(1, wire.TASK), 404, "no name", "Task not found")


@case()
def odd_arguments(c):
    """Each core task with arguments of every type, none and many: an answer each, nothing breaks."""
    names = ("query_interface", "subscribe", "unsubscribe", "emit", "unref_service",
             "expose_service", "unexpose_service", "authenticate", "invalidate_cache", "abilities",
             "list_services", "count", "wait")
    for peer in c.everywhere():
        for name in names:
            for args in [()] + [(value,) for value in ODD] + [(v, v) for v in ODD[:9]] + [ODD, ODD * 50]:
                if name == "wait" and args[:1] in ((5,), (True,)):
                    continue
                got = peer.task(name, *args)
                coded = isinstance(got.value, wire.Fault) and 400 <= got.value.code < 510
                expect(coded or not got.is_error, f"{name}{args!r:.80}: {got}")
            if name in ("subscribe", "unsubscribe", "emit", "unref_service"):
                for value in ODD:
                    got = peer.task(name, value)
                    expect(got.value == wire.UNDEFINED, f"{name}({value!r}) has to answer undefined")
        expect(peer.task("authenticate", {"token": "x"}).value.code == 503, "authenticate")
        expect_fault(peer, wire.task(1, "expose_service", {"name": "x"}), 403, "expose_service")
        expect_fault(peer, wire.task(1, "unexpose_service", "x"), 403, "unexpose_service")


@case()
def queries(c):
    """query_interface: what is not there, patterns, ranges from a base peer, names out of shape."""
    for peer in c.everywhere():
        for name in ("nope", "calculator@2.0.0", "calculator@^1.0.0", "calculator@*", "calculator@1",
                     "calculator@", "@1.0.0", ".*", "r(", "calc.lator", "Calculator", " calculator",
                     "calculator@1.0.0@1.0.0", "calculator@" + "9" * 5000, "\0", "@" * 1000):
            expect_fault(peer, wire.task(1, "query_interface", name), 404, name[:30], "not found")
        got = peer.task("query_interface", "calculator")
        expect(isinstance(got.value, wire.Ext) and got.value.kind == 109, f"calculator: {got}")
    for peer in c.everywhere(extensions=("int64", "cancel")):
        for text in ("^1.0.0", "~1", ">=1 <2", "1.x", "*"):
            got = peer.task("query_interface", f"calculator@{text}")
            expect(not got.is_error, f"calculator@{text}: {got}")
        for text in ("^", "~", ">=", "a.b.c", "1.2.3.4", "^" * 1000, "1 || " * 1000, ">1 " * 10000,
                     "9" * 30, "99999999999999999999.0.0", "1.0.0-" + "a." * 1000, "1 - 2 - 3", "||"):
            got = peer.task("query_interface", f"calculator@{text}")
            expect(got.is_error and got.value.code in (400, 404), f"calculator@{text[:30]}: {got}")


@case()
def subscriptions(c):
    """A thousand names and no more: 429; the same name again is free; all go with the peer."""
    for scheme in c.urls:
        peer = c.connect(scheme)
        peer.send(*(wire.task(i, "subscribe", f"event.{i}") for i in range(1, 2001)))
        got = [peer.reply_to(i) for i in range(1, 2001)]
        expect(all(not g.is_error for g in got[:1000]), "the first thousand")
        expect(all(g.is_error and g.value.code == 429 for g in got[1000:]), "more than a thousand")
        expect(peer.task("subscribe", "event.1").value == wire.UNDEFINED, "one of them again")
        peer.task("unsubscribe", "event.1")
        expect(peer.task("subscribe", "another").value == wire.UNDEFINED, "room after unsubscribe")
        expect(peer.task("subscribe", "one more").is_error, "and no more room")
        figures = c.bystander.call(LAB, "figures").value
        expect(figures["subscriptions"] >= 1000, f"{figures}")
        peer.vanish() if scheme == "tcp" else peer.shut()
        c.target.settle()


@case(limit=64)
def many_patterns(c):
    """Patterns without an end: a thousand, then 429; those that are none are 400; events still go out."""
    peer = c.connect("tcp", extensions=("patterns", "oneway"))
    for start in range(1, 20001, 1000):
        peer.send(*(wire.task(i, "subscribe", f"**.a.**.{i}.*") for i in range(start, start + 1000)))
        got = [peer.reply_to(i) for i in range(start, start + 1000)]
        expect(all(g.is_error == (start > 1) for g in got), "a thousand and no more")
        expect(start == 1 or all(g.value.code == 429 for g in got), "429")
    other = c.connect("ws", extensions=("patterns",))
    for bad in ("a*", "**a", "***", "a..*", ".*", "*.", "*" + ".a" * 40, "*." + "a" * 300, "*.*a"):
        got = other.task("subscribe", bad)
        expect(got.is_error and got.value.code == 400, f"{bad[:20]}: {got}")
    peer.shut()
    other.shut()
    c.target.settle()


@case(limit=64)
def long_events(c):
    """Names of a megabyte: not a thousand of them, each kept twice."""
    for scheme in ("ws", "tcp"):
        peer = c.connect(scheme)
        for i in range(100):
            peer.task("subscribe", f"{i} " + "e" * MIB)
        peer.add()


@case("tight")
def no_answer(c):
    """A subscriber that does not answer an emit costs the emitter its time-out, not more; one that
    goes meanwhile costs nothing."""
    deaf = c.connect("tcp", "deaf")
    deaf.task("subscribe", "news")
    caller = c.connect("ws", "caller")
    for _ in range(2):
        got = caller.call(LAB, "emit", "news", 1)
        expect(got.value == wire.UNDEFINED, f"an emit that nobody answers: {got}")
    caller.send(wire.call(1, LAB, "emit", "news", 1))
    while True:
        got = deaf.next_packet()
        if got.is_request and got.value[:2] == ["emit", "news"]:
            break
    deaf.vanish()
    expect(caller.reply_to(1).value == wire.UNDEFINED, "an emit whose subscriber left")
    answers = [None, wire.UNDEFINED, wire.Fault, "text", {"message": "no"}]
    odd = c.connect("tcp", "odd")
    odd.task("subscribe", "news")
    for i, answer in enumerate(answers):
        caller.send(wire.call(50 + i, LAB, "emit", "news", 1))
        got = odd.next_packet()
        flags = wire.ERROR if answer is wire.Fault else 0
        value = b"\xc1" if answer is wire.Fault else wire.pack(answer)
        odd.send(wire.head(got.id, wire.CALL, flags) + value, wire.head(got.id, wire.TASK, 0) + value)
        expect(caller.reply_to(50 + i).value == wire.UNDEFINED, f"an emit answered with {answer}")
    odd.shut()


@case()
def emits(c):
    """Thousands of emits of unknown events, with everything as arguments."""
    for peer in c.everywhere():
        peer.send(*(wire.task(i, "emit", f"e{i}", *ODD) for i in range(1, 1001)))
        for i in range(1, 1001):
            expect(peer.reply_to(i).value == wire.UNDEFINED, "an emit")
        peer.task("subscribe", "loop")
        peer.send(wire.task(5000, "emit", "loop", 1))
        expect(peer.reply_to(5000).value == wire.UNDEFINED, "an emit to oneself")


@case()
def references(c):
    """unref of what was never given, of services that have a name, thousands of times."""
    for peer in c.everywhere():
        definition = peer.task("query_interface", "calculator").value
        reader = wire.Reader(definition.data)
        number = reader.value()
        for _ in range(3):
            for name in (number, "0190163d-8694-739b-aea5-966c26f8ad91", "x" * 10000, "", number.upper()):
                expect(peer.task("unref_service", name).value == wire.UNDEFINED, "unref_service")
        expect(peer.call(number, "add", 1, 2).value == 3, "the service after unref")
        got = peer.call(LAB, "echo", wire.Ext(108, wire.pack("nobody")))
        expect(not got.is_error, f"a reference as data: {got}")


def metas():
    """(meta, code) for expose_service; code 0: accepted."""
    methods = {"get": {"type": "any", "arguments": []}}
    yield {}, 400
    yield "text", 400
    yield None, 400
    yield [], 400
    yield {"name": 5}, 400
    yield {"name": ""}, 400
    for name in ("bad name!", "a@1.0.0", "@", "a b", "é", "a\0b", "a/b", ".a", "a..b", "x" * 5000):
        yield {"name": name}, 400
    for name in ("calculator", "lab", "open"):
        yield {"name": name, "methods": methods}, 409
    yield {"name": "ok1"}, 0
    yield {"name": "ok2", "version": "1.0.0", "methods": methods, "properties": {}}, 0
    yield {"name": "ok3", "version": "not a version"}, (0, 400)
    yield {"name": "ok4", "version": 5, "methods": 5, "properties": "x"}, (0, 400)
    yield {"name": "ok5", "methods": {"": 1, "a b": None, "x" * 1000: {}, "get": []}}, (0, 400)
    yield {"name": "ok6", "properties": {"p": {"readonly": "yes"}, "q": None, "r": {"readonly": True}}}, \
        (0, 400)
    yield {"name": "ok7", "methods": {f"m{i}": {} for i in range(20000)}}, (0, 400, 413)
    yield {"name": "ok8", "methods": {"get": wire.Ext(110, wire.pack(None) * 13)}}, (0, 400)
    yield {"name": "ok9", "version": "v" * 100000}, (0, 400, 413)
    yield {"name": "ok10", "doc": "d" * MIB}, (0, 400, 413)
    yield {"name": "ok11", "methods": {"get": {"arguments": [{"index": -1, "type": 5}] * 1000}}}, (0, 400)
    yield {"name": "ok12", "properties": {"get": {}}, "methods": {"get": {}}}, (0, 400)


@case("relay", limit=64)
def metas_exposed(c):
    """expose_service with what no service looks like: refused, or harmless when called."""
    for scheme in c.urls:
        owner, user = c.connect(scheme, "owner"), c.connect("ws", "user")
        for meta, code in metas():
            got = owner.task("expose_service", meta)
            code = code if isinstance(code, tuple) else (code,)
            said = got.value.code if got.is_error else 0
            expect(said in code, f"{meta!r:.60}: {code} was expected, got {got!r:.200}")
            name = meta.get("name") if isinstance(meta, dict) else None
            if said or not isinstance(name, str):
                continue
            user.task("query_interface", name)
            for member in ("get", "", "a b", "nope", "p", "x" * 255):
                kinds = (wire.GET, wire.SET) if member == "p" else (wire.CALL,)
                for kind in kinds:
                    user.send(wire.request(99, kind, name, member, 1))
                    if member in ("get", "p"):
                        # Whatever the owner answers, the caller gets something.
                        user.send(wire.head(98, wire.PING) + b"\xc0")
                        user.reply_to(98)
                    else:
                        user.reply_to(99)
            answer_all(owner)
        owner.vanish()
        for i in range(1, 13):
            expect_fault(user, wire.call(1, f"ok{i}", "get"), 404, f"ok{i} after its owner left")


def answer_all(owner):
    """Answer what the node has asked so far with something odd each."""
    owner.send(wire.head(1, wire.PING) + b"\xc0")
    odd = [b"\xc0", b"\xc1", b"\x92\1", wire.pack(wire.Ext(107, b"")), wire.pack("x" * 1000),
           wire.pack(wire.Ext(109, wire.pack(None) * 4)), wire.pack(wire.stream_reference(5))]
    number = 0
    while True:
        got = owner.next_packet()
        if got.type == wire.PING:
            return
        if got.is_request:
            owner.send(wire.head(got.id, wire.CALL, number & 1 and wire.ERROR) + odd[number % len(odd)])
            number += 1


@case("relay")
def owners(c):
    """Taking what another owns, giving back what nobody has, exposing again and again."""
    first, second = c.connect("tcp", "first"), c.connect("ws", "second")
    meta = {"name": "mine", "version": "1.0.0", "methods": {"get": {}}}
    expect(not first.task("expose_service", meta).is_error, "expose_service")
    expect_fault(second, wire.task(1, "expose_service", meta), 409, "another peer's name")
    expect_fault(second, wire.task(1, "unexpose_service", "mine"), 403, "another peer's service")
    expect_fault(second, wire.task(1, "unexpose_service", "nope"), 404, "nobody's service")
    expect_fault(second, wire.task(1, "unexpose_service", CALCULATOR), 403, "the node's service")
    expect_fault(second, wire.task(1, "unexpose_service", 5), 404, "no name")
    for _ in range(300):
        expect(not first.task("expose_service", meta).is_error, "exposing it again")
    second.send(wire.call(5, "mine", "get"))
    while True:
        got = first.next_packet()
        if got.is_request and got.type == wire.CALL:
            break
    first.vanish()
    fault = second.reply_to(5).value
    expect(isinstance(fault, wire.Fault) and fault.code == 503, f"the owner left: {fault}")
    c.target.settle(peers=1)
    expect_fault(second, wire.call(6, "mine", "get"), 404, "its service afterwards")


@case("relay")
def relayed_answers(c):
    """An owner that answers wrongly, twice, late, with streams that never come, or not at all."""
    owner, user = c.connect("tcp", "owner"), c.connect("ws", "user")
    owner.task("expose_service", {"name": "odd", "methods": {"get": {}},
                                  "properties": {"p": {}, "r": {"readonly": True}}})
    answers = [wire.pack(5), b"\xc1", b"", b"\x92\1", b"\x91" * 1000, wire.pack(1) + b"more",
               wire.pack(wire.Ext(107, b"junk")), wire.pack(wire.stream_reference(0)),
               wire.pack(wire.stream_reference(9)), wire.pack(wire.stream_reference(9, False)),
               wire.pack(wire.Ext(108, wire.pack("nobody"))), wire.pack(wire.UNDEFINED),
               wire.pack(wire.Ext(109, wire.pack("id") + wire.pack("") * 2 + wire.pack({}))),
               wire.pack(wire.Ext(109, wire.pack(5) * 4)),
               wire.pack(wire.Ext(109, wire.pack("i" * 100) * 3 + wire.pack({"name": "x"}))),
               wire.pack(wire.Ext(109, b"".join(map(wire.pack, ("id", "", "p", {"name": "n",
                                                                 "methods": {"m": {}}}))))),
               wire.pack(wire.Ext(110, wire.pack(None) * 13)), wire.pack("x" * MIB)]
    for flags in (0, wire.ERROR, wire.EOS | wire.LIVE):
        for answer in answers:
            user.send(wire.call(70, "odd", "get"))
            got = owner.next_packet()
            packet = wire.head(got.id, wire.CALL, flags) + answer
            owner.send(packet, packet, wire.chunk(1, 9, 0, "item"), wire.chunk(2, 9, 1, None, wire.EOS),
                       wire.chunk(3, 0, 0, "item"))
            if answer != b"":  # shorter than a packet: it is not seen, and the call times out
                user.reply_to(70)
            owner.send(wire.head(1, wire.PING) + b"\xc0")
            while owner.next_packet().type != wire.PING:
                pass
    user.send(wire.call(71, "odd", "get"))
    fault = user.reply_to(71).value
    expect(isinstance(fault, wire.Fault) and fault.code == 408, f"no answer at all: {fault}")
    expect_fault(user, wire.request(1, wire.SET, "odd", "r", 1), 400, "readonly through the relay")
    expect_fault(user, wire.request(1, wire.GET, "odd", "nope"), 400, "undeclared through the relay")
    expect_fault(user, wire.call(1, "odd", "nope"), 404, "an unknown method through the relay")
    late = owner.next_packet()
    expect_silence(owner, [wire.head(late.id, wire.CALL, 0) + b"\xc0"], "a late answer")

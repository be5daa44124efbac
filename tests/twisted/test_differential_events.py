"""System events and callWhenRunning: EPollReactor's order of them."""

from twisted.internet import defer

from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_reactor


@on_reactors
def test_running_tells_the_truth(run):
    def scenario(reactor, trace):
        def note(name):
            trace.append((name, reactor.running))

        def stop():
            note("stop")
            reactor.stop()
            note("stopped")

        note("before")
        for phase in ["before", "during", "after"]:
            for event in ["startup", "shutdown"]:
                reactor.addSystemEventTrigger(phase, event, note, f"{phase} {event}")
        reactor.callLater(0, stop)
        run_reactor(reactor)
        note("over")

    assert run(scenario) == [
        ("before", False),
        ("before startup", False),
        ("during startup", True),
        ("after startup", True),
        ("stop", True),
        ("stopped", True),
        ("before shutdown", True),
        ("during shutdown", False),
        ("after shutdown", False),
        ("over", False),
    ]


@on_reactors
def test_the_order_of_triggers(run):
    def scenario(reactor, trace):
        for event in ["startup", "shutdown"]:
            for phase in ["after", "during", "before"]:
                for number in [1, 2]:
                    name = f"{phase} {event} {number}"
                    reactor.addSystemEventTrigger(phase, event, trace.append, name)
        removed = reactor.addSystemEventTrigger("before", "startup", trace.append, "no")
        reactor.removeSystemEventTrigger(removed)
        reactor.callWhenRunning(reactor.stop)
        run_reactor(reactor)

    phases = ["before", "during", "after"]
    assert run(scenario) == [
        f"{phase} {event} {number}"
        for event in ["startup", "shutdown"]
        for phase in phases
        for number in [1, 2]
    ]


@on_reactors
def test_a_before_trigger_delays_what_follows(run):
    def scenario(reactor, trace):
        waited = defer.Deferred()

        def before():
            trace.append("before")
            reactor.callLater(0, trace.append, "a turn later")
            reactor.callLater(0, waited.callback, None)
            return waited

        reactor.addSystemEventTrigger("before", "shutdown", before)
        reactor.addSystemEventTrigger("during", "shutdown", trace.append, "during")
        reactor.callWhenRunning(reactor.stop)
        run_reactor(reactor)

    assert run(scenario) == ["before", "a turn later", "during"]


@on_reactors
def test_a_trigger_that_raises_is_logged(run):
    def scenario(reactor, trace):
        for event in ["startup", "shutdown"]:
            reactor.addSystemEventTrigger("before", event, int, event)
            reactor.addSystemEventTrigger("before", event, trace.append, event)
        reactor.callWhenRunning(reactor.stop)
        run_reactor(reactor)

    message = "invalid literal for int() with base 10: "
    assert run(scenario) == [
        ("logged", "ValueError", f"{message}'startup'"),
        "startup",
        ("logged", "ValueError", f"{message}'shutdown'"),
        "shutdown",
    ]


@on_reactors
def test_callwhenrunning_before_and_after_the_start(run):
    def scenario(reactor, trace):
        def started():
            trace.append("started")
            trace.append(reactor.callWhenRunning(trace.append, "at once") is None)
            trace.append("started over")

        reactor.callLater(0, trace.append, "due")
        reactor.callFromThread(trace.append, "from thread")
        removed = reactor.callWhenRunning(trace.append, "removed")
        reactor.removeSystemEventTrigger(removed)
        reactor.callWhenRunning(started)
        reactor.callWhenRunning(trace.append, "second")
        trace.append(outcome(reactor.callWhenRunning, None))
        reactor.callLater(0, reactor.stop)
        run_reactor(reactor)

    assert run(scenario) == [
        ("AssertionError", "None is not callable"),
        *("started", "at once", True, "started over", "second"),
        *("from thread", "due"),
    ]

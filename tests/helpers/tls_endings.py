"""How a foreign peer of a TLS connection may behave towards its end: whichever framework
our end is of. Each is given a `helpers.tls_asyncio.Facing` or its like."""

import pytest
from OpenSSL import SSL

from helpers.tls_peers import HEADER


def named(functions):
    return pytest.mark.parametrize("does", functions, ids=lambda function: function.__name__)


LARGE = bytes(range(251)) * 4000


def close_notify_then_hangs_up(facing, peer):
    peer.close_notify()
    peer.close()


def close_notify_and_waits(facing, peer):
    peer.close_notify()


def close_notify_half_closed(facing, peer):
    peer.close_notify()
    peer.shutdown()


def data_and_close_notify_at_once(facing, peer):
    peer.held = True
    peer.tls.send(b"last words")
    peer.close_notify()
    peer.held = False
    peer.flush()


def much_data_and_close_notify(facing, peer):
    facing.sent(LARGE)
    peer.close_notify()


def data_after_close_notify(facing, peer):
    peer.send_after_close_notify(b"too late")


def hangs_up(facing, peer):
    peer.close()


def half_closes(facing, peer):
    """Without a close_notify: the stream is truncated."""
    peer.shutdown()


def data_and_hangs_up(facing, peer):
    peer.send(b"last words")
    peer.close()


def resets(facing, peer):
    peer.reset()


def hangs_up_in_mid_record(facing, peer):
    record = peer.record(b"never whole")
    peer.raw(record[: len(record) // 2])
    peer.close()


def hangs_up_in_mid_header(facing, peer):
    peer.raw(peer.record(b"never whole")[: HEADER - 2])
    peer.shutdown()


def a_record_and_half_a_one(facing, peer):
    peer.raw(peer.record(b"whole") + peer.record(b"never whole")[:-1])
    facing.until(lambda: facing.protocol.data.endswith(b"whole"))
    peer.shutdown()


def resets_in_mid_record(facing, peer):
    record = peer.record(b"never whole")
    peer.raw(record[: len(record) // 2])
    peer.reset()


def bad_mac(facing, peer):
    record = peer.record(b"not what was sent")
    peer.raw(record[:-1] + bytes([record[-1] ^ 1]))


def data_and_a_bad_mac(facing, peer):
    good, bad = peer.record(b"good"), peer.record(b"not what was sent")
    peer.raw(good + bad[:-1] + bytes([bad[-1] ^ 1]))


def a_bad_mac_in_the_middle_of_much(facing, peer):
    records = [peer.record(bytes([number]) * 12_000) for number in range(4)]
    records[2] = records[2][:-1] + bytes([records[2][-1] ^ 1])
    peer.raw(b"".join(records))


def much_data_and_half_a_record(facing, peer):
    records = [peer.record(bytes([number]) * 12_000) for number in range(4)]
    peer.raw(b"".join(records)[:-6_000])
    peer.shutdown()


def garbage(facing, peer):
    peer.raw(b"this is no record of TLS, and never was\r\n")


def too_long_a_record(facing, peer):
    # Of what is announced, no more than arrives at once.
    peer.raw(b"\x17\x03\x03\xff\xff" + b"x" * 20_000)


def an_alert_in_the_clear(facing, peer):
    peer.raw(b"\x15\x03\x03\x00\x02\x02\x28")


# All that a peer may do by itself.
BEHAVIOURS = [
    close_notify_then_hangs_up,
    close_notify_and_waits,
    close_notify_half_closed,
    data_and_close_notify_at_once,
    much_data_and_close_notify,
    data_after_close_notify,
    hangs_up,
    half_closes,
    data_and_hangs_up,
    resets,
    hangs_up_in_mid_record,
    hangs_up_in_mid_header,
    a_record_and_half_a_one,
    resets_in_mid_record,
    bad_mac,
    data_and_a_bad_mac,
    a_bad_mac_in_the_middle_of_much,
    much_data_and_half_a_record,
    garbage,
    too_long_a_record,
    an_alert_in_the_clear,
]


def answers(facing, peer):
    facing.until(lambda: peer.receive())
    peer.close_notify()


def answers_and_hangs_up(facing, peer):
    answers(facing, peer)
    peer.close()


def sends_before_it_answers(facing, peer):
    """Which a peer may: it had said so before it heard."""
    facing.until(lambda: peer.receive())
    peer.tls.set_shutdown(0)
    peer.send(b"crossing")
    peer.tls.set_shutdown(SSL.RECEIVED_SHUTDOWN)
    peer.close_notify()


def crosses(facing, peer):
    """Its close_notify is under way as ours is."""
    peer.close_notify()


def hangs_up_instead(facing, peer):
    facing.until(lambda: peer.receive())
    peer.close()


def half_closes_instead(facing, peer):
    facing.until(lambda: peer.receive())
    peer.shutdown()


def resets_instead(facing, peer):
    facing.until(lambda: peer.receive())
    peer.reset()


def garbage_instead(facing, peer):
    facing.until(lambda: peer.receive())
    garbage(facing, peer)


# How it may take our close_notify.
ANSWERS = [
    answers,
    answers_and_hangs_up,
    sends_before_it_answers,
    crosses,
    hangs_up_instead,
    half_closes_instead,
    resets_instead,
    garbage_instead,
]

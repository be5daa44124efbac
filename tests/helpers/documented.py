"""The names that Tornado 4.5 documents."""

# Tornado 4.5's documentation (docs/ioloop.rst, asyncio.rst, twisted.rst, iostream.rst).
DOCUMENTED = {
    "ioloop": ["IOLoop", "PeriodicCallback", "TimeoutError"],
    "platform.asyncio": [
        *("AsyncIOMainLoop", "AsyncIOLoop", "to_tornado_future", "to_asyncio_future"),
    ],
    "platform.twisted": ["TornadoReactor", "install", "TwistedIOLoop", "TwistedResolver"],
    "iostream": [
        *("BaseIOStream", "IOStream", "SSLIOStream", "PipeIOStream"),
        *("StreamClosedError", "UnsatisfiableReadError"),
    ],
}
IOLOOP_DOCUMENTED = (
    "current make_current instance initialized install clear_instance start stop run_sync close "
    "add_handler update_handler remove_handler add_callback add_callback_from_signal add_future "
    "add_timeout call_at call_later remove_timeout spawn_callback time handle_callback_exception "
    "set_blocking_signal_threshold set_blocking_log_threshold log_stack initialize close_fd "
    "split_fd clear_current configure configurable_base configurable_default READ WRITE ERROR NONE"
)
# Of its streams, the last ones are of `IOStream` and of `SSLIOStream`.
IOSTREAM_DOCUMENTED = (
    "write read_bytes read_until read_until_regex read_until_close close set_close_callback closed "
    "reading writing set_nodelay fileno close_fd write_to_fd read_from_fd get_fd_error connect "
    "start_tls wait_for_handshake"
)

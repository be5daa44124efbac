"""Names with a leading underscore, of others, that this package uses or overrides.

A new version of a framework may take one of them away, and no version number says so. This
is the one list of them. ``tests/project/test_private_names.py`` finds those that are
missing here, and those that the installed versions no longer have. An application is told
of the latter when it imports the package beside a version that is newer than those tested.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import warnings

__all__ = ["NEWEST_TESTED", "USED", "missing", "warn_if_newer"]

#: The newest version of each that all tests have passed with.
NEWEST_TESTED = {"Python": (3, 14), "Tornado": (6, 6), "Twisted": (26, 10), "pyOpenSSL": (26, 4)}

#: By whose they are and where: names of a module, or of a class in it; in versions since one,
#: or before ("until") one, where the others have them elsewhere or needn't have them.
USED = {
    "Python": {
        "asyncio.base_events": "_format_handle _set_nodelay",
        "asyncio.base_events:BaseEventLoop": (
            "_asyncgen_finalizer_hook _asyncgen_firstiter_hook _check_callback _check_closed "
            "_check_running _closed _current_handle _debug _internal_fds "
            "_make_datagram_transport _make_read_pipe_transport _make_socket_transport "
            "_make_ssl_transport _make_write_pipe_transport _process_events _ready _run_once "
            "_scheduled _sendfile_native _stopping _task_factory _thread_id _check_thread "
            "_add_callback _add_callback_signalsafe"
        ),
        "asyncio.base_events:Server": "_attach _detach _start_serving",
        "asyncio.constants": "_SendfileMode",
        "asyncio.events": "_get_running_loop _set_running_loop",
        "asyncio.events since 3.14": "_ThreadSafeHandle _set_event_loop_policy",
        "asyncio.events until 3.16": "_event_loop_policy",
        "asyncio.events:BaseDefaultEventLoopPolicy until 3.14": "_local _loop_factory",
        "asyncio.events:_BaseDefaultEventLoopPolicy since 3.14": "_loop_factory",
        "asyncio.events:Handle": (
            "_args _callback _cancelled _context _loop _repr _repr_info _run _source_traceback"
        ),
        "asyncio.events:TimerHandle": "_scheduled _when",
        "asyncio.format_helpers": "_format_callback_source",
        "asyncio.futures": "_asyncio _set_result_unless_cancelled",
        "asyncio.futures:Future": "_asyncio_future_blocking _exception",
        "asyncio.runners": "_cancel_all_tasks",
        "asyncio.selector_events": "_SelectorDatagramTransport _SelectorSocketTransport",
        "asyncio.selector_events:BaseSelectorEventLoop": (
            "_accept_connection _accept_connection2 _add_reader _add_writer _close_self_pipe "
            "_csock _ensure_fd_no_transport _internal_fds _make_datagram_transport "
            "_make_self_pipe _make_socket_transport _make_ssl_transport _process_events "
            "_process_self_data _read_from_self _remove_reader _remove_writer _selector "
            "_sendfile_native _ssock _start_serving _transports"
        ),
        "asyncio.selector_events:_SelectorDatagramTransport": (
            "_address _conn_lost _read_ready _sendto_ready"
        ),
        "asyncio.selector_events:_SelectorSocketTransport": (
            "_call_connection_lost _conn_lost _empty_waiter _eof _make_empty_waiter _read_ready "
            "_reset_empty_waiter _sendfile_compatible _start_tls_compatible _write_ready"
        ),
        "asyncio.selector_events:_SelectorSocketTransport until 3.11": "_paused",
        "asyncio.selector_events:_SelectorTransport since 3.11": "_paused",
        "asyncio.selector_events:_SelectorTransport": (
            "_add_reader _buffer _call_connection_lost _closing _conn_lost _fatal_error "
            "_force_close _loop _protocol _protocol_connected _server _sock _sock_fd"
        ),
        "asyncio.sslproto": "_SSLProtocolTransport",
        "asyncio.sslproto:SSLProtocol since 3.11": (
            "_app_protocol _app_protocol_buffer_updated _app_protocol_get_buffer "
            "_app_protocol_is_buffer _app_reading_paused _app_transport _app_writing_paused "
            "_call_eof_received _conn_lost _control_app_writing _control_ssl_reading _do_flush "
            "_do_handshake _do_read _do_read__buffered _do_read__copied _do_shutdown _do_write "
            "_extra _fatal_error _get_read_buffer_size _get_write_buffer_size _incoming "
            "_incoming_high_water _incoming_low_water _outgoing _outgoing_high_water "
            "_outgoing_low_water _process_outgoing _ssl_buffer _ssl_buffer_view "
            "_ssl_reading_paused _ssl_writing_paused _sslobj _start_shutdown _state _transport "
            "_write_appdata _write_backlog _write_buffer_size"
        ),
        "asyncio.tasks": "_enter_task _leave_task",
        "asyncio.transports:BaseTransport": "_extra",
        "asyncio.transports:_FlowControlMixin": (
            "_high_water _low_water _maybe_pause_protocol _protocol_paused"
        ),
        "asyncio.unix_events": (
            "_UnixReadPipeTransport _UnixSelectorEventLoop _UnixWritePipeTransport"
        ),
        "asyncio.unix_events since 3.14": "_DefaultEventLoopPolicy",
        "asyncio.unix_events:_UnixReadPipeTransport": (
            "_add_reader _call_connection_lost _closing _fatal_error _fileno _loop _paused "
            "_protocol _read_ready"
        ),
        "asyncio.unix_events:_UnixSelectorEventLoop": (
            "_check_signal _handle_signal _make_read_pipe_transport _make_write_pipe_transport "
            "_process_self_data _signal_handlers"
        ),
        "asyncio.unix_events:_UnixWritePipeTransport": (
            "_buffer _call_connection_lost _closing _conn_lost _fatal_error _fileno _loop "
            "_protocol _read_ready _write_ready"
        ),
        "functools": "_lru_cache_wrapper",
        "multiprocessing.util": "_args_from_interpreter_flags",
        "runpy": "_run_module_as_main",
        "_ssl": "_SSLContext _SSLSocket",
        "_ssl:_SSLContext": "_wrap_bio",
        "ssl:SSLContext": "_msg_callback",
        "ssl:SSLObject": "_sslobj",
        "sys": "_getframe",
        "threading": "_register_atexit",
    },
    "Tornado": {
        "tornado.gen": "_wrap_awaitable",
        "tornado.http1connection:HTTP1Connection": (
            "_chunking_output _disconnect_on_finish _expected_content_remaining _format_chunk "
            "_on_write_complete _pending_write _request_headers "
            "_request_start_line _response_start_line _write_future"
        ),
        "tornado.httputil since 6.5": "_ABNF",
        "tornado.httputil since 6.6": "_DEFAULT_PARSE_BODY_CONFIG",
        "tornado.httputil:HTTPHeaders": "_as_list",
        "tornado.httputil:HTTPHeaders since 6.6": "_combined_cache",
        "tornado.httputil:HTTPHeaders until 6.5": "_dict",
        "tornado.httputil:HTTPHeaders until 6.6": "_last_key",
        "tornado.httputil:HTTPServerRequest": "_finish_time _start_time",
        "tornado.ioloop:IOLoop": (
            "_clear_current_hook _discard_future_result _ioloop_for_asyncio _make_current "
            "_run_callback"
        ),
        "tornado.iostream:BaseIOStream": (
            "_add_io_state _check_closed _check_max_bytes _close_callback _closed _connecting "
            "_consume _find_read_pos _finish_read _handle_events _handle_read _handle_write "
            "_is_connreset _maybe_add_error_listener _read_buffer _read_buffer_size _read_bytes "
            "_read_delimiter _read_from_buffer _read_future _read_max_bytes _read_partial "
            "_read_regex _read_to_buffer _read_to_buffer_loop _start_read _state "
            "_total_write_done_index _total_write_index _try_inline_read _user_read_buffer "
            "_write_buffer _write_futures"
        ),
        "tornado.iostream:PipeIOStream": "_fio",
        "tornado.iostream:SSLIOStream": "_ssl_accepting",
        "tornado.util": "_websocket_mask_python",
        "tornado.util:Configurable": "_restore_configuration _save_configuration",
        "tornado.websocket": "_websocket_mask",
        "tornado.websocket:WebSocketProtocol13": (
            "_compressor _decompressor _fragmented_message_buffer _frame_compressed _frame_length "
            "_frame_mask _handle_message _message_bytes_in _message_bytes_out _read_bytes "
            "_run_callback _wire_bytes_in _wire_bytes_out _write_frame"
        ),
    },
    "Twisted": {
        "twisted.application.app": "_exitWithSignal",
        "twisted.internet": "_newtls _signals",
        "twisted.internet._signals": "_MultiSignalHandling",
        "twisted.internet.abstract:FileDescriptor": (
            "_closeWriteConnection _postLoseConnection _tempDataBuffer _tempDataLen "
            "_writeDisconnected _writeDisconnecting"
        ),
        "twisted.internet.abstract:_LogOwner": "_getLogPrefix",
        "twisted.internet.asyncioreactor:AsyncioSelectorReactor": (
            "_asyncioEventloop _continuousPolling _justStopped"
        ),
        "twisted.internet.base:BaseConnector": "_makeTransport",
        "twisted.internet.base:ReactorBase": (
            "_internalReaders _justStopped _signals _signalsFactory _started _startedBefore "
            "_stopThreadPool _stopped"
        ),
        "twisted.internet.endpoints": "_WrappingProtocol",
        "twisted.internet.endpoints:_WrappingProtocol": "_wrappedProtocol",
        "twisted.internet.posixbase": "_ContinuousPolling _NO_FILEDESC",
        "twisted.internet.posixbase:PosixReactorBase": (
            "_removeAll _signalsFactory _supportedAddressFamilies"
        ),
        "twisted.internet.posixbase:_DisconnectSelectableMixin": "_disconnectSelectable",
        "twisted.internet.tcp:BaseClient": "_collectSocketDetails _commonConnection _connectDone",
        "twisted.internet.tcp:Connection": "_closeWriteConnection _dataReceived",
        "twisted.internet.tcp:Connector": "_addressType _makeTransport",
        "twisted.internet.tcp:Port": (
            "_addressType _buildAddr _fromListeningDescriptor _realPortNumber"
        ),
        "twisted.internet.tcp:Server": "_addressType _fromConnectedSocket",
        "twisted.internet.tcp:_AbortingMixin": "_aborting",
        "twisted.internet.tcp:_BaseTCPClient": "_addressType",
        "twisted.internet.tcp:_SocketCloser": "_closeSocket _shouldShutdown",
        "twisted.internet.udp:Port": "_connectedAddr _fromListeningDescriptor _realPortNumber",
        "twisted.internet.unix": "_SendmsgMixin",
        "twisted.internet.unix:Connector": "_makeTransport",
        "twisted.internet.unix:Port": "_buildAddr _fromListeningDescriptor",
        "twisted.internet.unix:Server": "_fromConnectedSocket",
        "twisted.internet.unix:_SendmsgMixin": (
            "_ancillaryLevelSOLSOCKETTypeSCMRIGHTS _sendmsgQueue"
        ),
        "twisted.names.client:Resolver": ("_connectedProtocol _lookup _parseCall _query _reactor"),
        "twisted.protocols.tls": "_AggregateSmallWrites",
        "twisted.protocols.tls:BufferingTLSTransport": "_aggregator",
        "twisted.protocols.tls:TLSMemoryBIOFactory": "_clock",
        "twisted.protocols.tls:TLSMemoryBIOFactory since 26.4": "_creatorCallable",
        "twisted.protocols.tls:TLSMemoryBIOProtocol": (
            "_aborted _appSendBuffer _bufferedWrite _checkHandshakeStatus _connectWrapped "
            "_flushReceiveBIO _flushSendBIO _handshakeDone _lostTLSConnection _producer _reason "
            "_shutdownTLS _tlsConnection _tlsShutdownFinished _unbufferPendingWrites _write"
        ),
        "twisted.protocols.tls:_AggregateSmallWrites since 24.3": "_bufferLeft",
        "twisted.protocols.tls:_AggregateSmallWrites": (
            "_buffer _clock _scheduled _scheduledFlush _write"
        ),
    },
    "pyOpenSSL": {
        "cryptography.hazmat.bindings": "_rust",
        "cryptography.hazmat.bindings._rust": "_openssl",
        "OpenSSL.SSL": "_ffi",
        "OpenSSL.SSL:Connection": "_from_ssl _into_ssl _socket _ssl",
    },
}


def missing(project: str, version: tuple[int, ...]) -> list[str]:
    """Return the names that the installed version of a project should have, and hasn't."""
    return [
        f"{where.replace(':', '.')}.{name}"
        for home, names in USED[project].items()
        for where in [_for(home, version)]
        for name in names.split()
        if where and not _has(where, name)
    ]


def warn_if_newer(project: str, installed: str) -> None:
    """Warn when a version is newer than those tested, and names are gone that are used here."""
    newest = NEWEST_TESTED[project]
    version = tuple(map(int, re.findall(r"\d+", installed)[:2]))
    if version <= newest or not (gone := missing(project, version)):
        return
    tested = ".".join(map(str, newest))
    warnings.warn(
        f"{project} {installed} is newer than what this version of tornado4 was tested with "
        f"({tested}), and no longer has what tornado4 uses of it: {', '.join(gone)}. Expect "
        f"errors; look for a newer tornado4, or stay with {project} {tested}.",
        RuntimeWarning,
        stacklevel=3,
    )


def _for(home: str, version: tuple[int, ...]) -> str:
    """Return where names are in a version; "" if they needn't be there."""
    where, *limit = home.split()
    if limit:
        since, number = limit
        reached = version >= tuple(map(int, number.split(".")))
        if reached != (since == "since"):
            return ""
    return where


def _has(where: str, name: str) -> bool:
    """Whether the source of a module, or of a class in it, has a word. Nothing is imported
    but what has no source."""
    module, _, owner = where.partition(":")
    try:
        found = importlib.util.find_spec(module)
        if found is None:
            return False
        if not (found.origin or "").endswith(".py"):
            thing = importlib.import_module(module)
            return hasattr(getattr(thing, owner, None) if owner else thing, name)
        with open(found.origin or "", encoding="utf-8") as file:
            text = file.read()
        if owner:
            text = _body(owner, text)
        if re.search(rf"\b{name}\b", text):
            return True
        return not owner and importlib.util.find_spec(f"{module}.{name}") is not None
    except ImportError:
        return False


def _body(owner: str, text: str) -> str:
    """Return a class's source: up to the next line that is indented no further. A long
    signature ends in one that begins with a parenthesis."""
    begin = re.search(rf"^( *)class {owner}\b", text, re.MULTILINE)
    if begin is None:
        return ""
    end = re.compile(rf"^{begin[1]}[^\s)]", re.MULTILINE).search(text, begin.end())
    return text[begin.start() : end.start() if end else None]

//! The methods that the shorter way leaves out or replaces, and the names that their code
//! uses: a Twisted in which they do something else, of which nobody here knows, uses others.

use super::original::Known;

/// Those of `TLSMemoryBIOProtocol`.
pub const LAYER: [Known; 4] = [
    (
        "dataReceived",
        &[
            "_appSendBuffer",
            "_checkHandshakeStatus",
            "_flushReceiveBIO",
            "_handshakeDone",
            "_tlsConnection",
            "_unbufferPendingWrites",
            "bio_write",
        ],
    ),
    (
        "_flushReceiveBIO",
        &[
            "Error",
            "Failure",
            "ProtocolWrapper",
            "WantReadError",
            "ZeroReturnError",
            "_aborted",
            "_flushSendBIO",
            "_lostTLSConnection",
            "_shutdownTLS",
            "_tlsConnection",
            "_tlsShutdownFinished",
            "dataReceived",
            "recv",
        ],
    ),
    (
        "_flushSendBIO",
        &[
            "WantReadError",
            "_tlsConnection",
            "bio_read",
            "transport",
            "write",
        ],
    ),
    (
        "_write",
        &[
            "Error",
            "Failure",
            "WantReadError",
            "_bufferedWrite",
            "_flushSendBIO",
            "_lostTLSConnection",
            "_tlsConnection",
            "_tlsShutdownFinished",
            "len",
            "send",
        ],
    ),
];

/// Its `write`, which a `BufferingTLSTransport` has behind one that keeps what is written.
pub const WRITING: [Known; 1] = [("write", &["_producer", "_write", "disconnecting"])];

/// Its `makeConnection`.
pub const CONNECTING: [Known; 1] = [(
    "makeConnection",
    &[
        "Protocol",
        "ProtocolWrapper",
        "_appSendBuffer",
        "_checkHandshakeStatus",
        "_connectWrapped",
        "_creatorCallable",
        "_tlsConnection",
        "directlyProvides",
        "factory",
        "makeConnection",
        "providedBy",
        "registerProtocol",
    ],
)];

/// Those of `ProtocolWrapper`.
pub const WRAPPER: [Known; 1] = [("dataReceived", &["dataReceived", "wrappedProtocol"])];

/// Those of `_AggregateSmallWrites`.
pub const AGGREGATOR: [Known; 4] = [
    (
        "write",
        &[
            "_buffer",
            "_bufferLeft",
            "_clock",
            "_scheduled",
            "_scheduledFlush",
            "append",
            "callLater",
            "flush",
            "len",
        ],
    ),
    ("_scheduledFlush", &["_scheduled", "flush"]),
    (
        "flush",
        &[
            "MAX_BUFFER_SIZE",
            "_buffer",
            "_bufferLeft",
            "_write",
            "join",
        ],
    ),
    ("close", &["_scheduled", "_scheduledFlush", "cancel"]),
];

"""Made by tools/tornado_sources.py of Tornado 6.4 to 6.6.1."""

from __future__ import annotations

#: For each function what stands for its source in those versions.
KNOWN: dict[str, frozenset[str]] = {
    "concurrent:chain_future": frozenset(("4b6eb5f2dd84", "64b4808ee169", "fdcd73fba830")),
    "concurrent:future_add_done_callback": frozenset(("2f439d071ed8", "64ab7e7947ce")),
    "concurrent:is_future": frozenset(("a43de6109335",)),
    "escape:native_str": frozenset(("0c633e4eb24a", "a8ec1bf15d10")),
    "escape:parse_qs_bytes": frozenset(
        ("39bfb8d629c9", "8c56bec7193e", "95fef6e0ba33", "a4edec982bdb")
    ),
    "escape:to_unicode": frozenset(("0c633e4eb24a", "a8ec1bf15d10")),
    "escape:utf8": frozenset(("ba24cc8c5384", "ffa4f213cfad")),
    "gen:_create_future": frozenset(("10957030af37", "eb8ae280a9a7")),
    "gen:_wrap_awaitable": frozenset(("b9e75b098a7b",)),
    "gen:chain_future": frozenset(("4b6eb5f2dd84", "64b4808ee169", "fdcd73fba830")),
    "gen:convert_yielded": frozenset(("7e261e65e7a7", "872e96500cfc")),
    "gen:future_add_done_callback": frozenset(("2f439d071ed8", "64ab7e7947ce")),
    "gen:is_future": frozenset(("a43de6109335",)),
    "gen:with_timeout": frozenset(("0561d826ddc4", "d33c2129325a")),
    "http1connection:CR_OR_LF_RE": frozenset(("971155ee917f",)),
    "http1connection:DIGITS": frozenset(("00d55c1f205c",)),
    "http1connection:HTTP1Connection._format_chunk": frozenset(("06323efd40c0",)),
    "http1connection:HTTP1Connection._parse_headers": frozenset(("5aabfcf6c4f9", "f18453784ddd")),
    "http1connection:HTTP1Connection.write_headers": frozenset(
        ("04cbd8e29179", "72ee0ac76308", "986748b63cd9", "bbccfd059694")
    ),
    "http1connection:native_str": frozenset(("0c633e4eb24a", "a8ec1bf15d10")),
    "http1connection:parse_int": frozenset(("7f75e19fb9fb",)),
    "http1connection:utf8": frozenset(("ba24cc8c5384", "ffa4f213cfad")),
    "httputil:HTTPHeaders.__contains__": frozenset(("746b14b4d694", "c843d5af8fe5")),
    "httputil:HTTPHeaders.__getitem__": frozenset(("96e0a264c4ff", "ca570e456bd0")),
    "httputil:HTTPHeaders.__init__": frozenset(("87601514fbc0", "9e873edcfaca", "dc9baa9fd1cb")),
    "httputil:HTTPHeaders.__setitem__": frozenset(("376ae5da8c23", "b3a8d53ddf68")),
    "httputil:HTTPHeaders.add": frozenset(
        ("5c1a84b6addf", "6d5cdb0bbb51", "a032d7889ed1", "ac982274c020", "cd736c15ae9f")
    ),
    "httputil:HTTPHeaders.get_all": frozenset(("6835f145d891", "8d15ae87997a")),
    "httputil:HTTPHeaders.parse": frozenset(
        ("00be2f576208", "7cc52b13748b", "af7dc4430156", "cd8779da216c")
    ),
    "httputil:HTTPHeaders.parse_line": frozenset(
        (
            "0f3000f49bf2",
            "114a3cf55a15",
            "6d86c1afc8a2",
            "9c96e579ed61",
            "a07f5f51811a",
            "e7669ffded15",
            "ea5de122465d",
        )
    ),
    "httputil:HTTPServerRequest.__init__": frozenset(
        ("39ca700d750b", "3cac2256f88f", "93b822f6933d", "c656eff0401c", "e793bb3f35d2")
    ),
    "httputil:_ABNF": frozenset(("63b5a81a9445",)),
    "httputil:_http_response_line_re": frozenset(("e838d615d5cc",)),
    "httputil:_http_version_re": frozenset(("ce83f2013e37",)),
    "httputil:_netloc_re": frozenset(("4bbed6e6c2ce",)),
    "httputil:_normalize_header": frozenset(("1f21d1454d22",)),
    "httputil:format_timestamp": frozenset(("5bb3f198a27a", "a5e50d985e08", "ffeb3d229078")),
    "httputil:native_str": frozenset(("0c633e4eb24a", "a8ec1bf15d10")),
    "httputil:parse_qs_bytes": frozenset(
        ("39bfb8d629c9", "8c56bec7193e", "95fef6e0ba33", "a4edec982bdb")
    ),
    "httputil:parse_request_start_line": frozenset(("2cbdaaa71f85", "4ce4211ed5a4")),
    "httputil:parse_response_start_line": frozenset(("a1eb577d2177", "ea180ea67959")),
    "httputil:split_host_and_port": frozenset(("f779f33b97ea", "f997f1bd42ba")),
    "util:_websocket_mask_python": frozenset(("8b08fb62dcd4", "96b510d28810")),
    "websocket:WebSocketProtocol13._handle_message": frozenset(
        ("0237bf9d1308", "50cac98197e7", "c93da0454c85")
    ),
    "websocket:WebSocketProtocol13._read_bytes": frozenset(("66d40cb34d92",)),
    "websocket:WebSocketProtocol13._receive_frame": frozenset(("ed8b59f9bde7",)),
    "websocket:WebSocketProtocol13._write_frame": frozenset(("ef3ee578820d",)),
    "websocket:WebSocketProtocol13.write_message": frozenset(("a78aa072dbd2", "c4caa5854ee6")),
}

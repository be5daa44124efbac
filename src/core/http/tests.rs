use super::{
    FIELDS, Head, date, end_of_head, host_name, is_normal, length, normalize, request_line,
    status_line,
};

fn parsed(data: &[u8]) -> Option<(String, Vec<(String, String)>)> {
    let mut room = [httparse::EMPTY_HEADER; FIELDS];
    let head = Head::parse(data, &mut room)?;
    let fields = head.fields.iter().map(|field| {
        let value = String::from_utf8_lossy(field.value).into_owned();
        (field.name.to_owned(), value)
    });
    Some((head.start.to_owned(), fields.collect()))
}

#[test]
fn a_head_is_taken_apart() {
    let data = b"GET / HTTP/1.1\r\nHost: \t here \t\r\nEMPTY:\r\nx:a b\r\n\r\n";
    let (start, fields) = parsed(data).unwrap_or_default();
    assert_eq!(start, "GET / HTTP/1.1");
    let expected = [("Host", "here"), ("EMPTY", ""), ("x", "a b")];
    assert_eq!(
        fields,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn lines_may_end_in_one_character() {
    assert!(parsed(b"GET / HTTP/1.1\nHost: here\n\n").is_some());
    assert!(parsed(b"GET / HTTP/1.1\n\r\n").is_some());
}

#[test]
fn what_is_unclear_is_left_alone() {
    let unclear: [&[u8]; 17] = [
        b"",
        b"\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b",
        b"GET / HTTP/1.1\r\nA: b\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n\r\nC",
        b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\r\n\r\n",
        b"GET / HTTP/1.1\r\n: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n A: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\rc: d\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \xe9\r\n\r\n",
        b"GET /\xe9 HTTP/1.1\r\nA: b\r\n\r\n",
    ];
    for data in unclear {
        assert_eq!(parsed(data), None, "{:?}", data.escape_ascii().to_string());
    }
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(FIELDS + 1));
    assert_eq!(parsed(many.as_bytes()), None);
}

#[test]
fn first_lines() {
    assert_eq!(
        request_line("GET /a?b HTTP/1.0"),
        Some(("GET", "/a?b", "HTTP/1.0"))
    );
    for line in [
        "GET / HTTP/1.2",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "G@T / HTTP/1.1",
        "GET HTTP/1.1",
        " / HTTP/1.1",
        "GET /\t HTTP/1.1",
    ] {
        assert_eq!(request_line(line), None, "{line}");
    }
    assert_eq!(
        status_line("HTTP/1.1 404 Not Found"),
        Some(("HTTP/1.1", 404, "Not Found"))
    );
    for line in [
        "HTTP/1.1 200",
        "HTTP/1.1 200 ",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 +20 OK",
        "HTTP/2.0 200 OK",
        "HTTP/1.1 200 \u{e9}",
    ] {
        assert_eq!(status_line(line), None, "{line}");
    }
}

#[test]
fn names_get_their_usual_form() {
    let mut normal = String::new();
    for (name, expected) in [
        ("content-TYPE", "Content-Type"),
        ("x--y-", "X--Y-"),
        ("-a1b", "-A1b"),
        ("1ab", "1ab"),
        ("1AB", "1ab"),
        ("A-b", "A-B"),
        ("Ok-Ok", "Ok-Ok"),
        ("", ""),
    ] {
        normalize(name, &mut normal).unwrap();
        assert_eq!(normal, expected);
        assert_eq!(is_normal(name), name == expected, "{name}");
        assert!(is_normal(expected), "{expected}");
    }
}

#[test]
fn hosts_and_lengths() {
    let name = |host| host_name(host).unwrap_or_default();
    assert_eq!(name("Here.Example:80"), "here.example");
    assert_eq!(name("[::1]:80"), "[::1]");
    assert_eq!(name("::1"), ":");
    assert_eq!(name(":80"), ":80");
    assert_eq!(name("here:"), "here:");
    for host in ["", "a b", "a,b", "a/b", "a@b", "\u{e9}"] {
        assert_eq!(host_name(host), None, "{host}");
    }
    assert_eq!(host_name(&format!("a:{}", "1".repeat(5000))), None);
    assert_eq!(length("0042"), Some(42));
    for digits in ["", "+1", "-1", " 1", "1,1", "0x1", "1234567890123456789"] {
        assert_eq!(length(digits), None, "{digits}");
    }
}

#[test]
fn dates() {
    let text = |seconds| date(seconds).unwrap_or_default();
    assert_eq!(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(text(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(text(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
    assert_eq!(text(1_735_689_599), "Tue, 31 Dec 2024 23:59:59 GMT");
    assert_eq!(text(253_402_300_799), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(date(253_402_300_800), None);
}

/// The end of the first match of `END`, by trying it at each place in turn.
fn matched(data: &[u8]) -> Option<usize> {
    let line_end = |at: usize| {
        let after = at + usize::from(data.get(at) == Some(&b'\r'));
        (data.get(after) == Some(&b'\n')).then_some(after + 1)
    };
    (0..data.len()).find_map(|at| line_end(line_end(at)?))
}

#[test]
fn a_head_ends_where_the_regex_has_it() {
    assert_eq!(end_of_head(b""), None);
    assert_eq!(
        end_of_head(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nmore\n\n"),
        Some(27)
    );
    for length in 0..=8 {
        for number in 0..4_usize.pow(length) {
            let letter = |at| *b"\r\nx\r".get(number >> (2 * at) & 3).unwrap();
            let data: Vec<u8> = (0..length).map(letter).collect();
            assert_eq!(end_of_head(&data), matched(&data), "{data:?}");
        }
    }
}

//! Heads of HTTP/1 messages that nobody could understand in two ways.
//!
//! What is accepted here is in plain ASCII, with nothing that parsers disagree about. All the
//! rest isn't refused: it is for Tornado's own code to judge. `httparse` takes a head apart, and
//! refuses what isn't one; it is more lenient than is wanted here in what a value may have.

mod date;
#[cfg(test)]
mod tests;

pub use date::date;

use crate::core::room::NoRoom;

/// How many fields a head may have here.
pub const FIELDS: usize = 100;

/// How many digits a port may have here.
const PORT: usize = 18;

/// A head, taken apart.
pub struct Head<'a, 'b> {
    /// The first line, without what ends it.
    pub start: &'a str,
    /// Names and values, without white space around them.
    pub fields: &'b [httparse::Header<'a>],
}

impl<'a, 'b> Head<'a, 'b> {
    /// Takes apart a whole head, the empty line at its end included.
    pub fn parse(
        data: &'a [u8],
        room: &'b mut [httparse::Header<'a>; FIELDS],
    ) -> Option<Head<'a, 'b>> {
        let end = memchr::memchr(b'\n', data)?;
        let (start, rest) = data.split_at_checked(end)?;
        let start = text(start.strip_suffix(b"\r").unwrap_or(start))?;
        let rest = rest.get(1..)?;
        match httparse::parse_headers(rest, room) {
            Ok(httparse::Status::Complete((size, fields))) if size == rest.len() => {
                let plain = fields.iter().all(|field| field.value.is_ascii());
                (plain && !start.is_empty()).then_some(Head { start, fields })
            }
            _ => None,
        }
    }
}

/// The pattern by which Tornado looks for the end of a head: with the bytes themselves, not
/// with their escapes, which is the same to a regex but another text.
pub const END: &[u8] = b"\r?\n\r?\n";

/// Where a match of `END` ends, of the first one in these bytes.
pub fn end_of_head(data: &[u8]) -> Option<usize> {
    // A match begins in front of the line feed or at the return before it, so the first pair of
    // line feeds is the one of the first match.
    memchr::memchr_iter(b'\n', data).find_map(|at| match data.get(at + 1..)? {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// The parts of a request's first line: method, target, version.
pub fn request_line(line: &str) -> Option<(&str, &str, &str)> {
    let (method, rest) = line.split_once(' ')?;
    let (target, version) = rest.split_once(' ')?;
    let well = !method.is_empty()
        && method.bytes().all(is_token)
        && !target.is_empty()
        && target.bytes().all(|byte| byte.is_ascii_graphic())
        && is_version(version);
    well.then_some((method, target, version))
}

/// The parts of a response's first line: version, code, reason. There is a reason.
pub fn status_line(line: &str) -> Option<(&str, u16, &str)> {
    let (version, rest) = line.split_once(' ')?;
    let (digits, reason) = rest.split_once(' ')?;
    let well = is_version(version)
        && digits.len() == 3
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !reason.is_empty()
        && text(reason.as_bytes()).is_some();
    well.then(|| Some((version, digits.parse().ok()?, reason)))?
}

/// Writes a name as Tornado has it: `content-TYPE` is `Content-Type`.
///
/// # Errors
/// There is no memory for it.
pub fn normalize(name: &str, into: &mut String) -> Result<(), NoRoom> {
    into.clear();
    into.try_reserve(name.len()).map_err(NoRoom::from)?;
    let mut first = true;
    for letter in name.chars() {
        into.push(if first {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        });
        first = letter == '-';
    }
    Ok(())
}

/// Whether `normalize` leaves a name as it is.
#[must_use]
pub fn is_normal(name: &str) -> bool {
    let mut first = true;
    name.bytes().all(|letter| {
        let is_normal = if first {
            !letter.is_ascii_lowercase()
        } else {
            !letter.is_ascii_uppercase()
        };
        first = letter == b'-';
        is_normal
    })
}

/// The name in a `Host` that has nothing unusual, in small letters: without the port. None for
/// any other, and where there is no memory for it.
pub fn host_name(host: &str) -> Option<String> {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~[]:".contains(&byte);
    if host.is_empty() || !host.bytes().all(usual) {
        return None;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port))
            if !name.is_empty()
                && !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            // Of too many digits Python makes no number, but an error.
            if port.len() > PORT {
                return None;
            }
            name
        }
        _ => host,
    };
    let mut small = String::new();
    small.try_reserve(name.len()).ok()?;
    small.push_str(name);
    small.make_ascii_lowercase();
    Some(small)
}

/// A length in digits; `None` if it is anything else, or no length of this world.
pub fn length(digits: &str) -> Option<u64> {
    let usual = (1..=18).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    usual.then(|| digits.parse().ok())?
}

/// What has neither control characters nor anything beyond ASCII.
fn text(bytes: &[u8]) -> Option<&str> {
    let plain = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    bytes
        .iter()
        .all(plain)
        .then(|| str::from_utf8(bytes).ok())?
}

fn is_version(version: &str) -> bool {
    matches!(version, "HTTP/1.1" | "HTTP/1.0")
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

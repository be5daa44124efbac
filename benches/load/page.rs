//! As much of HTTP as it takes to know where an answer ends.

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// An answer that comes in pieces.
#[derive(Default)]
pub struct Page {
    bytes: Vec<u8>,
    length: Option<usize>,
    // What the body has to be, until one has been that.
    body: Option<Vec<u8>>,
}

impl Page {
    /// An answer with this body. Only the first one is compared; looking at all would slow
    /// this side down.
    pub fn of(body: Vec<u8>) -> Self {
        Self {
            body: Some(body),
            ..Self::default()
        }
    }

    /// Takes what came; whether that was the last of it.
    pub fn take(&mut self, bytes: &[u8]) -> Result<bool, String> {
        self.bytes.extend_from_slice(bytes);
        if self.length.is_none() {
            self.length = whole_length(&self.bytes)?;
        }
        match self.length {
            Some(length) if self.bytes.len() > length => {
                Err("more came than the Content-Length says".into())
            }
            Some(length) if self.bytes.len() == length => {
                if self
                    .body
                    .take()
                    .is_some_and(|body| !self.bytes.ends_with(&body))
                {
                    return Err("the body isn't what was sent".into());
                }
                self.bytes.clear();
                self.length = None;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// The length of the head and the body, once the head is there.
fn whole_length(bytes: &[u8]) -> Result<Option<usize>, String> {
    let windows = bytes.windows(END_OF_HEAD.len());
    let Some(end) = windows.into_iter().position(|part| part == END_OF_HEAD) else {
        return Ok(None);
    };
    let head = bytes.get(..end).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| "a head that isn't text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200 ") {
        return Err(format!("the server answered {status:?}"));
    }
    let body: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or("an answer without a Content-Length")?;
    if body == 0 {
        return Err("an empty page".into());
    }
    Ok(Some(end + END_OF_HEAD.len() + body))
}

//! Frames of WebSocket (RFC 6455) that nobody has to judge: whole messages and control frames,
//! without extensions. All the rest isn't refused: it is for Tornado's own code.

/// What a message of text begins with.
pub const TEXT: u8 = 1;
/// What a message of bytes begins with.
pub const BINARY: u8 = 2;
/// Closing, a ping, a pong.
const CONTROL: [u8; 3] = [8, 9, 10];

/// The last frame of its message.
const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// What a control frame may have at most.
const SHORT: u8 = 125;

/// How long a frame's head is at most.
pub const LONGEST: usize = 14;

/// What is XORed with a payload, again and again.
pub type Mask = [u8; 4];

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// `TEXT`, `BINARY`, or that of a control frame.
    pub opcode: u8,
    /// What the payload is masked with, if it is.
    pub mask: Option<Mask>,
    /// How long it is itself.
    pub size: usize,
    /// How long the payload is.
    pub length: usize,
    /// Whether the length stands in the second byte.
    pub is_short: bool,
}

/// What bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub enum Begin {
    /// A head.
    Head(Head),
    /// A part of a head, or nothing.
    Part,
    /// A frame of another kind.
    Other,
}

/// Looks what bytes begin with.
pub fn begin(data: &[u8]) -> Begin {
    let [first, second, rest @ ..] = data else {
        return Begin::Part;
    };
    let (opcode, short) = (first & !(FIN | RESERVED), second & !MASKED);
    let is_control = CONTROL.contains(&opcode);
    if first & (FIN | RESERVED) != FIN
        || !(is_control || matches!(opcode, TEXT | BINARY))
        || (is_control && short > SHORT)
    {
        return Begin::Other;
    }
    let length = match short {
        126 => rest
            .first_chunk()
            .map(|it| (u16::from_be_bytes(*it).into(), 2)),
        127 => rest.first_chunk().map(|it| (u64::from_be_bytes(*it), 8)),
        short => Some((short.into(), 0)),
    };
    let Some((length, more)) = length else {
        return Begin::Part;
    };
    let mask = match rest.get(more..).and_then(<[u8]>::first_chunk) {
        _ if second & MASKED == 0 => None,
        Some(mask) => Some(*mask),
        None => return Begin::Part,
    };
    // A longer one than there can be memory for is too long for somebody.
    let Ok(length) = usize::try_from(length) else {
        return Begin::Other;
    };
    Begin::Head(Head {
        opcode,
        mask,
        size: 2 + more + mask.map_or(0, |mask| mask.len()),
        length,
        is_short: more == 0,
    })
}

/// A head that is to be written.
pub struct Written {
    bytes: [u8; LONGEST],
    size: usize,
}

impl Written {
    /// That of a whole message.
    pub fn new(opcode: u8, mask: Option<Mask>, length: usize) -> Written {
        let mut written = Written {
            bytes: [0; LONGEST],
            size: 0,
        };
        let masked = if mask.is_some() { MASKED } else { 0 };
        written.add(&[FIN | opcode]);
        if length <= usize::from(SHORT) {
            written.add(&[masked | length as u8]);
        } else if let Ok(length) = u16::try_from(length) {
            written.add(&[masked | 126]);
            written.add(&length.to_be_bytes());
        } else {
            written.add(&[masked | 127]);
            written.add(&(length as u64).to_be_bytes());
        }
        if let Some(mask) = mask {
            written.add(&mask);
        }
        written
    }

    fn add(&mut self, more: &[u8]) {
        let room = self.bytes.get_mut(self.size..self.size + more.len());
        if let Some(room) = room {
            room.copy_from_slice(more);
            self.size += more.len();
        }
    }

    /// The head.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }
}

/// Masks a payload, or unmasks it.
pub fn mask(mask: Mask, data: &mut [u8]) {
    let word = u32::from_ne_bytes(mask);
    let wide = u128::from(word) * 0x0000_0001_0000_0001_0000_0001_0000_0001;
    let mut chunks = data.chunks_exact_mut(16);
    for chunk in &mut chunks {
        if let Ok(chunk) = <&mut [u8; 16]>::try_from(chunk) {
            *chunk = (u128::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written is what is read, at all lengths around which its form changes.
    #[test]
    fn heads_are_read_as_they_were_written() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 40] {
            for mask in [None, Some([1, 2, 3, 4])] {
                for opcode in [TEXT, BINARY, 8, 9, 10] {
                    if length > 125 && opcode > BINARY {
                        continue;
                    }
                    let written = Written::new(opcode, mask, length);
                    let head = Head {
                        opcode,
                        mask,
                        size: written.bytes().len(),
                        length,
                        is_short: length <= 125,
                    };
                    assert_eq!(begin(written.bytes()), Begin::Head(head));
                    for end in 0..written.bytes().len() {
                        assert_eq!(begin(&written.bytes()[..end]), Begin::Part);
                    }
                }
            }
        }
    }

    #[test]
    fn other_frames_are_left_to_others() {
        for first in 0..=255 {
            let known = matches!(first, 0x81 | 0x82 | 0x88 | 0x89 | 0x8a);
            let other = begin(&[first, 0]) == Begin::Other;
            assert_eq!(other, !known, "{first:x}");
        }
        // A control frame that is too long is known by its second byte.
        assert_eq!(begin(&[0x89, 126]), Begin::Other);
        assert_eq!(begin(&[0x89, 0xff]), Begin::Other);
        assert_eq!(begin(&[0x01, 0]), Begin::Other);
    }

    #[test]
    fn a_length_may_take_more_bytes_than_it_needs() {
        let head = |size| Head {
            opcode: BINARY,
            mask: None,
            size,
            length: 5,
            is_short: false,
        };
        assert_eq!(begin(&[0x82, 126, 0, 5]), Begin::Head(head(4)));
        let long = [0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5];
        assert_eq!(begin(&long), Begin::Head(head(10)));
    }

    #[test]
    fn masking_is_xor() {
        for size in (0..70).chain([4_096, 4_099]) {
            let data: Vec<u8> = (0..size).map(|at| (at * 7) as u8).collect();
            let key = [0x12, 0, 0xff, 0x80];
            let mut masked = data.clone();
            mask(key, &mut masked);
            for (at, (byte, was)) in masked.iter().zip(&data).enumerate() {
                assert_eq!(*byte, was ^ key[at % 4]);
            }
        }
    }
}

//! Random conversations, in pieces of any size, beside two plain strings of bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::library::{End, Library, TLS1_2, TLS1_3};
use super::*;
use crate::core::properties::config;

#[derive(Clone, Debug)]
enum Step {
    /// This end writes so many bytes, with so much room for the ciphertext at once.
    Write(bool, usize, usize),
    /// So much ciphertext of this end's gets to the other one, which reads with so much room.
    Carry(bool, usize, usize),
    /// This end reads with so much room.
    Read(bool, usize),
    UpdateKeys(bool),
    /// Somebody leaves an error in the queue.
    Spoil,
    ShutDown(bool),
    /// A byte of what is under way from this end is another one.
    Alter(bool, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let side = any::<bool>;
    let size = || prop_oneof![1..200_usize, 1..70_000_usize];
    let step = prop_oneof![
        12 => (side(), size(), 0..90_000_usize).prop_map(|(s, n, room)| Step::Write(s, n, room)),
        14 => (side(), size(), size()).prop_map(|(s, n, room)| Step::Carry(s, n, room)),
        6 => (side(), size()).prop_map(|(s, room)| Step::Read(s, room)),
        1 => side().prop_map(Step::UpdateKeys),
        1 => Just(Step::Spoil),
        1 => side().prop_map(Step::ShutDown),
        1 => (side(), any::<usize>()).prop_map(|(s, at)| Step::Alter(s, at)),
    ];
    vec(step, 0..50)
}

/// What is under way from one end to the other.
#[derive(Default)]
struct Way {
    ciphertext: Vec<u8>,
    written: Vec<u8>,
    read: usize,
    shut_down: bool,
    /// Whether a byte is another one, this way or back.
    altered: bool,
    /// What the reading end has said of the end, once it has.
    ended: Option<Outcome>,
}

impl Way {
    fn got(&mut self, plaintext: &[u8], ended: Option<Outcome>) {
        assert!(
            self.written[self.read..].starts_with(plaintext),
            "other bytes"
        );
        self.read += plaintext.len();
        match ended {
            None | Some(Outcome::WantRead) => {
                assert!(self.ended.is_none() || plaintext.is_empty());
            }
            Some(Outcome::Moved(_)) => panic!("that is no end"),
            Some(Outcome::Closed) => {
                // Whoever has been told of a failure is told of an end from then on.
                assert!(self.altered || self.shut_down && self.read == self.written.len());
                self.ended = ended;
            }
            Some(Outcome::Failed) => {
                assert!(self.altered, "nobody has altered anything");
                self.ended = ended;
            }
        }
    }
}

struct Conversation {
    ends: [End; 2],
    /// From the one to the other, and back.
    ways: [Way; 2],
    has_updates: bool,
}

impl Conversation {
    /// The writing end and its way.
    fn from(&mut self, first: bool) -> (&End, &mut Way) {
        let [one, other] = &self.ends;
        let [there, back] = &mut self.ways;
        if first { (one, there) } else { (other, back) }
    }

    /// The reading end and the way to it.
    fn to(&mut self, first: bool) -> (&End, &mut Way) {
        let [one, other] = &self.ends;
        let [there, back] = &mut self.ways;
        if first { (one, back) } else { (other, there) }
    }

    /// Whether an end has met with a failure: OpenSSL does nothing more with it.
    fn has_failed(&mut self, first: bool) -> bool {
        self.to(first).1.ended == Some(Outcome::Failed)
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Write(first, size, room) => {
                let failed = self.has_failed(first);
                let (end, way) = self.from(first);
                let data = message(size);
                let mut outcome = (0, None);
                let sealed = filled(room, |room| {
                    let (count, written) = end.session.write_and_take(&data, room);
                    outcome = written;
                    count
                });
                let (count, ended) = outcome;
                if way.shut_down || failed {
                    // Closed, if it was the other end that has met with the failure.
                    let failed = matches!(ended, Some(Outcome::Failed | Outcome::Closed));
                    assert!(count == 0 && failed, "{count} {ended:?}");
                } else if !way.altered {
                    assert_eq!((count, ended), (size, None));
                }
                way.written.extend(&data[..count]);
                way.ciphertext.extend(sealed);
                way.ciphertext.extend(end.taken());
                assert_eq!(end.session.outgoing_pending(), Some(0));
            }
            Step::Carry(first, size, room) => {
                let (_, way) = self.from(first);
                let size = size.min(way.ciphertext.len());
                let piece: Vec<u8> = way.ciphertext.drain(..size).collect();
                let (end, way) = self.to(!first);
                let mut ended = None;
                let plaintext = filled(room, |room| {
                    let fed = end.session.feed_and_read(&piece, room);
                    let (count, why) = fed.expect("memory");
                    ended = why;
                    count
                });
                way.got(&plaintext, ended);
                self.answer(!first);
            }
            Step::Read(first, room) => {
                let (end, way) = self.to(first);
                let mut ended = None;
                let plaintext = filled(room, |room| {
                    let (count, why) = end.session.read(room);
                    ended = why;
                    count
                });
                way.got(&plaintext, ended);
                if ended == Some(Outcome::Closed) {
                    assert!(!end.session.wants_more());
                }
                if !plaintext.is_empty() && ended.is_none() && end.session.wants_more() {
                    let (count, why) = end.session.read(&mut [const { MaybeUninit::uninit() }; 1]);
                    assert_eq!((count, why), (0, Some(Outcome::WantRead)));
                }
                self.answer(first);
            }
            Step::UpdateKeys(first) => {
                let has_updates = self.has_updates;
                let (end, way) = self.from(first);
                if has_updates && !way.shut_down && !way.altered {
                    end.update_keys();
                    // Which carries them; only then may there be other ones again.
                    self.step(&Step::Write(first, 1, 0));
                }
            }
            Step::Spoil => End::spoil(Library::find().expect("it was there")),
            Step::ShutDown(first) => {
                let failed = self.has_failed(first);
                let (end, way) = self.from(first);
                if !failed && !way.shut_down {
                    end.shut_down();
                    // It says something else first if it has to, such as new keys.
                    way.shut_down = end.session.is_shut_down();
                    way.ciphertext.extend(end.taken());
                }
            }
            Step::Alter(first, at) => {
                let (_, way) = self.from(first);
                if let Some(at) = at.checked_rem(way.ciphertext.len()) {
                    way.ciphertext[at] ^= 0x40;
                    // Who finds it says so to the other end.
                    self.ways.iter_mut().for_each(|way| way.altered = true);
                }
            }
        }
    }

    /// An end that reads may have something to say, such as new keys.
    fn answer(&mut self, first: bool) {
        let (end, way) = self.from(first);
        way.ciphertext.extend(end.taken());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: config().cases.div_ceil(4), ..config() })]

    #[test]
    #[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
    fn what_is_written_is_read(steps in steps(), new in any::<bool>(), partial in any::<bool>()) {
        let Some(library) = Library::find() else {
            return Ok(());
        };
        let (one, other) = End::pair(library, if new { TLS1_3 } else { TLS1_2 }, partial);
        let mut conversation = Conversation {
            ends: [one, other],
            ways: Default::default(),
            has_updates: new,
        };
        for step in &steps {
            conversation.step(step);
        }
        for _ in 0..3 {
            for first in [true, false] {
                conversation.step(&Step::Carry(first, usize::MAX, 1 << 21));
                conversation.step(&Step::Read(!first, 1 << 21));
            }
        }
        for way in &conversation.ways {
            if !way.altered {
                prop_assert_eq!(way.read, way.written.len());
                prop_assert_eq!(way.ended.is_some(), way.shut_down);
            }
        }
    }
}

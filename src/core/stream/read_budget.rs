//! How much of a stream is read in one iteration, and what follows.
//!
//! A stream that is reported only once for what comes (edge-triggered) must be read to
//! its end, or be deferred to the next iteration. A fast one goes faster if it isn't left
//! in its midst, as long as the others don't wait too long for it. What one iteration reads
//! of all the fast ones together is limited, so that a quiet connection beside them is
//! answered as soon beside many as beside one: the more there are, the smaller their shares.

/// The largest segment that the loopback interface carries: 65,535 bytes less the
/// headers. Whole segments are cheapest to read.
pub const SEGMENT: usize = 65_483;

/// How much is read at once, in segments.
pub const SEGMENTS: usize = 3;

/// How often a stream is read from in one iteration, as long as each read is full.
const READS: u32 = 2;

/// How much an iteration reads of all the fast streams together, in segments: what the one
/// that there mostly is may have, about 400 kilobytes. Where there are more streams than
/// segments, each has one.
const ITERATION: usize = 2 * SEGMENTS;

/// What one stream may read in an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    reads: u32,
    segments: usize,
}

impl Share {
    /// The share of each of so many streams.
    #[must_use]
    pub fn of(streams: usize) -> Share {
        let segments = (ITERATION / streams.max(1)).max(1);
        Share {
            reads: if segments > SEGMENTS { READS } else { 1 },
            segments: segments.min(SEGMENTS),
        }
    }

    /// How many bytes are read at once.
    #[must_use]
    pub fn size(self) -> usize {
        self.segments * SEGMENT
    }
}

/// How much a read has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All there was, unless the event has said that there is more.
    Part,
    /// What somebody wants to have at once; there may be more.
    Piece,
    /// What is read at once; there may be more.
    Full,
}

impl Extent {
    /// What `count` bytes are where there was room for so many; `whole` says whether that
    /// is all that is ever read at once.
    #[must_use]
    pub fn of(count: usize, room: usize, whole: bool) -> Extent {
        match (count >= room, whole) {
            (false, _) => Extent::Part,
            (true, false) => Extent::Piece,
            (true, true) => Extent::Full,
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct ReadBudget {
    reads: u32,
    deferred: bool,
}

impl ReadBudget {
    /// The budget of a stream with this share.
    #[must_use]
    pub fn new(share: Share) -> Self {
        ReadBudget {
            reads: share.reads,
            deferred: false,
        }
    }

    /// The budget of a stream that others may read from as well: nobody knows whether a
    /// second read would find anything.
    #[must_use]
    pub fn once() -> Self {
        ReadBudget {
            reads: 1,
            deferred: false,
        }
    }

    /// Notes a read. Whether the stream has to be deferred now, before anything is called
    /// that may run the loop: it may have more, and nothing would say so. `has_more`: the
    /// event says that there is more than a part.
    pub fn defers(&mut self, extent: Extent, has_more: bool) -> bool {
        self.reads = self.reads.saturating_sub(1);
        let first = !self.deferred && (extent != Extent::Part || has_more);
        self.deferred |= first;
        first
    }

    /// Whether to read once more in this iteration.
    #[must_use]
    pub fn goes_on(&self, extent: Extent) -> bool {
        extent == Extent::Full && self.reads > 0
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_full_only_if_nothing_more_had_room() {
        assert_eq!(Extent::of(9, 10, true), Extent::Part);
        assert_eq!(Extent::of(10, 10, true), Extent::Full);
        assert_eq!(Extent::of(10, 10, false), Extent::Piece);
    }

    #[test]
    fn a_stream_is_deferred_once_and_only_if_there_may_be_more() {
        let mut budget = ReadBudget::new(Share::of(1));
        assert!(!budget.defers(Extent::Part, false));
        assert!(budget.defers(Extent::Part, true));
        assert!(!budget.defers(Extent::Part, true));
        assert!(ReadBudget::new(Share::of(1)).defers(Extent::Piece, false));
        assert!(ReadBudget::new(Share::of(1)).defers(Extent::Full, false));
    }

    #[test]
    fn only_full_reads_are_repeated_and_not_for_ever() {
        let mut budget = ReadBudget::new(Share::of(1));
        let mut reads = 0;
        loop {
            budget.defers(Extent::Full, false);
            reads += 1;
            if !budget.goes_on(Extent::Full) {
                break;
            }
        }
        assert_eq!(reads, READS);
        let mut budget = ReadBudget::once();
        assert!(budget.defers(Extent::Full, false));
        assert!(!budget.goes_on(Extent::Full));
        let mut budget = ReadBudget::new(Share::of(1));
        budget.defers(Extent::Part, false);
        assert!(!budget.goes_on(Extent::Part) && !budget.goes_on(Extent::Piece));
    }

    #[test]
    fn the_more_streams_there_are_the_smaller_are_their_shares() {
        let (mut before, whole) = (usize::MAX, Share::of(1));
        assert_eq!((whole.reads, whole.segments), (READS, SEGMENTS));
        assert_eq!(Share::of(0), whole);
        for streams in 1..100 {
            let share = Share::of(streams);
            let reads = usize::try_from(share.reads).unwrap();
            let segments = reads * share.segments;
            assert!(segments >= 1 && segments <= before);
            assert!(segments * streams <= ITERATION.max(streams));
            // Nothing of the iteration is left that each could have had.
            let more = segments + reads;
            assert!(more * streams > ITERATION || share.segments == SEGMENTS);
            before = segments;
        }
        assert_eq!(Share::of(5).size(), SEGMENT);
        assert_eq!(Share::of(2).size(), SEGMENTS * SEGMENT);
    }
}

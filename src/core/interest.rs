//! What is asked of the poll (interest) and what it answers (readiness).

use std::ops::{BitOr, BitOrAssign};

/// The directions in which a descriptor is watched. Errors and hang-ups are reported
/// beside them, unasked. An empty interest keeps a descriptor's place in the poll, where
/// changing it tells whether it still is the one that was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest(u8);

impl Interest {
    /// Nothing.
    pub const NONE: Interest = Interest(0);
    /// Input can be read.
    pub const READABLE: Interest = Interest(1);
    /// Output can be written.
    pub const WRITABLE: Interest = Interest(2);

    /// Whether input is watched.
    #[must_use]
    pub fn is_readable(self) -> bool {
        self.0 & Self::READABLE.0 != 0
    }

    /// Whether output is watched.
    #[must_use]
    pub fn is_writable(self) -> bool {
        self.0 & Self::WRITABLE.0 != 0
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

/// What the poll reports of one descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness(u8);

impl Readiness {
    /// Input can be read.
    pub const READABLE: Readiness = Readiness(1);
    /// Output can be written.
    pub const WRITABLE: Readiness = Readiness(2);
    /// The descriptor has an error.
    pub const ERROR: Readiness = Readiness(4);
    /// The peer is gone in both directions; with an edge: it sends nothing more.
    pub const HANGUP: Readiness = Readiness(8);
    /// With an edge: there is urgent data (TCP), where a read stops.
    pub const URGENT: Readiness = Readiness(16);

    /// Whether input can be read.
    #[must_use]
    pub fn is_readable(self) -> bool {
        self.0 & Self::READABLE.0 != 0
    }

    /// Whether output can be written.
    #[must_use]
    pub fn is_writable(self) -> bool {
        self.0 & Self::WRITABLE.0 != 0
    }

    /// Whether there may be more to read than a read gives that isn't full.
    #[must_use]
    pub fn has_more(self) -> bool {
        self.is_disconnected() || self.0 & Self::URGENT.0 != 0
    }

    /// The same without that output can be written.
    #[must_use]
    pub fn without_writable(self) -> Readiness {
        Readiness(self.0 & !Self::WRITABLE.0)
    }

    /// Whether there was a hang-up.
    #[must_use]
    pub fn is_hung_up(self) -> bool {
        self.0 & Self::HANGUP.0 != 0
    }

    /// Whether there was an error or a hang-up.
    #[must_use]
    pub fn is_disconnected(self) -> bool {
        self.0 & (Self::ERROR.0 | Self::HANGUP.0) != 0
    }
}

impl BitOr for Readiness {
    type Output = Readiness;

    fn bitor(self, other: Readiness) -> Readiness {
        Readiness(self.0 | other.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Readiness) {
        self.0 |= other.0;
    }
}

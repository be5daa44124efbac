//! Edge-triggered reading: who is reported only once for what comes, and what has to be
//! read later without being reported again.
//!
//! A descriptor is edge-triggered while input is all that its watchers wait for and each
//! of them reads to the end. Reading may stop before that, so that others have their turn.
//! The rest is read in the next turn: a deferred read. What the poll reports until then is
//! merged into it, or a fast descriptor would have two shares of each turn.

use super::interest::{Interest, Readiness};
use super::sys::Trigger;

/// How one descriptor is reported, and its deferred read. The interest that its methods
/// take is what is asked of the poll now; `None`: it isn't watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// What the watchers agree upon.
    agreed: Trigger,
    /// What is known of the input whose reading is deferred.
    deferred: Option<Readiness>,
}

impl Default for Edge {
    /// Level-triggered.
    fn default() -> Self {
        Edge::new(Trigger::Level)
    }
}

impl Edge {
    /// Of a descriptor that is watched from now on, by one who agrees to `trigger`.
    #[must_use]
    pub fn new(trigger: Trigger) -> Edge {
        Edge {
            agreed: trigger,
            deferred: None,
        }
    }

    /// With one more watcher. Once level-triggered, a descriptor stays so until nobody
    /// watches it any more: nobody asks the others again.
    #[must_use]
    pub fn joined(self, trigger: Trigger) -> Edge {
        match self.agreed {
            Trigger::Level => self,
            Trigger::Edge => Edge {
                agreed: trigger,
                ..self
            },
        }
    }

    /// How the poll is to report the descriptor. To write knows no end to which it could
    /// be done.
    #[must_use]
    pub fn trigger(self, interest: Interest) -> Trigger {
        match interest {
            Interest::READABLE => self.agreed,
            _ => Trigger::Level,
        }
    }

    /// Whether the descriptor is edge-triggered.
    #[must_use]
    pub fn is_triggered(self, interest: Option<Interest>) -> bool {
        interest.is_some_and(|interest| self.trigger(interest) == Trigger::Edge)
    }

    /// Makes it level-triggered. `false`: it has been already.
    #[must_use = "the poll has to be told"]
    pub fn make_level_triggered(&mut self, interest: Option<Interest>) -> bool {
        let changes = self.is_triggered(interest);
        if changes {
            self.agreed = Trigger::Level;
        }
        changes
    }

    /// Defers the reading of what is left, of which `readiness` is known. Whether a
    /// deferred read has to be scheduled: `false` if one is, or if the poll reports what
    /// is left anyway.
    #[must_use = "a deferred read has to be scheduled"]
    pub fn defer(&mut self, interest: Option<Interest>, readiness: Readiness) -> bool {
        if !self.is_triggered(interest) {
            return false;
        }
        let known = self.deferred.unwrap_or_default() | readiness;
        self.deferred.replace(known).is_none()
    }

    /// Merges what the poll reports into the deferred read, if there is one. `false`:
    /// there is none, and the event has to be served.
    #[must_use = "an event that isn't merged has to be served"]
    pub fn merge(&mut self, interest: Option<Interest>, readiness: Readiness) -> bool {
        if self.deferred.is_none() || !self.is_triggered(interest) {
            return false;
        }
        self.deferred = self.deferred.map(|known| known | readiness);
        true
    }

    /// What is known of the input whose reading was deferred, which is read now.
    pub fn take_deferred(&mut self) -> Option<Readiness> {
        self.deferred.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Option<Interest> = Some(Interest::READABLE);
    const OUTPUT: Option<Interest> = Some(Interest::WRITABLE);
    const NOTHING: Option<Interest> = Some(Interest::NONE);

    fn both() -> Option<Interest> {
        Some(Interest::READABLE | Interest::WRITABLE)
    }

    #[test]
    fn only_one_who_waits_for_input_alone_is_edge_triggered() {
        let edge = Edge::new(Trigger::Edge);
        assert!(edge.is_triggered(INPUT));
        for interest in [OUTPUT, both(), NOTHING, None] {
            assert!(!edge.is_triggered(interest), "{interest:?}");
        }
        assert!(!Edge::default().is_triggered(INPUT));
    }

    #[test]
    fn one_watcher_who_wants_it_makes_it_level_triggered_for_good() {
        let edge = Edge::new(Trigger::Edge).joined(Trigger::Edge);
        assert!(edge.is_triggered(INPUT));
        let level = edge.joined(Trigger::Level);
        assert!(!level.is_triggered(INPUT));
        assert!(!level.joined(Trigger::Edge).is_triggered(INPUT));
    }

    #[test]
    fn the_poll_is_told_once_to_make_it_level_triggered() {
        let mut edge = Edge::new(Trigger::Edge);
        // It is while output is watched, and may be edge-triggered again after that.
        assert!(!edge.make_level_triggered(both()));
        assert!(edge.is_triggered(INPUT));
        assert!(edge.make_level_triggered(INPUT));
        assert!(!edge.is_triggered(INPUT));
        assert!(!edge.make_level_triggered(INPUT));
    }

    #[test]
    fn a_read_is_deferred_once_and_knows_what_is_reported_meanwhile() {
        let mut edge = Edge::new(Trigger::Edge);
        assert!(!edge.merge(INPUT, Readiness::READABLE));
        assert!(edge.defer(INPUT, Readiness::READABLE));
        assert!(!edge.defer(INPUT, Readiness::URGENT));
        assert!(edge.merge(INPUT, Readiness::HANGUP));
        let known = Readiness::READABLE | Readiness::URGENT | Readiness::HANGUP;
        assert_eq!(edge.take_deferred(), Some(known));
        assert_eq!(edge.take_deferred(), None);
        assert!(!edge.merge(INPUT, Readiness::READABLE));
        assert!(edge.defer(INPUT, Readiness::READABLE));
    }

    #[test]
    fn what_is_reported_as_long_as_it_is_there_is_neither_deferred_nor_merged() {
        let mut level = Edge::default();
        assert!(!level.defer(INPUT, Readiness::READABLE));
        assert_eq!(level.take_deferred(), None);
        let mut edge = Edge::new(Trigger::Edge);
        assert!(edge.defer(INPUT, Readiness::READABLE));
        assert!(!edge.merge(both(), Readiness::HANGUP));
        assert!(!edge.merge(None, Readiness::HANGUP));
        // What was deferred before is read all the same.
        let edge = &mut edge.joined(Trigger::Level);
        assert!(!edge.merge(INPUT, Readiness::HANGUP));
        assert_eq!(edge.take_deferred(), Some(Readiness::READABLE));
    }
}

//! Whatever a release shows and others do with the lock: nobody waits for ever.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::core::properties::config;

/// Nanoseconds of work, of a release, and of the time that others have the lock then.
type Round = (u32, u32, u32);

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let round = (0..3_000_000_u32, 1..5_000_u32, 0..6_000_000_u32);
    vec(round, 0..300)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn others_have_a_chance_soon_enough(rounds in rounds(), serves in any::<bool>()) {
        let mut handover = Handover::default();
        let start = handover.since;
        let mut now = start;
        let mut pass = |nanos: u32| {
            now = Deadline::from_nanos(now.as_nanos() + i64::from(nanos));
            now
        };
        let (mut held_since, mut stayed_away) = (start, start);
        let mut before = start;
        for (work, took, away) in rounds {
            let now = pass(work);
            let held = now.since(held_since);
            let due = handover.is_due(now, serves);
            prop_assert!(due || held < SERVE_FOR);
            prop_assert!(!due || held >= RELEASE_EVERY);
            if due {
                let released = pass(took);
                let took = Duration::from_nanos(took.into());
                let stays = handover.released(released, took, serves);
                // Only after the longest time without a sign, or by one.
                let long = released.since(stayed_away) >= STAY_AWAY_EVERY;
                prop_assert!(stays || !long);
                prop_assert!(!stays || long || took >= QUICK);
                if stays {
                    stayed_away = released;
                }
                held_since = pass(if stays { away } else { 0 });
                handover.regained(held_since, held_since.since(released));
            }
            prop_assert!(held_since >= before);
            before = held_since;
        }
    }
}

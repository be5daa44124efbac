//! Random turns, beside sums and a sorted list.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::core::properties::config;

/// Nanoseconds of a turn's wait; of each of its calls, with the kind, and whether it is long;
/// and of what comes after them.
type Turn = (u32, Vec<(usize, bool, u32)>, u32);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let time = || prop_oneof![0..100_u32, 0..100_000_u32, 0..2_000_000_000_u32];
    let call = (0..4_usize, any::<bool>(), time());
    vec((time(), vec(call, 0..20), time()), 0..30)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_meter_adds_up(turns in turns()) {
        let meter = Meter::<3>::default();
        let now = std::cell::Cell::new(1_000_i64);
        let at = || Deadline::from_nanos(now.get());
        let pass = |nanos: u32| {
            now.set(now.get() + i64::from(nanos));
            u64::from(nanos)
        };
        meter.switch(true, at());
        let (mut calls, mut waited, mut work) = ([0_u64; 3], 0, Vec::new());
        // The longest call, and the longest time between two readings of the clock.
        let (mut longest, mut most) = (0, 0);
        for (wait, made, rest) in &turns {
            waited += pass(*wait);
            meter.begin_wait(at());
            meter.begin_work(at());
            prop_assert_eq!(meter.waited(), u64::from(*wait));
            let (mut worked, mut together) = (0, 0);
            for (kind, long, took) in made {
                let took = pass(*took);
                worked += took;
                together += took;
                meter.called(*kind, *long, at);
                if let Some(calls) = calls.get_mut(*kind) {
                    *calls += 1;
                }
                most = together.max(most);
                if *long {
                    longest = took.max(longest);
                    together = 0;
                }
            }
            let rest = pass(*rest);
            most = most.max(together + rest);
            worked += rest;
            meter.end_work(Traffic::default());
            prop_assert!(meter.is_open());
            prop_assert_eq!(meter.close(at()), worked);
            prop_assert!(!meter.is_open());
            work.push(worked);
        }
        let reading = meter.read();
        prop_assert_eq!(reading.turns, turns.len() as u64);
        prop_assert_eq!(reading.calls, calls);
        prop_assert_eq!((reading.waited, reading.worked), (waited, work.iter().sum::<u64>()));
        prop_assert!(reading.longest >= longest && reading.longest <= most);
        work.sort_unstable();
        let [half, most_of_all, max] = reading.lag;
        prop_assert_eq!(max, work.last().copied().unwrap_or_default());
        for (percent, found) in [(50, half), (99, most_of_all)] {
            let rank = (work.len() * percent).div_ceil(100).max(1);
            let exact = work.get(rank - 1).copied().unwrap_or_default();
            prop_assert!(found >= exact && found <= exact + exact / 8, "{found} for {exact}");
        }
        let counted: u64 = meter.lag().map(|(_, count)| u64::from(count)).sum();
        prop_assert_eq!(counted, work.len() as u64);
        meter.reset();
        prop_assert_eq!(meter.read(), Meter::<3>::default().read());
    }
}

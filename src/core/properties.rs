//! How the property tests run: random programs beside a simple model of what is tested.
//!
//! The short form runs the same programs each time, so that what it says is about the change.
//! `PROPTEST_CASES=100000 cargo test --no-default-features --lib properties` is the long form,
//! with others each time. What has failed once is tried first from then on: it is in
//! `proptest-regressions`.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// How often to do something that is best done so many times.
pub fn times(many: u32) -> u32 {
    if cfg!(miri) { many.div_ceil(200) } else { many }
}

pub fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    let asked = |name| std::env::var_os(name).is_some();
    if !asked("PROPTEST_CASES") && !asked("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(4);
    }
    if cfg!(miri) {
        // It takes a thousand times as long, and has no files.
        config.cases = 1;
        config.failure_persistence = None;
    }
    config
}

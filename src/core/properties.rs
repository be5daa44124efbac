//! How the property tests run: random programs beside a simple model of what is tested.
//!
//! `PROPTEST_CASES=100000 cargo test --no-default-features --lib properties` is the long form.
//! What has failed once is tried first from then on: it is in `proptest-regressions`.

use proptest::prelude::ProptestConfig;

/// How often to do something that is best done so many times.
pub fn times(many: u32) -> u32 {
    if cfg!(miri) { many.div_ceil(200) } else { many }
}

pub fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if cfg!(miri) {
        // It takes a thousand times as long, and has no files.
        config.cases = 1;
        config.failure_persistence = None;
    }
    config
}

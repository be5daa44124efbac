//! What holds of every stream in every iteration.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::core::properties::config;

fn extents() -> impl Strategy<Value = Vec<Extent>> {
    let extent = prop_oneof![
        1 => Just(Extent::Part),
        1 => Just(Extent::Piece),
        3 => Just(Extent::Full),
    ];
    vec(extent, 1..8)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_iteration_reads_no_more_than_it_may(streams in 0..10_000_usize) {
        let share = Share::of(streams);
        let each = usize::try_from(share.reads).unwrap() * share.size();
        prop_assert!(each >= SEGMENT);
        prop_assert!(each * streams <= (ITERATION * SEGMENT).max(streams * SEGMENT));
    }

    #[test]
    fn what_may_have_more_is_deferred_once(
        extents in extents(),
        has_more in any::<bool>(),
        streams in 0..20_usize,
    ) {
        let share = Share::of(streams);
        let mut budget = ReadBudget::new(share);
        let (mut reads, mut deferred) = (0, 0);
        let mut last = None;
        for extent in extents {
            reads += 1;
            deferred += u32::from(budget.defers(extent, has_more));
            last = Some(extent);
            if !budget.goes_on(extent) {
                break;
            }
        }
        prop_assert!(reads <= share.reads && deferred <= 1);
        if has_more || last != Some(Extent::Part) {
            prop_assert_eq!(deferred, 1);
        }
    }
}

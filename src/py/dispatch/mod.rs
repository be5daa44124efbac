//! The closed enums that list the faces: what is queued, what is due, who watches a
//! descriptor, who takes part in a turn. The one place that may look upwards.

pub mod call;
pub mod fresh;
pub mod hook;
pub mod timer;
pub mod unflushed;
pub mod watcher;

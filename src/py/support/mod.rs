//! What the native code needs of Python beside PyO3: it knows neither loop nor framework.

pub mod attributes;
pub mod class_version;
pub mod context;
pub mod dict_version;
pub mod error;
pub mod finalization;
pub mod guarded;
pub mod imports;
pub mod instances;
pub mod interpreters;
pub mod make;
pub mod methods;
pub mod names;
pub mod panics;
pub mod recursion;
pub mod refcounts;
pub mod reuse;
pub mod socket_objects;
pub mod stepping;
pub mod trashcan;

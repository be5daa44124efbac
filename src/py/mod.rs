//! The loop as Python sees it: the only place that knows pyo3.
//!
//! What the faces share is here; each face has a folder. A pyclass is frozen
//! and keeps what changes under short locks that are never held while Python
//! code may run, so that a callback can re-enter anything.

pub mod asyncio;
mod attributes;
mod call;
mod clock;
mod context;
mod error;
mod event_loop;
mod finalization;
mod imports;
mod references;
mod timer;
pub mod tornado;
mod turn;
pub mod twisted;
mod wait;
mod watcher;

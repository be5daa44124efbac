//! The loop as Python sees it: the only place that knows pyo3.
//!
//! | folder       | what is there                                                  |
//! |--------------|----------------------------------------------------------------|
//! | `support`    | what PyO3 lacks: errors, contexts, imports, reference counts    |
//! | `event_loop` | the loop's state, one turn of it, how it waits                  |
//! | `transport`  | what the faces' transports share; no framework's word           |
//! | a face's     | `asyncio`, `tornado`, `twisted`: what is that framework's own   |
//! | `dispatch`   | the closed enums that list the faces                            |
//!
//! Each names those above it only, and no face another one. Everybody may name `dispatch`,
//! which names everybody.
//!
//! A pyclass is frozen and keeps what changes under short locks that are never held while
//! Python code may run, so that a callback can re-enter anything.

pub mod asyncio;
mod dispatch;
mod event_loop;
pub mod module;
mod support;
pub mod tornado;
pub mod transport;
pub mod twisted;

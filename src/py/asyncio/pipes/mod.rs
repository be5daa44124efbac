//! The native halves of asyncio's pipe transports: reading, and writing what the pipe
//! takes at once.
//!
//! asyncio's own code stands behind them for everything else. It works on the attributes
//! of these classes, which have asyncio's names, and on what it puts beside them.

mod read;
mod write;

pub use read::ReadPipe;
pub use write::WritePipe;

type Object = Option<pyo3::Py<pyo3::PyAny>>;

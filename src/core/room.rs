//! Room in memory, asked for before it is needed.
//!
//! Rust's collections end the process when they can't grow. Whatever a program can make
//! grow makes room first, and what that fails for is refused, or comes later.

use std::collections::TryReserveError;
use std::io;
use std::ops::{Deref, DerefMut};

/// There is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl From<TryReserveError> for NoRoom {
    fn from(_: TryReserveError) -> Self {
        NoRoom
    }
}

impl From<NoRoom> for io::Error {
    fn from(_: NoRoom) -> Self {
        io::ErrorKind::OutOfMemory.into()
    }
}

/// A value behind a pointer, as a `Box` is, whose making may fail.
#[derive(Debug)]
pub struct Boxed<T>(Box<[T; 1]>);

impl<T> Deref for Boxed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let [value] = &*self.0;
        value
    }
}

impl<T> DerefMut for Boxed<T> {
    fn deref_mut(&mut self) -> &mut T {
        let [value] = &mut *self.0;
        value
    }
}

impl<T: Default> Default for Boxed<T> {
    fn default() -> Self {
        Boxed(Box::new([T::default()]))
    }
}

/// Puts a value behind a pointer.
///
/// # Errors
/// `NoRoom`, and the value is gone.
pub fn boxed<T>(value: T) -> Result<Boxed<T>, NoRoom> {
    let mut values = Vec::new();
    values.try_reserve_exact(1)?;
    values.push(value);
    let boxed = values.into_boxed_slice().try_into();
    boxed.map(Boxed).map_err(|_| NoRoom)
}

/// All of these.
///
/// # Errors
/// `NoRoom`.
pub fn gathered<T>(items: impl Iterator<Item = T>) -> Result<Vec<T>, NoRoom> {
    let mut all = Vec::new();
    for item in items {
        all.try_reserve(1)?;
        all.push(item);
    }
    Ok(all)
}

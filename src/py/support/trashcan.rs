//! Freeing a long chain of objects without a long chain of calls.
//!
//! An object that holds another one frees it when it is freed, which frees the next, and
//! so on: with hundreds of thousands of them (a handle whose argument is a handle...) the
//! stack ends. What the interpreter has against that (its trashcan) is for its own classes,
//! and PyO3's have nothing. So here are the same rules: below a certain depth an object is
//! put aside, and freed when the outermost one is.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;

/// How deep it may go, as in the interpreter: some tens of kilobytes of the stack.
const DEPTH: u32 = 50;

thread_local! {
    /// How many objects are being freed, each by the one before.
    static DEEP: Cell<u32> = const { Cell::new(0) };
    static ASIDE: RefCell<Vec<Object>> = const { RefCell::new(Vec::new()) };
}

/// An object that nobody refers to any more, and what frees it.
#[derive(Clone, Copy)]
pub struct Object {
    object: *mut ffi::PyObject,
    free: ffi::destructor,
}

impl Object {
    /// # Safety
    /// As for `tp_dealloc`.
    unsafe fn free(self) {
        // SAFETY: the caller's.
        unsafe { (self.free)(self.object) }
    }
}

/// Frees an object, now or, if this is deep, when the outermost one is done. `free` is
/// what PyO3 has made for its class.
///
/// # Safety
/// As for `tp_dealloc`: the thread is attached, and nobody refers to the object.
#[inline]
pub unsafe fn free(object: *mut ffi::PyObject, free: ffi::destructor) {
    let object = Object { object, free };
    let deep = DEEP.get();
    if deep >= DEPTH && put_aside(object) {
        return;
    }
    DEEP.set(deep.saturating_add(1));
    // SAFETY: the caller's.
    unsafe { object.free() };
    if deep == 0 {
        while let Some(object) = next() {
            // SAFETY: it was put aside by a thread that was to free it, this one.
            unsafe { object.free() };
        }
    }
    DEEP.set(deep);
}

/// Whether it could be.
#[cold]
fn put_aside(object: Object) -> bool {
    // SAFETY: the object is one that the collector may know, like all of PyO3's; it must
    // not look at one that is freed later.
    unsafe { ffi::PyObject_GC_UnTrack(object.object.cast()) };
    let outcome = ASIDE.try_with(|aside| {
        let mut aside = aside.borrow_mut();
        aside.try_reserve(1).ok()?;
        aside.push(object);
        Some(())
    });
    outcome.is_ok_and(|put| put.is_some())
}

#[inline]
fn next() -> Option<Object> {
    ASIDE.try_with(|aside| aside.borrow_mut().pop()).ok()?
}

/// Has instances of a class freed like this: `free` calls the function of this name with
/// what `own` says.
///
/// # Safety
/// `free` is that.
pub unsafe fn guard<T: PyClass>(
    py: Python<'_>,
    own: &OnceLock<ffi::destructor>,
    free: ffi::destructor,
) {
    let class = py.get_type::<T>().as_type_ptr();
    // SAFETY: attached; the class is alive, and one of PyO3's, which nobody else changes.
    let Some(pyo3s) = (unsafe { (*class).tp_dealloc }) else {
        return;
    };
    // GIL: nobody frees an instance between the two.
    if own.set(pyo3s).is_ok() {
        // SAFETY: as above. An instance that there is already is freed in the new way.
        unsafe { (*class).tp_dealloc = Some(free) };
    }
}

/// Guards these classes.
macro_rules! guard_all {
    ($py:expr, $($class:ty),+ $(,)?) => {$({
        static OWN: std::sync::OnceLock<pyo3::ffi::destructor> = std::sync::OnceLock::new();
        unsafe extern "C" fn free(object: *mut pyo3::ffi::PyObject) {
            if let Some(own) = OWN.get() {
                // SAFETY: the interpreter frees an object of this class.
                unsafe { $crate::py::support::trashcan::free(object, *own) };
            }
        }
        // SAFETY: `free` does what is asked of it.
        unsafe { $crate::py::support::trashcan::guard::<$class>($py, &OWN, free) };
    })+};
}
pub(in crate::py) use guard_all;

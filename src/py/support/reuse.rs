//! The memory of freed objects is kept for the next ones of their class.
//!
//! That saves the allocator's work, as the free lists of the interpreter's own classes do.
//! And an object made like this isn't counted as an allocation by the garbage collector,
//! which looks for garbage whenever there were some hundreds more of them than of frees: a
//! turn that makes hundreds of handles and tasks at once, all of which are gone by the next,
//! would have it run, and find nothing, many times as often.
//!
//! PyO3's own free list has the collector forget the objects (0.30.1).
#![allow(unsafe_code)]

use std::ffi::{c_ulong, c_void};
use std::ptr::null_mut;

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;

use super::guarded::Guarded;

/// How many objects of a class: those of a turn in which much happens, some 100 KB.
const KEPT: usize = 1_024;

/// The flags of classes whose objects have something of their own in front of the collector's
/// head: inline values, managed weak references, a managed dict. PyO3's have none of it.
const IN_FRONT: c_ulong = 1 << 2 | 1 << 3 | 1 << 4;

/// The memory kept for a class.
pub struct Kept {
    class: *mut ffi::PyTypeObject,
    freed: Vec<*mut ffi::PyObject>,
}

// SAFETY: it is used by threads that are attached, one after the other; whoever takes
// memory out has it alone.
unsafe impl Send for Kept {}

impl Kept {
    /// Nothing kept, for no class yet.
    pub const fn new() -> Self {
        Kept {
            class: null_mut(),
            freed: Vec::new(),
        }
    }
}

/// What `tp_alloc` does.
///
/// # Safety
/// As for `tp_alloc`: the thread is attached, and `class` is a class.
#[inline]
pub unsafe fn allocate(
    kept: &Guarded<Kept>,
    class: *mut ffi::PyTypeObject,
    items: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: the caller's.
    let py = unsafe { Python::assume_attached() };
    let mut guard = kept.lock(py);
    let freed = if guard.class == class {
        guard.freed.pop()
    } else {
        None
    };
    drop(guard);
    let Some(freed) = freed else {
        // SAFETY: the caller's.
        return unsafe { ffi::PyType_GenericAlloc(class, items) };
    };
    // SAFETY: this memory was allocated for an object of this very class, and nobody has had
    // it since that was freed. All of it is set to zero, as PyType_GenericAlloc does, so what
    // the collector may find there before PyO3 has filled it in is nothing. The collector
    // has forgotten the object when PyO3 freed it.
    unsafe {
        let size = usize::try_from((*class).tp_basicsize).unwrap_or(0);
        std::ptr::write_bytes(freed.cast::<u8>(), 0, size);
        ffi::PyObject_Init(freed, class);
        ffi::PyObject_GC_Track(freed.cast());
    }
    freed
}

/// What `tp_free` does.
///
/// # Safety
/// As for `tp_free`: the thread is attached, and the object is one that the collector has
/// forgotten.
#[inline]
pub unsafe fn free(kept: &Guarded<Kept>, object: *mut c_void) {
    // SAFETY: the caller's.
    let (py, class) = unsafe { (Python::assume_attached(), ffi::Py_TYPE(object.cast())) };
    let mut guard = kept.lock(py);
    if guard.class == class && guard.freed.len() < guard.freed.capacity() {
        guard.freed.push(object.cast());
        return;
    }
    drop(guard);
    // SAFETY: the caller's.
    unsafe { ffi::PyObject_GC_Del(object) };
}

/// Keeps the memory of instances of a class: `allocate` and `free` call the functions of
/// these names with what is kept.
///
/// # Safety
/// They do that, with the `Kept` given here.
pub unsafe fn keep<T: PyClass>(
    py: Python<'_>,
    kept: &Guarded<Kept>,
    allocate: ffi::allocfunc,
    free: ffi::freefunc,
) {
    let class = py.get_type::<T>().as_type_ptr();
    let mut freed = Vec::new();
    if freed.try_reserve_exact(KEPT).is_err() {
        return;
    }
    // SAFETY: attached; the class is alive, and one of PyO3's, which nobody else changes.
    // What it frees by `tp_free` it has allocated by `tp_alloc`, with a head for the
    // collector and nothing else before the object: else it is left alone. So it is without a
    // GIL, where the collector finds objects by the allocator.
    unsafe {
        let plain = !cfg!(Py_GIL_DISABLED)
            && (*class).tp_itemsize == 0
            && (*class).tp_flags & IN_FRONT == 0
            && ffi::PyType_IS_GC(class) != 0
            && (*class).tp_free.is_some_and(is_collectors);
        if plain {
            *kept.lock(py) = Kept { class, freed };
            (*class).tp_alloc = Some(allocate);
            (*class).tp_free = Some(free);
        }
    }
}

fn is_collectors(free: ffi::freefunc) -> bool {
    std::ptr::fn_addr_eq(free, ffi::PyObject_GC_Del as ffi::freefunc)
}

/// Keeps the memory of instances of these classes.
macro_rules! keep_all {
    ($py:expr, $($class:ty),+ $(,)?) => {$({
        use $crate::py::support::guarded::Guarded;
        use $crate::py::support::reuse::{self, Kept};
        static KEPT: Guarded<Kept> = Guarded::new(Kept::new());
        unsafe extern "C" fn allocate(
            class: *mut pyo3::ffi::PyTypeObject,
            items: pyo3::ffi::Py_ssize_t,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: it is called as `tp_alloc`.
            unsafe { reuse::allocate(&KEPT, class, items) }
        }
        unsafe extern "C" fn free(object: *mut std::ffi::c_void) {
            // SAFETY: it is called as `tp_free`, by PyO3, which has the collector forget the
            // object before anything else.
            unsafe { reuse::free(&KEPT, object) }
        }
        // SAFETY: these two do what is asked of them.
        unsafe { reuse::keep::<$class>($py, &KEPT, allocate, free) };
    })+};
}
pub(in crate::py) use keep_all;

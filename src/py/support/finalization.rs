//! Threads that are still in native code when the interpreter ends.
//!
//! Up to Python 3.13 a daemon thread that wants the GIL back while the interpreter is
//! finalizing is ended by `pthread_exit`. With glibc that unwinds the thread's stack, and
//! such an unwinding can't pass Rust frames: it aborts the whole process, at what was to
//! be its normal end. PyO3 guards the places where it takes the GIL itself, but a thread
//! is mostly inside Python code that a loop has called.
//!
//! So a thread that comes here registers a cleanup handler, once, which never returns when
//! the interpreter is finalizing: the thread hangs until the process ends, as it does from
//! Python 3.14 on. glibc runs a handler before it leaves the frame that the handler's
//! buffer is in, and tells that by comparing addresses: a buffer on the heap, outside of
//! the stack, counts as left at once, before any frame is unwound.
//!
//! Other C libraries end a thread without unwinding it.
#![allow(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
/// Does nothing: here a thread ends without unwinding.
pub fn hang_rather_than_unwind() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use glibc::hang_rather_than_unwind;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::cell::UnsafeCell;
    use std::ffi::{CStr, c_int, c_void};
    use std::ptr;
    use std::sync::OnceLock;

    /// glibc's `struct _pthread_cleanup_buffer`.
    #[repr(C)]
    struct Buffer {
        routine: Option<unsafe extern "C" fn(*mut c_void)>,
        argument: *mut c_void,
        cancel_type: c_int,
        before: *mut Buffer,
    }

    type Push = unsafe extern "C" fn(*mut Buffer, unsafe extern "C" fn(*mut c_void), *mut c_void);
    type IsFinalizing = unsafe extern "C" fn() -> c_int;

    /// A thread's registration, which lives as long as the thread.
    struct Registration(#[allow(dead_code)] Option<Box<UnsafeCell<Buffer>>>);

    thread_local! {
        static REGISTRATION: Registration = register();
    }

    /// Sees to it that this thread hangs, in place of being unwound, if the interpreter
    /// ends it.
    pub fn hang_rather_than_unwind() {
        // It fails in a thread that is ending already.
        let _registered = REGISTRATION.try_with(|_| ());
    }

    fn register() -> Registration {
        let Some(push) = push() else {
            return Registration(None);
        };
        let buffer = Box::new(UnsafeCell::new(Buffer {
            routine: None,
            argument: ptr::null_mut(),
            cancel_type: 0,
            before: ptr::null_mut(),
        }));
        // SAFETY: the signature is that of glibc's <pthread.h>. The buffer is on the heap
        // and is freed by the thread's last destructors, after which nothing looks at it.
        unsafe { push(buffer.get(), hang_if_finalizing, ptr::null_mut()) };
        Registration(Some(buffer))
    }

    unsafe extern "C" fn hang_if_finalizing(_argument: *mut c_void) {
        // SAFETY: the function takes no argument and may be called without the GIL.
        if is_finalizing().is_some_and(|is_finalizing| unsafe { is_finalizing() } != 0) {
            loop {
                // SAFETY: it only waits for a signal.
                unsafe { libc::pause() };
            }
        }
    }

    fn push() -> Option<Push> {
        static PUSH: OnceLock<Option<Push>> = OnceLock::new();
        // SAFETY: a function of this name is glibc's, whose signature this is.
        *PUSH.get_or_init(|| unsafe {
            find(c"_pthread_cleanup_push")
                .map(|found| std::mem::transmute::<*mut c_void, Push>(found))
        })
    }

    fn is_finalizing() -> Option<IsFinalizing> {
        static IS_FINALIZING: OnceLock<Option<IsFinalizing>> = OnceLock::new();
        // SAFETY: a function of one of these names is CPython's, whose signature this is;
        // the first one has a public name from Python 3.13 on.
        *IS_FINALIZING.get_or_init(|| unsafe {
            find(c"Py_IsFinalizing")
                .or_else(|| find(c"_Py_IsFinalizing"))
                .map(|found| std::mem::transmute::<*mut c_void, IsFinalizing>(found))
        })
    }

    fn find(name: &CStr) -> Option<*mut c_void> {
        // SAFETY: the name ends with a null byte; the default handle is always valid.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        (!found.is_null()).then_some(found)
    }
}

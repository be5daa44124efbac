//! Which thread this is.
#![allow(unsafe_code)]

/// The thread's identifier, as Python's `threading.get_ident` has it.
#[must_use]
#[allow(clippy::useless_conversion)]
pub fn current() -> u64 {
    // SAFETY: it can't fail, and takes nothing.
    let thread = unsafe { libc::pthread_self() };
    thread as u64
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_thread_has_one_of_its_own() {
        let mine = super::current();
        assert_eq!(mine, super::current());
        let other = std::thread::spawn(super::current).join().unwrap();
        assert_ne!(mine, other);
    }
}

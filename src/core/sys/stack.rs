//! How much of the thread's stack is left.
//!
//! A callback may turn the loop again, and so on: each such turn lies on the stack above the
//! one before. The interpreter counts its own calls only, and up to Python 3.13 it doesn't
//! know how small the stack of a thread is.
#![allow(unsafe_code)]

use std::cell::Cell;

/// So much must be left, for what a callback may do beside turning the loop; of a stack
/// smaller than four times that, a quarter.
const RESERVE: usize = 64 * 1024;

/// Where a thread's stack is: from the lowest address on.
#[derive(Clone, Copy, Debug)]
struct Stack {
    lowest: usize,
    size: usize,
}

/// Where it isn't known: none of it is ever short.
const UNKNOWN: Stack = Stack { lowest: 0, size: 0 };

thread_local! {
    static STACK: Cell<Option<Stack>> = const { Cell::new(None) };
}

/// Whether so little of the stack is left that nothing may be built upon it that calls
/// itself.
#[must_use]
#[inline]
pub fn is_short() -> bool {
    let stack = STACK.get().unwrap_or_else(look);
    stack.is_short_at((&raw const stack).addr())
}

#[cold]
fn look() -> Stack {
    let stack = bounds().unwrap_or(UNKNOWN);
    STACK.set(Some(stack));
    stack
}

impl Stack {
    /// An address outside is of a stack that somebody else has made: nothing is known of it.
    #[inline]
    fn is_short_at(self, address: usize) -> bool {
        let left = address.wrapping_sub(self.lowest);
        left < self.size && left < RESERVE.min(self.size / 4)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn bounds() -> Option<Stack> {
    let mut attributes = std::mem::MaybeUninit::uninit();
    let (mut lowest, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are filled in by the first call, and used and destroyed only
    // if that has succeeded; the others are places for what the second call says.
    let outcome = unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let outcome =
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        outcome
    };
    (outcome == 0).then_some(Stack {
        lowest: lowest.addr(),
        size,
    })
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
fn bounds() -> Option<Stack> {
    // SAFETY: neither can fail for the thread that asks.
    let (highest, size) = unsafe {
        let thread = libc::pthread_self();
        (
            libc::pthread_get_stackaddr_np(thread).addr(),
            libc::pthread_get_stacksize_np(thread),
        )
    };
    let lowest = highest.checked_sub(size)?;
    Some(Stack { lowest, size })
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios"
)))]
fn bounds() -> Option<Stack> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of the stack is in use above `start` when it is short.
    #[inline(never)]
    fn descend(start: usize) -> usize {
        let frame = std::hint::black_box([0_u8; 512]);
        if is_short() {
            return start - frame.as_ptr().addr();
        }
        descend(start) + usize::from(std::hint::black_box(&frame)[0])
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no such system calls")]
    fn a_small_stack_is_short_before_it_ends() {
        for size in [128 * 1024, 512 * 1024, 2048 * 1024] {
            let descended = std::thread::Builder::new().stack_size(size).spawn(|| {
                let here = 0_u8;
                let used = descend((&raw const here).addr());
                // The C library may have had a larger one left.
                (used, bounds().unwrap().size)
            });
            let (used, size) = descended.unwrap().join().unwrap();
            assert!(used > size / 2 && used < size, "{used} of {size}");
        }
    }

    #[test]
    fn another_stack_is_never_short() {
        let stack = Stack {
            lowest: 0x10_0000,
            size: 0x10_0000,
        };
        assert!(stack.is_short_at(0x10_0010));
        assert!(!stack.is_short_at(0x1f_0000));
        assert!(!stack.is_short_at(0x0f_ffff));
        assert!(!stack.is_short_at(0x20_0000));
        assert!(!UNKNOWN.is_short_at(0x10_0010));
    }
}

//! What a sanitizer has to find, so that one that finds nothing elsewhere can be believed.

use std::hint::black_box;

static mut NUMBER: u32 = 0;

/// Reads memory that is freed.
#[no_mangle]
pub extern "C" fn use_after_free() -> u8 {
    let memory = Box::into_raw(Box::new(7_u8));
    // SAFETY: it is wrong, on purpose.
    unsafe {
        drop(Box::from_raw(memory));
        *black_box(memory)
    }
}

/// Two threads write to a variable without a word to each other.
#[no_mangle]
pub extern "C" fn data_race() {
    let write = || {
        for number in 0..1_000 {
            // SAFETY: it is wrong, on purpose.
            unsafe { (&raw mut NUMBER).write(black_box(number)) };
        }
    };
    let threads = [std::thread::spawn(write), std::thread::spawn(write)];
    for thread in threads {
        drop(thread.join());
    }
}

#[allow(dead_code)]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("thread") => data_race(),
        _ => drop(black_box(use_after_free())),
    }
}

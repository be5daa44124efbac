//! The timer heap: what is due when.
//!
//! Ordered by (deadline, sequence), so that equal deadlines fire in the order
//! in which they were scheduled. Deletion is lazy: cancelling, and moving a timer
//! later, leave the heap alone, and the entry is dropped, or put back, when it comes
//! up. Moving sooner adds a second entry. The heap is compacted when more than half
//! of it is dead, so every operation is O(log n) at worst, amortised.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::clock::Deadline;
use super::room::NoRoom;

/// Below this many entries a compaction isn't worth its while.
const COMPACT_FROM: usize = 64;

/// Names a timer for as long as it is scheduled, and nothing after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    slot: usize,
    /// The sequence number of the first scheduling; never used twice.
    birth: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Timers<T> {
    heap: BinaryHeap<Reverse<Entry>>,
    slots: Vec<Slot<T>>,
    free: Vec<usize>,
    sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    deadline: Deadline,
    sequence: u64,
    slot: usize,
}

#[derive(Debug)]
struct Slot<T> {
    birth: u64,
    /// The sequence number of the slot's one live entry in the heap.
    entry: u64,
    /// When the timer really is due; later than its entry after a move.
    deadline: Deadline,
    sequence: u64,
    value: Option<T>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Timers {
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            sequence: 0,
        }
    }
}

impl<T> Timers<T> {
    /// How many timers are scheduled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether no timer is scheduled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for a timer more, and for a move of any: neither needs memory then, nor does
    /// what becomes of them.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub fn make_room(&mut self) -> Result<(), NoRoom> {
        self.heap.try_reserve(1)?;
        if self.free.is_empty() {
            self.slots.try_reserve(1)?;
            // Where each of them is noted once it is free.
            self.free.try_reserve(self.slots.len() + 1)?;
        }
        Ok(())
    }

    /// Schedules `value`. The flag says whether a poll that waits for the
    /// first timer waits too long now.
    pub fn insert(&mut self, deadline: Deadline, value: T) -> (Key, bool) {
        let sequence = self.next_sequence();
        let record = Slot {
            birth: sequence,
            entry: sequence,
            deadline,
            sequence,
            value: Some(value),
        };
        let slot = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(place) => *place = record,
            None => self.slots.push(record),
        }
        let first = self.push(Entry {
            deadline,
            sequence,
            slot,
        });
        let key = Key {
            slot,
            birth: sequence,
        };
        (key, first)
    }

    /// Whether a timer is scheduled.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.slots
            .get(key.slot)
            .is_some_and(|slot| slot.birth == key.birth && slot.value.is_some())
    }

    /// Unschedules a timer and hands its value back; `None` if it has fired
    /// or was removed before.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.live(key)?;
        let value = self.release(key.slot);
        self.compact_if_worthwhile();
        value
    }

    /// Moves a timer. `None` if it isn't scheduled; the flag says whether a
    /// poll that waits for the first timer waits too long now.
    pub fn reschedule(&mut self, key: Key, deadline: Deadline) -> Option<bool> {
        let sequence = self.next_sequence();
        let slot = self.live(key)?;
        let sooner = deadline < slot.deadline;
        slot.deadline = deadline;
        slot.sequence = sequence;
        if !sooner {
            return Some(false);
        }
        slot.entry = sequence;
        let first = self.push(Entry {
            deadline,
            sequence,
            slot: key.slot,
        });
        self.compact_if_worthwhile();
        Some(first)
    }

    /// When the next timer is due.
    pub fn next_deadline(&mut self) -> Option<Deadline> {
        self.settle_top().map(|entry| entry.deadline)
    }

    /// Takes out the next timer that is due at `now`.
    pub fn pop_due(&mut self, now: Deadline) -> Option<T> {
        self.pop_due_if(now, |_| true)
    }

    /// Takes out the next timer if it is due at `now` and wanted. One that
    /// isn't wanted keeps those behind it waiting too.
    pub fn pop_due_if(&mut self, now: Deadline, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let entry = self.settle_top()?;
        let value = self.slots.get(entry.slot)?.value.as_ref()?;
        if entry.deadline > now || !wanted(value) {
            return None;
        }
        self.heap.pop();
        self.release(entry.slot)
    }

    /// Every scheduled value, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    /// Takes everything out; every key is void.
    pub fn clear(&mut self) -> Vec<T> {
        let values = self.slots.iter_mut().filter_map(|slot| slot.value.take());
        let values = values.collect();
        self.heap.clear();
        self.slots.clear();
        self.free.clear();
        values
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn live(&mut self, key: Key) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(key.slot)?;
        (slot.birth == key.birth && slot.value.is_some()).then_some(slot)
    }

    fn release(&mut self, slot: usize) -> Option<T> {
        let value = self.slots.get_mut(slot)?.value.take()?;
        self.free.push(slot);
        Some(value)
    }

    fn push(&mut self, entry: Entry) -> bool {
        self.heap.push(Reverse(entry));
        self.heap
            .peek()
            .is_some_and(|Reverse(top)| top.sequence == entry.sequence)
    }

    /// Makes the heap's top a live entry at its timer's real deadline.
    fn settle_top(&mut self) -> Option<Entry> {
        loop {
            let Reverse(entry) = *self.heap.peek()?;
            let moved = match self.slots.get_mut(entry.slot) {
                Some(slot) if is_live(slot, entry) => {
                    if slot.sequence == entry.sequence {
                        return Some(entry);
                    }
                    slot.entry = slot.sequence;
                    Some(Entry {
                        deadline: slot.deadline,
                        sequence: slot.sequence,
                        slot: entry.slot,
                    })
                }
                _ => None,
            };
            self.heap.pop();
            if let Some(entry) = moved {
                self.heap.push(Reverse(entry));
            }
        }
    }

    fn compact_if_worthwhile(&mut self) {
        if self.heap.len() > COMPACT_FROM && self.heap.len() > 2 * self.len() {
            let slots = &self.slots;
            self.heap.retain(|Reverse(entry)| {
                slots
                    .get(entry.slot)
                    .is_some_and(|slot| is_live(slot, *entry))
            });
        }
    }
}

fn is_live<T>(slot: &Slot<T>, entry: Entry) -> bool {
    slot.value.is_some() && slot.entry == entry.sequence
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

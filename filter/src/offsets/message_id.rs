//! Offsets packed from message ids: ledger (28 bits), entry (23), batch index (12).
//!
//! The layout is for good: committed offsets outlive every version of the filter. What does not fit is an error, never a wrap.

use super::OffsetError;
use crate::ids::{Offset, Position};

const LEDGER_BITS: u32 = 28;
const ENTRY_BITS: u32 = 23;
const BATCH_BITS: u32 = 12;

/// Most messages of one entry that have offsets of their own.
pub const MAX_BATCH: u32 = 1 << BATCH_BITS;

/// The offset of message `batch_index` of the entry at `position`.
pub fn encode(position: Position, batch_index: u32) -> Result<Offset, OffsetError> {
    let overflow = OffsetError::Overflow(position);
    if position.ledger >> LEDGER_BITS != 0 || position.entry >> ENTRY_BITS != 0 || batch_index >= MAX_BATCH {
        return Err(overflow);
    }
    let packed =
        (position.ledger << (ENTRY_BITS + BATCH_BITS)) | (position.entry << BATCH_BITS) | u64::from(batch_index);
    i64::try_from(packed).ok().and_then(Offset::new).ok_or(overflow)
}

/// One past the last of `messages` messages of the entry at `position`: where the next fetch begins.
pub fn after(position: Position, messages: u32) -> Result<Offset, OffsetError> {
    Ok(encode(position, messages.max(1).saturating_sub(1))?.plus(1))
}

/// The entry that an offset points into.
pub fn position(offset: Offset) -> Position {
    let packed = offset.value().unsigned_abs();
    Position { ledger: packed >> (ENTRY_BITS + BATCH_BITS), entry: (packed >> BATCH_BITS) & ((1 << ENTRY_BITS) - 1) }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_for_good() {
        let position = Position { ledger: 1, entry: 1 };
        assert_eq!(encode(position, 1).unwrap().value(), (1 << 35) | (1 << 12) | 1);
        assert_eq!(after(position, 1).unwrap().value(), (1 << 35) | (1 << 12) | 1);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for (ledger, entry, batch) in [(1 << 28, 0, 0), (0, 1 << 23, 0), (0, 0, 1 << 12)] {
            assert!(encode(Position { ledger, entry }, batch).is_err());
        }
    }

    #[test]
    fn the_end_of_a_full_batch_is_the_start_of_the_next_entry() {
        let end = after(Position { ledger: 3, entry: 4 }, MAX_BATCH).unwrap();
        assert_eq!(end, encode(Position { ledger: 3, entry: 5 }, 0).unwrap());
    }

    proptest! {
        #[test]
        fn offsets_are_ordered_as_messages_are(
            a in (0u64..1 << 28, 0u64..1 << 23, 0u32..1 << 12),
            b in (0u64..1 << 28, 0u64..1 << 23, 0u32..1 << 12),
        ) {
            let offset = |(ledger, entry, batch)| encode(Position { ledger, entry }, batch).unwrap();
            prop_assert_eq!(a.cmp(&b), offset(a).cmp(&offset(b)));
            prop_assert_eq!(position(offset(a)), Position { ledger: a.0, entry: a.1 });
        }
    }
}

//! Kafka's primitive types out of bytes that nobody has looked at yet.

/// The bytes end too early, or a varint does not end where it must. Where and in which field is the caller's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short;

/// Bytes of the longest unsigned varint: 32 bits in groups of seven.
const MAX_VARINT_BYTES: u32 = 5;

/// A cursor that never reads past the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn i8(&mut self) -> Result<i8, Short> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Short> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Short> {
        self.array().map(i32::from_be_bytes)
    }

    /// An unsigned varint of at most 32 bits. Groups of zeros at the end are read as other decoders do; bits that do not
    /// fit are refused, because decoders disagree about them.
    pub(super) fn varint(&mut self) -> Result<u32, Short> {
        let mut value: u32 = 0;
        for group in 0..MAX_VARINT_BYTES {
            let [byte] = self.array()?;
            let bits = u32::from(byte & 0x7f);
            let shift = group.saturating_mul(7);
            if bits.leading_zeros() < shift {
                return Err(Short);
            }
            value |= bits.wrapping_shl(shift);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Short)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Short)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test;

    fn varint(bytes: &[u8]) -> Result<u32, Short> {
        Reader::new(bytes).varint()
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn varints_are_read_up_to_thirty_two_bits() {
        assert_eq!(varint(&[0]), Ok(0));
        assert_eq!(varint(&[0x7f]), Ok(127));
        assert_eq!(varint(&[0x80, 0x01]), Ok(128));
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn varints_that_overflow_or_never_end_are_refused() {
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(Short));
        assert_eq!(varint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), Err(Short));
        assert_eq!(varint(&[0x80]), Err(Short));
        assert_eq!(varint(&[]), Err(Short));
    }
}

//! Choices out of the fuzzer's bytes. Where they end, every choice is the first.

/// What is left of the input.
pub struct Source<'a>(pub &'a [u8]);

impl Source<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    pub fn pick<'b, T>(&mut self, of: &'b [T]) -> &'b T {
        &of[self.below(of.len())]
    }

    /// So many bytes, or as many as there are.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    /// Small numbers mostly, and the ends of the range.
    pub fn int(&mut self) -> i64 {
        match self.byte() {
            byte @ 0..=199 => i64::from(byte),
            200..=219 => -1,
            220..=229 => -2,
            230..=239 => i64::from(i32::MAX),
            240..=249 => i64::MAX,
            _ => i64::MIN,
        }
    }

    pub fn int32(&mut self) -> i32 {
        self.int().clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }
}

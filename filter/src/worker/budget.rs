//! A bounded amount of bytes that many holders draw from.

/// Bytes in use, against a limit.
#[derive(Debug)]
pub struct Budget {
    used: usize,
    limit: usize,
}

impl Budget {
    /// Nothing used of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { used: 0, limit }
    }

    /// Takes `bytes` if they fit.
    pub fn try_take(&mut self, bytes: usize) -> bool {
        let fits = self.used.saturating_add(bytes) <= self.limit;
        if fits {
            self.used = self.used.saturating_add(bytes);
        }
        fits
    }

    /// Takes `bytes` that are here already, fitting or not.
    pub fn take(&mut self, bytes: usize) {
        self.used = self.used.saturating_add(bytes);
    }

    /// Gives back what was taken.
    pub fn give_back(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Whether the limit is reached.
    pub fn is_exhausted(&self) -> bool {
        self.used >= self.limit
    }
}

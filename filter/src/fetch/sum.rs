//! What the partitions of a fetch come to, kept while single ones change.

/// What one partition comes to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// How much is there, up to what the fetch takes of it.
    pub bytes: usize,
    /// It is not known yet whether there is anything.
    pub unsettled: bool,
    /// More is on its way.
    pub filling: bool,
    /// Something is to be told at once.
    pub failed: bool,
    /// It hands out nothing before a floor is known.
    pub gated: bool,
}

/// What all partitions together come to: how much, and how many.
#[derive(Debug, Default)]
pub struct Sum {
    /// How much is there.
    pub bytes: u64,
    /// See [`Look`].
    pub unsettled: usize,
    /// See [`Look`].
    pub filling: usize,
    /// See [`Look`].
    pub failed: usize,
    /// See [`Look`].
    pub gated: usize,
}

impl Sum {
    /// Counts a partition.
    pub fn add(&mut self, look: Look) {
        self.bytes = self.bytes.saturating_add(look.bytes as u64);
        self.unsettled = self.unsettled.saturating_add(look.unsettled.into());
        self.filling = self.filling.saturating_add(look.filling.into());
        self.failed = self.failed.saturating_add(look.failed.into());
        self.gated = self.gated.saturating_add(look.gated.into());
    }

    /// Counts it no more.
    pub fn subtract(&mut self, look: Look) {
        self.bytes = self.bytes.saturating_sub(look.bytes as u64);
        self.unsettled = self.unsettled.saturating_sub(look.unsettled.into());
        self.filling = self.filling.saturating_sub(look.filling.into());
        self.failed = self.failed.saturating_sub(look.failed.into());
        self.gated = self.gated.saturating_sub(look.gated.into());
    }
}

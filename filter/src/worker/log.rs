//! Lines for the operator's log, collected until the host writes them.

/// Bound of lines between two writes; what comes beyond is counted and said so.
const MAX_LINES: usize = 64;

/// How urgent a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For whoever looks for a cause.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is not as it should be; service goes on.
    Warn,
    /// Something was refused or given up.
    Error,
}

/// Lines since the last drain.
#[derive(Debug, Default)]
pub struct Log {
    lines: Vec<(Level, String)>,
    dropped: u64,
}

impl Log {
    /// Adds a line.
    pub fn push(&mut self, level: Level, text: String) {
        if self.lines.len() < MAX_LINES {
            self.lines.push((level, text));
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Adds a line at [`Level::Debug`].
    pub fn debug(&mut self, text: impl Into<String>) {
        self.push(Level::Debug, text.into());
    }

    /// Adds a line at [`Level::Info`].
    pub fn info(&mut self, text: impl Into<String>) {
        self.push(Level::Info, text.into());
    }

    /// Adds a line at [`Level::Warn`].
    pub fn warn(&mut self, text: impl Into<String>) {
        self.push(Level::Warn, text.into());
    }

    /// Adds a line at [`Level::Error`].
    pub fn error(&mut self, text: impl Into<String>) {
        self.push(Level::Error, text.into());
    }

    /// Takes over another's lines.
    pub fn append(&mut self, other: &mut Log) {
        for (level, line) in std::mem::take(&mut other.lines) {
            self.push(level, line);
        }
        self.dropped = self.dropped.saturating_add(std::mem::take(&mut other.dropped));
    }

    /// Takes all lines.
    pub fn drain(&mut self) -> Vec<(Level, String)> {
        let mut lines = std::mem::take(&mut self.lines);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            lines.push((Level::Warn, format!("{dropped} more log lines were left out")));
        }
        lines
    }
}

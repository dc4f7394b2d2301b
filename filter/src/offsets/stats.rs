//! What the admin REST tells of a topic's log: `internalStats`.

use serde::Deserialize;

use crate::error::AdminError;
use crate::ids::Position;
use crate::session::admin::{CallId, Method};
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// The part of `PersistentTopicInternalStats` in use.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InternalStats {
    ledgers: Vec<Ledger>,
    last_confirmed_entry: String,
    properties: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Ledger {
    ledger_id: i64,
    entries: i64,
}

impl InternalStats {
    /// The index of the last entry as of the last change of ledger; `None` where none was ever appended.
    /// Right only for a topic without entries: while a ledger is open the number stands still.
    pub fn last_index(&self) -> Option<u64> {
        self.properties.get("index").and_then(|index| index.parse().ok())
    }

    /// `(ledger, entries)` in order, without empty ones. The open ledger counts up to the last confirmed entry.
    pub fn ledgers(&self) -> Vec<(u64, u64)> {
        let last = self.last_confirmed();
        self.ledgers
            .iter()
            .filter_map(|ledger| {
                let id = u64::try_from(ledger.ledger_id).ok()?;
                let entries = match last {
                    Some(last) if last.ledger == id => last.entry.checked_add(1)?,
                    Some(_) | None => u64::try_from(ledger.entries).ok()?,
                };
                (entries > 0).then_some((id, entries))
            })
            .collect()
    }

    /// The last entry written; `None` for "L:-1", a ledger without entries.
    pub fn last_confirmed(&self) -> Option<Position> {
        let (ledger, entry) = self.last_confirmed_entry.split_once(':')?;
        Some(Position { ledger: ledger.parse().ok()?, entry: entry.parse().ok()? })
    }
}

/// The question, on its way.
#[derive(Debug)]
pub struct AskStats(CallId);

impl AskStats {
    /// Asks for the stats of one partition.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        Self(io.admin.call(Method::Get, topic.admin_path("/internalStats"), None, io.now.instant))
    }

    /// The stats; `None` while they are awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<InternalStats, AdminError>> {
        let body = io.admin.take(self.0)?.and_then(|reply| reply.success());
        Some(body.and_then(|body| {
            serde_json::from_slice(&body).map_err(|_| AdminError::Malformed("internalStats is not as expected"))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_ledger_counts_up_to_the_last_confirmed_entry() {
        let stats: InternalStats = serde_json::from_str(
            r#"{"lastConfirmedEntry":"9:4","properties":{"index":"8"},"cursors":{},
                "ledgers":[{"ledgerId":5,"entries":3},{"ledgerId":7,"entries":0},{"ledgerId":9,"entries":0}]}"#,
        )
        .unwrap();
        assert_eq!(stats.ledgers(), [(5, 3), (9, 5)]);
        assert_eq!(stats.last_index(), Some(8));
    }

    #[test]
    fn a_fresh_topic_has_neither_entries_nor_index() {
        let stats: InternalStats = serde_json::from_str(
            r#"{"lastConfirmedEntry":"5:-1","properties":{"index":"-1"},"ledgers":[{"ledgerId":5}]}"#,
        )
        .unwrap();
        assert_eq!(stats.ledgers(), []);
        assert_eq!(stats.last_confirmed(), None);
        assert_eq!(stats.last_index(), None);
    }
}

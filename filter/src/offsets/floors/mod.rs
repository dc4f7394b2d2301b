//! Log starts that DeleteRecords asked for: floors. Pulsar drops whole ledgers, and later; until then a floor hides what lies below it.
//!
//! A floor only rises. Those of a topic stand in its properties ([`property`]), in such a way that of two changes at once none is
//! lost. What a worker knows of them is in [`known`]; a connection asks for what is wanted ([`questions`]). Whoever opens a reader or
//! tells a log start asks for the topic's floors ([`ask`]), which are believed for a second, counted from when they were asked for.
//! Readers that go on for longer cannot ask for each topic all the time: whoever raises a floor also changes a [`signal`] of the
//! namespace, and that alone is looked at, once a second for each worker, as long as one of its readers is behind. So no record is
//! handed out by what was known longer than a second ago. One connection asks for all of a worker.

pub mod ask;
pub mod asking;
pub mod known;
pub mod property;
pub mod questions;
pub mod raise;
pub mod signal;

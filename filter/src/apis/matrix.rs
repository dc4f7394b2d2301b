//! The tables of `docs/compatibility.md`, made of [`APIS`] and of the table of topic configurations.

use std::fmt::Write;

use super::{APIS, Api};
use crate::topics::configs::table as configs;

/// Between one of these lines of the page and the end stands a table.
const APIS_BEGIN: &str = "<!-- table of APIs: `cargo run -p isthmus --example compatibility` writes it -->\n";
const CONFIGS_BEGIN: &str =
    "<!-- table of topic configurations: `cargo run -p isthmus --example compatibility` writes it -->\n";
const END: &str = "<!-- end of the table -->\n";

/// The page with the tables as they should be; `None` if the place of one is not marked.
pub fn renew(page: &str) -> Option<String> {
    let page = renew_one(page, APIS_BEGIN, &table())?;
    renew_one(&page, CONFIGS_BEGIN, &configs::page())
}

fn renew_one(page: &str, begin: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}\n{table}\n{END}{after}"))
}

fn table() -> String {
    let mut table = String::from("| Key | API | Advertised | Served | Notes |\n|---|---|---|---|---|\n");
    for api in APIS {
        let Api { key, advertised_min, min, max, notes, .. } = api;
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {} | {key:?} | {advertised_min}–{max} | {min}–{max} | {notes} |", *key as i16);
    }
    table
}

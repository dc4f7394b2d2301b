//! The table of `docs/compatibility.md`, made of [`APIS`].

use std::fmt::Write;

use super::{APIS, Api};

/// Between these lines of the page stands the table.
const BEGIN: &str = "<!-- table of APIs: `cargo run -p isthmus --example compatibility` writes it -->\n";
const END: &str = "<!-- end of the table -->\n";

/// The page with the table as it should be; `None` if its place is not marked.
pub fn renew(page: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", table()))
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

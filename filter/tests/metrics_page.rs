//! The page on metrics names every series.
#![cfg(not(target_arch = "wasm32"))]

use isthmus::worker::lag::SERIES;
use isthmus::worker::metrics::definitions;

const PAGE: &str = include_str!("../../docs/metrics.md");

#[test]
fn every_series_has_its_row() {
    for (kind, name) in definitions() {
        let per_api = ["requests", "errors", "latency_us"].iter().find(|prefix| name.contains(&format!(".{prefix}.")));
        let shown = per_api.map_or(name, |prefix| format!("isthmus.{prefix}.API"));
        let row = format!("| `{shown}` | {} |", format!("{kind:?}").to_lowercase());
        assert!(PAGE.contains(&row), "docs/metrics.md has no row that begins with {row}");
    }
}

#[test]
fn every_row_is_a_series() {
    let made_later = SERIES.iter().map(|name| (*name).to_owned());
    let names: Vec<String> = definitions().into_iter().map(|(_, name)| name).chain(made_later).collect();
    for row in PAGE.lines().filter_map(|line| line.strip_prefix("| `")) {
        let shown = row.split('`').next().unwrap().trim_end_matches("API");
        assert!(names.iter().any(|name| name.starts_with(shown)), "{shown} is no series");
    }
}

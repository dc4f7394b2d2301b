//! That the page of what is served tells the truth.
#![cfg(not(target_arch = "wasm32"))]

use isthmus::apis::{APIS, matrix};

const PAGE: &str = include_str!("../../docs/compatibility.md");

#[test]
fn the_page_has_the_table_of_the_apis_that_are_served() {
    let renewed = matrix::renew(PAGE).expect("the page marks where the table stands");
    assert_eq!(PAGE, renewed, "`cargo run -p isthmus --example compatibility` writes docs/compatibility.md anew");
    for api in APIS {
        assert!(PAGE.contains(&format!("| {} | {:?} | ", api.key as i16, api.key)), "{:?}", api.key);
    }
}

#[test]
fn a_page_without_a_place_for_the_table_is_left_alone() {
    assert_eq!(matrix::renew("# Compatibility\n"), None);
}

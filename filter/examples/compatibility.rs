//! Writes the table of APIs into `docs/compatibility.md`: `cargo run -p isthmus --example compatibility`.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
    let renewed = isthmus::apis::matrix::renew(&fs::read_to_string(&page)?);
    fs::write(page, renewed.ok_or_else(|| io::Error::other("the page does not mark where the table stands"))?)
}

//! Where the real module is: named, or built from this source.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The module to run: `ISTHMUS_WASM`, else what `cargo build --release --target wasm32-unknown-unknown` makes of this checkout, now.
pub fn module() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ISTHMUS_WASM") {
        return Ok(path.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("host-tests has no parent folder")?;
    let mut build = Command::new("cargo");
    build.current_dir(root).args(["build", "--release", "--target", "wasm32-unknown-unknown", "--package", "isthmus"]);
    // The host's own flags and wrappers are not the module's.
    build.env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTFLAGS");
    let output = build.output().map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("the module does not build:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => root.join(target),
        None => root.join("target"),
    };
    Ok(target.join("wasm32-unknown-unknown/release/isthmus.wasm"))
}

//! Builds the stages of the folder `plugins` to components and packs them, so that the program is one file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// The stages that are built in, by the names that pipeline files use; each is the package `palimpsest-NAME`.
const BUILT_IN: [&str; 13] = [
    "annotate",
    "cleanup",
    "decontaminate",
    "dedup",
    "extract",
    "fidelity",
    "language",
    "pii",
    "quality",
    "rephrase",
    "score",
    "synthetic",
    "urls",
];
const TARGET: &str = "wasm32-wasip2";
/// Word models shrink by half at this level; the levels above cost ten times as long for a tenth less.
const PACKING: i32 = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for input in ["plugins", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    // A target folder of its own: the outer build holds the lock of the usual one.
    let target = out.ancestors().nth(3).ok_or("OUT_DIR is not where cargo puts it")?.join("plugins");
    build(&root, &target)?;
    let mut table = String::from("pub(super) const BUILT_IN: &[(&str, &[u8])] = &[\n");
    for name in BUILT_IN {
        let component = target.join(TARGET).join("plugin").join(format!("palimpsest_{name}.wasm"));
        let packed = out.join(format!("{name}.wasm.zst"));
        pack(&component, &packed)?;
        table += &format!("    ({name:?}, include_bytes!({packed:?})),\n");
    }
    table += "];\n";
    fs::write(out.join("built_in.rs"), table)?;
    Ok(())
}

fn build(root: &Path, target: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root)
        .args(["build", "--profile", "plugin", "--target", TARGET, "--target-dir"])
        .arg(target);
    for name in BUILT_IN {
        cargo.arg("--package").arg(format!("palimpsest-{name}"));
    }
    // What the outer build says of its own compiler is not meant for guests.
    for name in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS"]
    {
        cargo.env_remove(name);
    }
    // Copies and searches of bytes run five times as fast with the vector instructions that every host has.
    cargo.env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-C target-feature=+simd128");
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!(
            "the built-in stages do not build ({status}); without the target run `rustup target add {TARGET}`"
        )
        .into());
    }
    Ok(())
}

fn pack(component: &Path, packed: &Path) -> io::Result<()> {
    let bytes = fs::read(component)?;
    fs::write(packed, zstd::encode_all(bytes.as_slice(), PACKING)?)
}

//! The README's table is what the example prints.

use std::path::Path;

#[path = "../examples/conformance/table.rs"]
mod table;

#[test]
fn the_readme_shows_what_becomes_of_real_archives() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = std::env::var_os("PALIMPSEST_DATA")
        .map_or_else(|| crate_folder.join("../../../shared/data"), std::path::PathBuf::from);
    let archives = data.join("warc");
    if !archives.is_dir() {
        println!("skipped, there is no {}; PALIMPSEST_DATA names the folder", archives.display());
        return;
    }
    let table = table::table(&archives).unwrap();
    let readme = std::fs::read_to_string(crate_folder.join("README.md")).unwrap();
    for row in table.lines() {
        assert!(readme.lines().any(|line| line == row), "README.md has another row than\n{row}");
    }
    assert!(readme.contains(&table), "README.md has the rows, but not together");
}

//! The import table of `runtime/ARCHITECTURE.md` and other rules of the house, checked on the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::harness::root;

/// A row of the import table: what a module of the library may name.
#[derive(Debug)]
struct Row {
    ours: BTreeSet<String>,
    alone: BTreeSet<String>,
}

fn words(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows under the heading "Who may import whom".
fn table() -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(root().join("runtime/ARCHITECTURE.md")).unwrap();
    let section = text.split("## Who may import whom").nth(1).expect("the section is there");
    let section = section.split("\n## ").next().unwrap();
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 3, "{line}");
        let module = words(cells[0]).pop_first().unwrap();
        rows.insert(module, Row { ours: words(cells[1]), alone: words(cells[2]) });
    }
    rows
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The code of a file: no comments, and nothing from the unit tests at its end on.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The names that follow `prefix` in the code.
fn named(code: &str, prefix: &str) -> BTreeSet<String> {
    let word =
        |rest: &str| rest.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect::<String>();
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            // `use crate::{a, b::c};`
            Some(list) => {
                let (mut depth, mut start) = (0, true);
                for (at, letter) in list.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        _ if start && !letter.is_whitespace() => {
                            names.insert(word(&list[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
            None => {
                names.insert(word(rest));
            }
        }
    }
    names
}

fn module_of(path: &Path, src: &Path) -> String {
    let first = path.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn modules_name_only_what_the_table_allows() {
    let src = root().join("runtime/host/src");
    let table = table();
    let mut broken = Vec::new();
    for path in sources(&src) {
        let module = module_of(&path, &src);
        if module == "lib" || path.ends_with("tests.rs") || path.to_string_lossy().contains("/tests/") {
            continue;
        }
        let Some(row) = table.get(&module) else {
            broken.push(format!("{module} has no row"));
            continue;
        };
        let code = code(&path);
        for name in named(&code, "crate::") {
            // Names of items at the crate's root do not exist: what follows is a module.
            if name != module && !row.ours.contains(&name) {
                broken.push(format!("{}: `{module}` names `{name}`", path.display()));
            }
        }
        for (other, row) in &table {
            for krate in row.alone.iter().filter(|_| *other != module) {
                if code.contains(&format!("{krate}::")) {
                    broken.push(format!("{}: only `{other}` names `{krate}`", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_table_speaks_of_modules_that_are_there() {
    let src = root().join("runtime/host/src");
    for module in table().keys() {
        assert!(src.join(format!("{module}.rs")).is_file(), "{module}");
    }
}

#[test]
fn the_reader_of_archives_cannot_name_its_users() {
    let manifest = std::fs::read_to_string(root().join("runtime/warc/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names: Vec<_> =
        dependencies.lines().filter_map(|line| line.split('.').next()).filter(|it| !it.is_empty()).collect();
    assert_eq!(names, ["bzip2", "flate2", "libdeflate-sys", "sha1", "sha2", "thiserror", "warc", "zstd"]);
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut silent = Vec::new();
    for folder in ["runtime", "plugins", "tests"] {
        for path in sources(&root().join(folder)) {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(path.file_name().unwrap() != "mod.rs", "{}", path.display());
            if !text.starts_with("//!") && !path.ends_with("tests.rs") {
                silent.push(path);
            }
        }
    }
    assert!(silent.is_empty(), "{silent:?}");
}

//! What the documents show is what the program accepts.

use std::path::Path;

use palimpsest::config::check::{Known, check};
use palimpsest::stages;

use crate::harness::root;

/// The code blocks of a document in this language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

#[track_caller]
fn accepted(name: &str, text: &str) {
    let known = Known {
        built_in: &stages::built_in(),
        embedded: &["smollm2-135m-instruct"],
        env: &|_| Some("set".to_owned()),
        read_key_file: &|_| Ok("a key".to_owned()),
        is_storage_setting: &palimpsest::store::is_setting,
        cores: 2,
    };
    if let Err(complaints) = check(text, Path::new(name), &known) {
        panic!("{complaints}");
    }
}

#[test]
fn the_pipelines_of_the_readme_are_accepted() {
    let pipelines: Vec<_> =
        blocks("README.md", "toml").into_iter().filter(|it| it.contains("[sink]")).collect();
    assert!(!pipelines.is_empty());
    for pipeline in pipelines {
        accepted("README.md", &pipeline);
    }
}

#[test]
fn every_pipeline_of_the_folder_is_accepted() {
    let mut found = 0;
    for entry in std::fs::read_dir(root().join("pipelines")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "toml") {
            accepted(&path.to_string_lossy(), &std::fs::read_to_string(&path).unwrap());
            found += 1;
        }
    }
    assert!(0 < found);
}

#[test]
fn the_readme_names_every_verb() {
    let help = crate::harness::palimpsest().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let verbs = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .lines()
        .map(str::trim)
        .take_while(|it| !it.starts_with("Options"));
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for verb in verbs.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help") {
        assert!(readme.contains(&format!("`palimpsest {verb} ")), "the README says nothing of `{verb}`");
    }
}

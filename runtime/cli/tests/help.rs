//! The help, from the program itself. That this package has a test is also why `cargo test --workspace` builds the program,
//! which the tests of the folder `tests` run.

use std::process::Command;

#[test]
fn the_help_names_every_verb_and_the_exit_codes() {
    let help = Command::new(env!("CARGO_BIN_EXE_palimpsest")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for word in ["run", "check", "records", "apply", "fetch", "130 interrupted"] {
        assert!(
            help.split_whitespace().collect::<Vec<_>>().join(" ").contains(word),
            "no {word} in:\n{help}"
        );
    }
}

#[test]
fn a_wrong_command_ends_with_two() {
    let wrong = Command::new(env!("CARGO_BIN_EXE_palimpsest")).arg("runn").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("run"));
}

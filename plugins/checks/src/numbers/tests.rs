use super::*;

#[track_caller]
fn check(source: &str, rewrite: &str, holds: bool) {
    assert_eq!(of(source).hold(rewrite), holds, "{source:?} -> {rewrite:?}");
}

#[test]
fn one_number_in_many_spellings() {
    for (source, rewrite) in [
        ("1,000 people", "1000 people"),
        ("1.000 Leute", "1000 Leute"),
        ("1 000 gens", "1000 gens"),
        ("1\u{202f}000 gens", "1,000 gens"),
        ("1'000 Leute", "1000 Leute"),
        ("4,200,000", "4.2 million"),
        ("$5m", "5 million dollars"),
        ("5 million", "5,000,000"),
        ("1.50 euros", "1.5 euros"),
        ("1,5 Liter", "1.5 litres"),
        ("1,234.56", "1234.56"),
        ("1.234,56", "1,234.56"),
        ("three mice", "3 mice"),
        ("the second time", "the 2nd time"),
        ("in the 1990s", "from 1990 on"),
        ("２０２０年", "2020"),
        ("007", "7"),
        ("on 2020-10-05", "2020, 10 and 05"),
        ("version 1.2.3", "1.2.3"),
        ("192.168.0.1", "the address 192.168.0.1."),
        ("two thousand men", "2,000 men"),
        ("four million", "4 million or 4,000,000"),
        ("twenty-five of two hundred thousand", "25 of 200,000"),
        ("a hundred", "100"),
        ("ninety and nine", "90 and 9"),
        ("no number", "none here either"),
        ("three points", "1. one\n2. two\n3) three"),
    ] {
        check(source, rewrite, true);
    }
}

#[test]
fn another_number_is_another_number() {
    for (source, rewrite) in [
        ("1,000 people", "10,000 people"),
        ("5 people", "5 million people"),
        ("in 1932", "in 1923"),
        ("1.5 litres", "15 litres"),
        ("version 1.2.3", "version 1.2.4"),
        ("a few", "12"),
        ("12 and 34", "1234"),
        ("3.14", "3.15"),
        ("three", "4"),
        ("two thousand", "2"),
        ("twenty-five", "20"),
        ("a house", "1"),
        ("seven million", "7 billion"),
        ("160,000", "160"),
    ] {
        check(source, rewrite, false);
    }
}

#[test]
fn numbers_have_places_and_kinds() {
    let found = |text: &str| -> Vec<(String, Written)> {
        find(text)
            .into_iter()
            .map(|number| (text.get(number.start..number.end).unwrap().to_owned(), number.written))
            .collect()
    };
    let check = |text: &str, expected: &[(&str, Written)]| {
        let found = found(text);
        let found: Vec<(&str, Written)> =
            found.iter().map(|(text, written)| (text.as_str(), *written)).collect();
        assert_eq!(found, expected, "{text}");
    };
    check(
        "on 12 July 2013",
        &[("12", Written::Figures), ("July", Written::Month), ("2013", Written::Figures)],
    );
    check(
        "some 4.2 million of two hundred thousand",
        &[("4.2 million", Written::Figures), ("two hundred thousand", Written::Words)],
    );
    check(
        "1. The 2nd one\n  2) half",
        &[("2nd", Written::Figures), ("one", Written::Loose), ("half", Written::Loose)],
    );
    check("we may go", &[]);
    check("B2B and R2D2", &[("2B", Written::Figures), ("2", Written::Figures), ("2", Written::Figures)]);
}

#[test]
fn hostile_texts_cost_little() {
    for text in
        ["1".repeat(1 << 18), "1,".repeat(1 << 17), "million ".repeat(1 << 15), "a hundred ".repeat(1 << 14)]
    {
        assert!(find(&text).len() <= text.len());
    }
}

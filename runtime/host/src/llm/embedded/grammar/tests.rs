use super::*;

/// What a text is to a grammar.
#[derive(Debug, PartialEq)]
enum Is {
    Whole,
    Beginning,
    Wrong,
}
use Is::{Beginning, Whole, Wrong};

/// Fed whole and byte by byte, the text must be the same thing.
#[track_caller]
fn check(gbnf: &str, text: &str, expected: Is) {
    let judge = |pieces: Vec<&[u8]>| {
        let mut matcher = matcher(gbnf);
        let taken = pieces.into_iter().all(|piece| matcher.accept(piece).unwrap());
        match (taken, matcher.may_end()) {
            (false, _) => Wrong,
            (true, true) => Whole,
            (true, false) => Beginning,
        }
    };
    assert_eq!(judge(vec![text.as_bytes()]), expected);
    assert_eq!(judge(text.as_bytes().chunks(1).collect()), expected);
}

#[track_caller]
fn matcher(gbnf: &str) -> Matcher {
    Matcher::new(Grammar::parse(gbnf).unwrap()).unwrap()
}

#[track_caller]
fn check_refused(gbnf: &str, expected: GrammarError) {
    let error = match Grammar::parse(gbnf) {
        Ok(grammar) => Matcher::new(grammar).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error, expected);
}

#[test]
fn literals_and_alternatives() {
    check(r#"root ::= "yes" | "no""#, "yes", Whole);
    check(r#"root ::= "yes" | "no""#, "ye", Beginning);
    check(r#"root ::= "yes" | "no""#, "nope", Wrong);
    check("root ::= \"\\\"\\n\\x41\\u00e9\\U0001F600\\\\\"", "\"\nAé😀\\", Whole);
    check(r#"root ::= "a" |"#, "", Whole);
}

#[test]
fn classes() {
    check("root ::= [a-cx-]", "b", Whole);
    check("root ::= [a-cx-]", "-", Whole);
    check("root ::= [a-cx-]", "d", Wrong);
    check(r"root ::= [^\x00-\x1F\]]", "\u{1F}", Wrong);
    check(r"root ::= [^\x00-\x1F\]]", "]", Wrong);
    check(r"root ::= [^\x00-\x1F\]]", "é", Whole);
    check("root ::= [à-ü]", "é", Whole);
    check("root ::= .", "😀", Whole);
    check("root ::= []", "a", Wrong);
    check("root ::= [z-a]", "m", Wrong);
}

#[test]
fn repetitions() {
    check(r#"root ::= "a"*"#, "", Whole);
    check(r#"root ::= "a"+"#, "", Beginning);
    check(r#"root ::= "a"+"#, "aaa", Whole);
    check(r#"root ::= "a"?"#, "aa", Wrong);
    check(r#"root ::= "ab"{2}"#, "abab", Whole);
    check(r#"root ::= "a"{2,}"#, "a", Beginning);
    check(r#"root ::= "a"{2,}"#, "aaaa", Whole);
    check(r#"root ::= "a"{1,3}"#, "aaaa", Wrong);
    check(r#"root ::= "a"{0,0} "b""#, "b", Whole);
    check(r#"root ::= ("a" | "b"){2} "c""#, "bac", Whole);
    check(r#"root ::= "a"?*"#, "aaa", Whole);
}

#[test]
fn layout() {
    check("# a program\nroot ::= line+ # all of it\n\nline ::= \"a\" # one\n  \nx ::= \"x\"", "aa", Whole);
    check("root ::=\n  \"a\" |\n  \"b\"\r\n", "b", Whole);
    check("root ::= (\n \"a\"\n \"b\" )", "ab", Whole);
}

#[test]
fn rules_may_contain_themselves() {
    let gbnf = r#"root ::= "(" root ")" | "x""#;
    check(gbnf, "((x))", Whole);
    check(gbnf, "((x)", Beginning);
    check(gbnf, "(x))", Wrong);
    let deep = "(".repeat(20_000);
    check(gbnf, &deep, Beginning);
}

#[test]
fn bytes_that_are_no_character_are_wrong() {
    for bytes in
        [&b"\xFF"[..], b"\x80", b"\xC0\x80", b"\xE0\x80\x80", b"\xED\xA0\x80", b"\xC3a", b"\xF4\x90\x80\x80"]
    {
        let mut matcher = matcher("root ::= .*");
        assert!(!matcher.accept(bytes).unwrap(), "{bytes:?}");
        assert!(matcher.accept(b"a").unwrap(), "a refused piece leaves nothing behind");
    }
}

#[test]
fn half_a_character_needs_its_other_half() {
    let mut matcher = matcher("root ::= [é]*");
    assert!(matcher.accept(b"\xC3").unwrap());
    assert!(!matcher.may_end());
    assert!(!matcher.accept(b"\xA8").unwrap(), "this would be è");
    assert!(matcher.accept(b"\xA9").unwrap());
    assert!(matcher.may_end());
}

#[test]
fn a_vocabulary_is_sifted() {
    let mut words = ["", "a", "ab", "abc", "abd", "b", "ba", "c", "\u{e9}"];
    words.sort_unstable();
    #[track_caller]
    fn sift(gbnf: &str, before: &str, words: &[&str], expected: &[&str]) {
        let mut sifter = matcher(gbnf);
        assert!(sifter.accept(before.as_bytes()).unwrap());
        let pieces = (0..).zip(words.iter().map(|word| word.as_bytes()));
        let allowed = sifter.allowed(pieces).unwrap();
        let allowed: Vec<&str> = allowed.into_iter().map(|id| words[id as usize]).collect();
        assert_eq!(allowed, expected);
        // Each by itself must say the same.
        let fresh = |word: &&&str| {
            let mut matcher = matcher(gbnf);
            !word.is_empty() && matcher.accept(format!("{before}{word}").as_bytes()).unwrap()
        };
        assert_eq!(words.iter().filter(fresh).copied().collect::<Vec<_>>(), expected);
    }
    sift(r#"root ::= "abd" | "c""#, "", &words, &["a", "ab", "abd", "c"]);
    sift(r#"root ::= "b" "ab"* "c""#, "b", &words, &["a", "ab", "abc", "c"]);
    sift("root ::= [^a]*", "", &words, &["b", "c", "é"]);
    sift(r#"root ::= "z""#, "z", &words, &[]);
}

#[test]
fn faults_are_named() {
    check_refused("root ::= \"a", GrammarError::Syntax { at: 11, expected: "a character, `\"` or `]`" });
    check_refused("root = \"a\"", GrammarError::Syntax { at: 5, expected: "`::=`" });
    check_refused("root ::= (\"a\"", GrammarError::Syntax { at: 13, expected: "`)`" });
    check_refused("root ::= *", GrammarError::Syntax { at: 9, expected: "something to repeat" });
    check_refused("root ::= \"\\q\"", GrammarError::Syntax { at: 12, expected: "an escape before this" });
    check_refused("root ::= \"a\"{x}", GrammarError::Syntax { at: 13, expected: "a number" });
    check_refused("root ::= <tool>", GrammarError::Syntax { at: 9, expected: "the end of a line" });
    check_refused("{\"type\":1}", GrammarError::Syntax { at: 0, expected: "the name of a rule" });
    check_refused("root ::= other", GrammarError::Undefined("other".to_owned()));
    check_refused("", GrammarError::Undefined("root".to_owned()));
    check_refused("root ::= root", GrammarError::Nothing);
}

#[test]
fn no_grammar_takes_long() {
    check_refused(&format!("root ::= {}", "(".repeat(100_000)), GrammarError::TooDeep(100));
    check_refused("root ::= \"a\"{50001}", GrammarError::TooLarge(50_000));
    check_refused("root ::= \"abc\"{300}{300}", GrammarError::TooLarge(50_000));
    check_refused("root ::= \"a\"{99999999999999999999}", GrammarError::TooLarge(50_000));
    check_refused("root ::= root \"a\" | \"b\"", GrammarError::TooAmbiguous);
    // Each rule doubles the ways to the next one.
    let mut doubling = "root ::= r0 \"x\" | r0 \"y\"\n".to_owned();
    for rule in 0..40 {
        doubling += &format!("r{rule} ::= r{} \"x\" | r{} \"y\"\n", rule + 1, rule + 1);
    }
    doubling += "r40 ::= \"a\"";
    check_refused(&doubling, GrammarError::TooAmbiguous);
}

#[test]
fn ambiguity_that_grows_with_the_reply_ends_it() {
    let mut matcher = matcher("root ::= \"a\" root \"x\" | \"a\" root \"y\" | \"b\"");
    let longest = std::iter::repeat_n(b'a', 1000).collect::<Vec<_>>();
    assert_eq!(matcher.accept(&longest), Err(GrammarError::TooAmbiguous));
}

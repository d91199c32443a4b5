use super::*;
use crate::document::{Column, Field, Kind};

/// A document about which a condition can say something in each kind.
fn document() -> Document {
    let fields = [
        ("language", Value::Text("de".to_owned())),
        ("title", Value::Text("\"Größe\" isn't all".to_owned())),
        ("bucket", Value::Integer(12)),
        ("quality", Value::Number(2.5)),
        ("clean", Value::Flag(true)),
        ("tags", Value::Texts(vec!["news".to_owned(), "sport".to_owned()])),
        ("none", Value::Texts(Vec::new())),
        ("zero", Value::Integer(0)),
        ("most", Value::Integer(i64::MAX)),
        ("url", Value::Text("hidden by the document's own".to_owned())),
        ("type", Value::Text("article".to_owned())),
    ];
    Document {
        id: "<urn:uuid:1>".to_owned(),
        url: "https://example.com/a?b=c".to_owned(),
        date: "2026-10-01T00:00:00Z".to_owned(),
        text: "Übung macht den Meister".to_owned(),
        fields: fields.map(|(name, value)| Field { name: name.to_owned(), value }).to_vec(),
        span: None,
        replies: Vec::new(),
    }
}

fn columns() -> Vec<Column> {
    let kinds = [
        ("language", Kind::Text),
        ("bucket", Kind::Integer),
        ("quality", Kind::Number),
        ("clean", Kind::Flag),
        ("tags", Kind::Texts),
    ];
    kinds.map(|(name, kind)| Column { name: name.to_owned(), kind }).to_vec()
}

#[track_caller]
fn check(text: &str, holds: bool) {
    let condition = Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(condition.holds(&document()), Ok(holds), "{text}");
}

/// The beginning of the complaint, and what it points at.
#[track_caller]
fn refuses(text: &str, complaint: &str, at: &str) {
    let error = Condition::parse(text).expect_err(text);
    assert!(error.to_string().starts_with(complaint), "{text}: {error}");
    let place = error.at().unwrap_or(0..0);
    assert_eq!(text.get(place), Some(at), "{text}: {error}");
}

#[track_caller]
fn undecided(text: &str, reason: &str, says: &str) {
    let condition = Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let undecided = condition.holds(&document()).expect_err(text);
    assert_eq!((undecided.reason(), undecided.to_string().as_str()), (reason, says), "{text}");
}

#[track_caller]
fn fits(text: &str, complaint: Option<&str>) {
    let condition = Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let error = condition.check(&columns()).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), complaint, "{text}");
}

#[test]
fn fields_are_compared_and_joined() {
    check("language == 'de' && bucket > 11", true);
    check("language == 'de' && bucket <= 11", false);
    check("language != 'de' || clean", true);
    check("!clean", false);
    check("language in ['en', 'de']", true);
    check("bucket >= 12 && bucket <= 12 && !(bucket < 12)", true);
    check("bucket % 5 == 2 && bucket - 2 == 10 && -bucket < 0 && bucket * 2 / 3 == 8", true);
    check("clean ? quality > 2.0 : quality > 3.0", true);
    check("language == 'de' // the rest is a remark", true);
    check("true", true);
}

#[test]
fn numbers_compare_by_value_whatever_their_kinds() {
    check("quality < 3", true);
    check("quality > 2 && quality >= 2.5 && 2 < quality", true);
    check("bucket == 12.0 && bucket < 12.5 && bucket in [12.0]", true);
    check("quality == 2", false);
    check("double(bucket) * 0.5 == 6.0", true);
    check("int(quality) == 2", true);
    check("most == 9223372036854775807 && most > 1e18", true);
}

#[test]
fn the_document_s_own_four_come_before_fields() {
    check("url.startsWith('https://') && url.endsWith('b=c')", true);
    check("id == '<urn:uuid:1>' && date < '2027-01-01'", true);
    check("size(text) == 23 && text.contains('macht')", true);
    check("type == 'article'", true);
}

#[test]
fn texts_may_hold_anything() {
    check(r#"title == "\"Größe\" isn't all""#, true);
    check(r"title.contains('\u00f6') && title.contains('n\'t')", true);
    check("title.contains('\"Größe\"')", true);
    check(r#"title.contains(r"\")"#, false);
    check("title == '''\"Größe\" isn't all'''", true);
    check("size(title) == 17", true);
}

#[test]
fn lists_are_gone_over() {
    check("'sport' in tags && !('war' in tags)", true);
    check("size(tags) == 2 && tags.size() == 2 && tags[0] == 'news'", true);
    check("tags.exists(tag, tag.startsWith('sp'))", true);
    check("tags.all(tag, size(tag) > 4)", false);
    check("tags.exists_one(tag, tag == 'news')", true);
    check("size(tags.filter(tag, tag != 'news')) == 1", true);
    check("tags.map(tag, size(tag)) == [4, 5]", true);
    check("none.all(tag, tag == 'x') && !none.exists(tag, true)", true);
    check("tags.exists(language, language == 'news')", true);
}

#[test]
fn patterns_match_anywhere_in_linear_time() {
    check(r"url.matches('^https://[a-z.]+/') && matches(language, '^d')", true);
    check(r"text.matches(r'\bmacht\b') && text.matches('(?i)^übung')", true);
    check("tags.exists(tag, tag.matches('^s.*t$'))", true);
    let mut document = document();
    document.text = "a".repeat(1 << 20);
    let condition = Condition::parse("text.matches('(a*)*(a|aa)*b')").unwrap();
    assert_eq!(condition.holds(&document), Ok(false));
}

#[test]
fn a_field_that_is_not_there_is_null() {
    check("mood == 'glad'", false);
    check("mood != 'glad'", true);
    check("mood == null && language != null", true);
    check("mood in ['glad', 'sad']", false);
    check("mood", false);
}

#[test]
fn what_cannot_be_computed_of_null_does_not_hold() {
    for unknown in [
        "mood < 3",
        "3 > mood",
        "mood + 1 > 0",
        "1.5 * mood > 0.0",
        "-mood < 0",
        "size(mood) > 0",
        "mood.size() > 0",
        "mood.startsWith('g')",
        "mood.contains('g')",
        "language.contains(mood)",
        "mood.matches('g')",
        "int(mood) == 3",
        "mood[0] == 'g'",
        "tags[mood] == 'g'",
        "'g' in mood",
        "mood.exists(it, it == 'g')",
        "mood.all(it, it == 'g')",
        "size(mood.map(it, it)) == 0",
        "mood ? true : true",
    ] {
        check(unknown, false);
        check(&format!("!({unknown})"), false);
        check(&format!("({unknown}) || language == 'de'"), true);
        check(&format!("clean && ({unknown})"), false);
        check(&format!("mood != null && ({unknown})"), false);
    }
    check("mood && clean", false);
    check("mood || clean", true);
    check("clean || mood", true);
    check("!mood", false);
}

#[test]
fn names_are_those_of_fields_in_their_order() {
    let names = |text| {
        let condition = Condition::parse(text).unwrap();
        condition.names().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names("b < 1 && a > 2 && b != 7"), ["b", "a"]);
    assert_eq!(names("tags.exists(tag, tag == 'a') && size(text) > 3"), ["tags", "text"]);
    assert_eq!(names("url.matches('^h') && matches(.mood, 'x')"), ["url", "mood"]);
    assert_eq!(names("true"), [""; 0]);
    assert_eq!(Condition::parse(" true ").unwrap().text(), " true ");
}

#[test]
fn a_text_that_is_no_condition_is_complained_about() {
    refuses("", "the condition ends too early", "");
    refuses("language ==", "the condition ends too early", "");
    refuses("language = 'de'", "`=` is no operator; `==` compares", "=");
    refuses("'größer' == language and clean", "mismatched input 'and'", "a");
    refuses("title == 'größer' &&\n größer", "'ö' cannot be read", "ö");
    refuses("title == 'größer' && if == 1", "reserved identifier: if", "if");
    refuses("title == 'größer", "''größer' cannot be read", "'");
    refuses("has(language)", "`has` takes no field; whether a document has one asks `field != null`", "l");
    refuses("bucket == 9223372036854775808", "invalid int literal", "9223372036854775808");
    refuses("quality == 1e999", "invalid double literal", "1e999");
    refuses("language.?a", "unsupported syntax '.?'", ".");
}

#[test]
fn what_conditions_have_no_use_for_is_refused() {
    refuses("capture.status == 200", "a field has no members", ".");
    refuses("has(capture.status)", "a field has no members", "(");
    refuses("{'a': 1}['a'] == 1", "conditions have no maps and no messages", "{");
    refuses("Document{} == null", "conditions have no maps and no messages", "{");
    refuses("timestamp(date) > language", "there is no `timestamp` of that form", "timestamp");
    refuses("language .startsWith ('a', 'b')", "there is no `startsWith` of that form", "startsWith");
    refuses("tags.exists(tag)", "there is no `exists` of that form", "exists");
    refuses("optional.of(1) == 1", "there is no `of` of that form", "of");
    refuses("type(language) == string", "there is no `type` of that form", "type");
    refuses("language.matches(title)", "a pattern is written out", "title");
    refuses("language.matches('(')", "the pattern at byte 17 cannot be compiled", "'('");
    refuses(
        r"text.matches('(\\w{100}){100}')",
        "the pattern at byte 13 cannot be compiled",
        r"'(\\w{100}){100}'",
    );
}

#[test]
fn the_work_for_one_document_is_linear_in_it() {
    refuses("tags.all(a, tags.all(b, a == b))", "one list cannot be gone over within another", "(");
    refuses("tags.all(a, [a].exists(b, a == b))", "one list cannot be gone over within another", "(");
    refuses(
        "tags.all(a, text.contains(a))",
        "`text` cannot be read for each element of a list, only `a`",
        "text",
    );
    refuses("tags.all(a, .a == a)", "`.a` cannot be read for each element of a list", "a");
    refuses("tags.map(a, a + a) == tags", "a condition has at most 8 sums", "+");
    refuses(
        "size(text+text+text+text+text+text+text+text+text+text) > 1",
        "a condition has at most 8 sums",
        "+",
    );
    check("tags.filter(a, a != 'x').all(b, size(b) > 3)", true);
    check("1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 == 9", true);
}

#[test]
fn kinds_that_do_not_fit_are_complained_about_before_any_document() {
    refuses("url < 3", "`<` does not take text and integer", "<");
    refuses("false && url < 3", "`<` does not take text and integer", "<");
    refuses("mood ? url < 3 : false", "`<` does not take text and integer", "<");
    refuses("url == 3", "a text is never equal to an integer", "==");
    refuses("size(text)", "the condition is an integer, neither true nor false", "size(text)");
    refuses("clean || size(text)", "`||` takes true or false, not an integer", "||");
    refuses("!text", "`!` takes true or false, not a text", "!");
    refuses("text ? true : false", "`?` takes true or false, not a text", "?");
    refuses("'a' in url", "`in` does not take text and text", "in");
    refuses("url.all(letter, letter == 'a')", "a text stands where a list is taken", "(");
    refuses("size(text) + 0.5 > 1.0", "`+` does not take integer and number", "+");
    refuses("size(1) == 1", "`size` does not take integer", "(");
}

#[test]
fn kinds_of_columns_are_those_that_their_stages_declare() {
    fits("language == 'de' && quality < 3 && bucket < 2.5 && clean && 'a' in tags && size(text) > 3", None);
    fits("unheard_of < 3 && unheard_of == 'x'", None);
    fits("bucket / (bucket - 1) > 2 && tags[7] == 'x' && int(title) == 4", None);
    fits("language < 3", Some("`<` does not take text and integer, at byte 9"));
    fits("language == 'de' && bucket == '3'", Some("an integer is never equal to a text, at byte 27"));
    fits("quality * 100 > 50", Some("`*` does not take number and integer, at byte 8"));
    fits("quality", Some("the condition is a number, neither true nor false, at byte 0"));
    fits("tags == 'news'", Some("a list is never equal to a text, at byte 5"));
    fits("tags.exists(tag, tag < 3)", Some("`<` does not take text and integer, at byte 11"));
}

#[test]
fn what_stands_in_the_fields_may_leave_a_condition_undecided() {
    let failed = |text, says: &str| {
        undecided(text, "condition_failed", &format!("the condition cannot be computed: {says}"));
    };
    failed("bucket / zero == 1", "it divides by zero");
    failed("bucket % zero == 1", "it divides by zero");
    failed("most + 1 > 0", "`+` overflows");
    failed("most * most > 0", "`*` overflows");
    failed("-(-most - 1) > 0", "`-` overflows");
    failed("tags[2] == 'news'", "Index out of bounds: Int(2)");
    failed("tags[-1] == 'news'", "Index out of bounds: Int(-1)");
    failed("language < 3", "`<` does not take text and integer");
    undecided("quality", "condition_no_truth_value", "the condition is a number, neither true nor false");
    check("zero != 0 && bucket / zero == 1", false);
}

#[test]
fn an_error_does_not_quote_the_whole_document() {
    let mut document = document();
    document.text = "ü".repeat(1 << 20);
    let condition = Condition::parse("int(text) == 3").unwrap();
    let undecided = condition.holds(&document).unwrap_err();
    assert!(undecided.to_string().len() < 300, "{undecided}");
}

#[test]
fn hostile_expressions_cost_an_error_and_no_stack() {
    let too_long = ConditionError::TooLong(200_001);
    assert_eq!(
        Condition::parse(&format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000))).err(),
        Some(too_long)
    );
    let fill = |part: &str, end: &str| format!("{}{end}", part.repeat((MAX_BYTES - end.len()) / part.len()));
    for deep in [
        fill("(", ""),
        fill("[", ""),
        fill("{1:", ""),
        fill("size(", ""),
        fill("a?b:", "a"),
        fill("a?", ""),
        fill("!(", "a"),
        fill("-a+", "a"),
        fill("a.all(x,", ""),
        fill("([{!-a?", ""),
        fill("a-", "a"),
        fill("a<", "a"),
        fill("a.b.", "c"),
        fill("'\\", ""),
        fill("@", ""),
        fill("9", ""),
        fill("ü", ""),
        fill("\0", ""),
        format!("a{}", "[0]".repeat(1_300)),
        format!("a{}", ".filter(x,x)".repeat(300)),
        format!("{}1{}", "(".repeat(40), ")".repeat(40)),
    ] {
        let start: String = deep.chars().take(20).collect();
        let error = Condition::parse(&deep).expect_err(&start);
        assert!(error.to_string().len() < 400, "{start}: {error}");
    }
    assert_eq!(Condition::parse(&format!("{}1", "(".repeat(40))).err(), Some(ConditionError::TooDeep));
}

#[test]
fn what_is_long_but_not_deep_is_a_condition() {
    check(&format!("language in [{} 'de']", "'xx', ".repeat(600)), true);
    check(&format!("{} language == 'de'", "language == 'xx' || ".repeat(180)), true);
    check(&format!("{}clean", "!".repeat(4000)), true);
    check(&format!("{}clean{}", "(".repeat(30), ")".repeat(30)), true);
    check(&format!("bucket{} == 12", " - 0".repeat(30)), true);
}

#[test]
fn a_worker_s_stack_is_enough_to_evaluate() {
    let texts = [format!("bucket{} == 12", " - 0".repeat(30)), format!("{}clean", "!!".repeat(1000))];
    for text in texts {
        let condition = Condition::parse(&text).unwrap();
        let thread = thread::Builder::new().stack_size(2 << 20).spawn(move || condition.holds(&document()));
        assert_eq!(thread.unwrap().join().unwrap(), Ok(true));
    }
}

#[test]
fn workers_share_a_condition() {
    fn shared<T: Send + Sync + Clone + fmt::Debug>(_: &T) {}
    let condition = Condition::parse("language == 'de'").unwrap();
    shared(&condition);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(condition.holds(&document()), Ok(true)));
        }
    });
}

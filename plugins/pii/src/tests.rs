use palimpsest_plugin::testing::{self, Verdict, document};

use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    let stage = Pii::configure(Settings::default()).unwrap();
    let Ok(Verdict::Emit(drafts)) = testing::run(&stage, &document(text), &[]) else { panic!("keeps") };
    assert_eq!(drafts[0].text.as_deref().unwrap_or(text), expected);
    assert_eq!(drafts[0].fields.len(), stage.columns().len());
}

#[test]
fn what_is_found_is_replaced() {
    check("Nothing to see here.", "Nothing to see here.");
    check(
        "Mail jane.doe@corp.de, or ring (212) 736-5000!",
        "Mail someone@example.com, or ring 202-555-0100!",
    );
    check("from 93.184.216.34 to é", "from 192.0.2.1 to é");
    check("Pay 4111 1111 1111 1111 now", "Pay 0000 0000 0000 0000 now");
    check("IBAN: DE89 3704 0044 0532 0130 00.", "IBAN: XX00 0000 0000 0000.");
}

#[test]
fn what_is_put_in_is_found_again_as_no_card_ip_or_account() {
    let replace = Replace::default();
    for text in [&replace.ip, &replace.card, &replace.iban] {
        check(text, text);
    }
}

#[test]
fn kinds_are_chosen() {
    let stage = Pii::configure(Settings { kinds: vec![Kind::Ip], ..Settings::default() }).unwrap();
    let Ok(Verdict::Emit(drafts)) = testing::run(&stage, &document("a@b.org 93.184.216.34"), &[]) else {
        panic!()
    };
    assert_eq!(drafts[0].text.as_deref(), Some("a@b.org 192.0.2.1"));
    assert_eq!(drafts[0].fields.len(), 1);
    let none = Pii::configure(Settings { kinds: Vec::new(), ..Settings::default() });
    assert!(none.unwrap_err().starts_with("kinds"));
}

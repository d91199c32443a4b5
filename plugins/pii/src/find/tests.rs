use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use super::*;

const ALL: [Kind; 5] = [Kind::Email, Kind::Ip, Kind::Phone, Kind::Card, Kind::Iban];

const MAX_BYTES: u64 = 64 << 20;

/// What is found, as text.
#[track_caller]
fn check(text: &str, expected: &[(Kind, &str)]) {
    let found = find(text, &ALL, true);
    let found: Vec<(Kind, &str)> =
        found.into_iter().map(|found| (found.kind, text.get(found.span).unwrap())).collect();
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn emails_are_found() {
    for (text, email) in [
        ("a@b.co", "a@b.co"),
        ("<first.last+tag@mail.example.org>", "first.last+tag@mail.example.org"),
        ("mailto:x_y@z.museum.", "x_y@z.museum"),
        ("'quoted@host.net'", "quoted@host.net"),
        ("wait...me@host.net...", "me@host.net"),
        ("é me@host.net é", "me@host.net"),
    ] {
        check(text, &[(Kind::Email, email)]);
    }
    for text in [
        "@user",
        "user@",
        "a@b",
        "icon@2x.png",
        "a @ b.com",
        "@media (min-width: 1px)",
        ".@b.com",
        "a@-b.com",
        "x@y..com",
    ] {
        check(text, &[]);
    }
}

#[test]
fn public_ips_are_found() {
    check("at 8.8.4.114:80, or", &[(Kind::Ip, "8.8.4.114")]);
    check("2a00:1450:4001:81b::200e is", &[(Kind::Ip, "2a00:1450:4001:81b::200e")]);
    for text in [
        "10.0.0.12",
        "192.168.1.20",
        "127.0.0.1",
        "198.51.100.23",
        "2001:db8::1",
        "1.2.3.4",
        "version 10.15.7.12",
        "v10.15.7.12",
        "12.34.56.78.90",
        "256.11.22.33",
        "12:30:45",
        "std::vec::Vec",
        "a::b",
        "5.10.15-rc1.20",
    ] {
        check(text, &[]);
    }
}

#[test]
fn phones_are_found() {
    for (text, phone) in [
        ("+49 30 901820", "+49 30 901820"),
        ("(+44) 20 7946 0958", "(+44) 20 7946 0958"),
        ("tel: 030/901820", "030/901820"),
        ("Call 212-736-5000.", "212-736-5000"),
        ("(212) 736-5000", "(212) 736-5000"),
        ("1-800-356-9377", "1-800-356-9377"),
        ("212-736-5000x123", "212-736-5000x123"),
        ("+1 (212) 736-5000x01234", "+1 (212) 736-5000x01234"),
        ("01 42 68 53 00", "01 42 68 53 00"),
        ("(020) 7946 0958", "(020) 7946 0958"),
        ("0049 30 901820", "0049 30 901820"),
        ("電話 03-3211-1111", "03-3211-1111"),
    ] {
        check(text, &[(Kind::Phone, phone)]);
    }
    for text in [
        "2026-10-01",
        "01.02.2026",
        "10/12/2025 13:45",
        "ISBN 978-3-16-148410-0",
        "ISBN 0-306-40615-2",
        "0-306-40615-2",
        "12 345 678",
        "1234567890",
        "1,234,567.89",
        "3.14159265358979",
        "pages 100-120",
        "1939-1945",
        "$ 100 200 3000",
        "x=212-736-5000",
        "order 212-736-5000",
        "212-736-5000xl",
        "Section 212.736.50",
        "2024 2025 2026",
        "+5",
        "1+2345678900",
    ] {
        check(text, &[]);
    }
}

#[test]
fn cards_and_accounts_need_their_checksum() {
    check("5500-0000-0000-0004", &[(Kind::Card, "5500-0000-0000-0004")]);
    check("amex 378282246310005", &[(Kind::Card, "378282246310005")]);
    check("GB82WEST12345698765432,", &[(Kind::Iban, "GB82WEST12345698765432")]);
    check("FR14 2004 1010 0505 0001 3M02 606", &[(Kind::Iban, "FR14 2004 1010 0505 0001 3M02 606")]);
    for text in [
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "1234567812345670",
        "4111 1111 1111 11115",
        "GB82 WEST 1234 5698 7654 33",
        "ZZ82WEST12345698765432",
        "XGB82WEST12345698765432",
        "9783161484100",
    ] {
        check(text, &[]);
    }
}

#[test]
fn long_texts_take_linear_time() {
    let start = std::time::Instant::now();
    for unit in ["@", "a@b.co", "1", "1.", "1-", "DE89 ", "DE", "a.", ":", "(+", "é", "tel 1 "] {
        let found = find(&unit.repeat((1 << 20) / unit.len()), &ALL, true);
        assert!(found.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start));
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
}

/// Hits, misses and false alarms on sentences with made-up data; nothing was fitted to them.
#[test]
fn made_up_sentences_are_scored() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("PALIMPSEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = data.join("quality/pii_presidio.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no {}", path.display());
        return;
    };
    let mut rows = String::new();
    flate2::read::MultiGzDecoder::new(file).take(MAX_BYTES).read_to_string(&mut rows).unwrap();
    let mut scores: BTreeMap<Kind, [usize; 3]> = BTreeMap::new();
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let text = row["text"].as_str().unwrap();
        let chars: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut gold: Vec<Found> = Vec::new();
        for span in row["spans"].as_array().unwrap() {
            let kind = match span["type"].as_str().unwrap() {
                "EMAIL_ADDRESS" => Kind::Email,
                "IP_ADDRESS" => Kind::Ip,
                "PHONE_NUMBER" => Kind::Phone,
                "CREDIT_CARD" => Kind::Card,
                "IBAN_CODE" => Kind::Iban,
                _ => continue,
            };
            let at = |key: &str| chars[span[key].as_u64().unwrap() as usize];
            gold.push(Found { kind, span: at("start")..at("end") });
        }
        let found = find(text, &ALL, false);
        for one in &gold {
            let hit = found.contains(one);
            scores.entry(one.kind).or_default()[if hit { 0 } else { 1 }] += 1;
            if !hit {
                println!("missed {:?} {:?}", one.kind, text.get(one.span.clone()).unwrap());
            }
        }
        for one in found.iter().filter(|one| !gold.contains(one)) {
            scores.entry(one.kind).or_default()[2] += 1;
            println!("false alarm {:?} {:?}", one.kind, text.get(one.span.clone()).unwrap());
        }
    }
    println!("kind    gold found  P     R     F1");
    for (kind, [hit, missed, wrong]) in scores {
        let ratio = |part: usize, whole: usize| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
        let (gold, found) = (hit + missed, hit + wrong);
        let (precision, recall, f1) = (ratio(hit, found), ratio(hit, gold), ratio(2 * hit, gold + found));
        println!("{:7} {gold:4} {found:5}  {precision:.3} {recall:.3} {f1:.3}", format!("{kind:?}"));
        if matches!(kind, Kind::Email | Kind::Iban | Kind::Card) {
            assert!(0.9 <= precision, "{kind:?}");
        }
    }
}

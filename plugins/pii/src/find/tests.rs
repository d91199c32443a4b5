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

/// The texts between `[` and `]` are found, as this kind, and nothing else is.
#[track_caller]
fn marked(kind: Kind, texts: &[&str]) {
    for text in texts {
        let plain = text.replace(['[', ']'], "");
        let expected = text.split('[').skip(1).map(|rest| (kind, rest.split(']').next().unwrap()));
        check(&plain, &expected.collect::<Vec<_>>());
    }
}

#[test]
fn a_word_before_an_address_has_a_border() {
    marked(
        Kind::Ip,
        &[
            "server [203.0.114.5]",
            "DNS server: [8.35.200.12]",
            "However [203.0.114.5] is",
            "Conversion [203.0.114.5]",
            "ver. 10.15.7.12",
            "Version: 10.15.7.12",
            "OS versions 10.15.7.12",
            "§ 10.15.7.12",
            "see§10.15.7.12",
            "firmware #10.15.7.12",
            "固件版本10.15.7.12",
            "第10.15.7.12节",
        ],
    );
}

#[test]
fn other_characters_than_ascii_are_letters_or_not() {
    marked(
        Kind::Ip,
        &[
            "“[203.0.114.5]”",
            "host\u{a0}[203.0.114.5]",
            "host\u{a0}[203.0.114.5]\u{a0}up",
            "服务器为[203.0.114.5]的",
            "地址：[203.0.114.5]。",
            "서버 [203.0.114.5]입니다",
            "ที่[203.0.114.5]ครับ",
            "—[203.0.114.5]—",
            "地址[2a00:1450:4001:81b::200e]是",
            "é203.0.114.5",
            "203.0.114.5я",
            "e\u{301}203.0.114.5",
        ],
    );
    marked(
        Kind::Phone,
        &[
            "电话：[13812345678]",
            "电话[13812345678]。",
            "联系电话[010-12345678]转",
            "전화 [010-1234-5678]로",
            "Tel:\u{a0}[212-555-0123]",
            "[(212) 555‑0123]",
            "[212–555–0123]",
            "[(212)\u{a0}555-0123]",
            "[+33\u{202f}1\u{202f}42\u{202f}68\u{202f}53\u{202f}00]",
            "“[212-555-0123]”",
            "电话费1234567元",
            "€212 555 0123",
            "№212-555-0123",
            "212 555 2000€",
        ],
    );
    marked(
        Kind::Card,
        &["“[4111 1111 1111 1111]”", "卡号[4111111111111111]。", "[4111\u{a0}1111\u{a0}1111\u{a0}1111]"],
    );
    marked(
        Kind::Iban,
        &[
            "IBAN：[DE89370400440532013000]",
            "“[DE89\u{a0}3704\u{a0}0044\u{a0}0532\u{a0}0130\u{a0}00]”",
            "账户[DE89370400440532013000]。",
            "ÖDE89370400440532013000",
            "DE89 - 3704 0044 0532 0130 00",
        ],
    );
}

#[test]
fn a_number_beside_another_is_found() {
    marked(
        Kind::Card,
        &[
            "[4111 1111 1111 1111] 12/25",
            "[4111 1111 1111 1111] 123",
            "[4111 1111 1111 1111] 12/25 123",
            "[4111 1111 1111 1111] 2027",
            "[4111111111111111] 123",
            "[4111111111111111]/12/25",
            "[4111-1111-1111-1111] 123",
            "[3782 822463 10005] 1234",
            "[4111 1111 1111 1111] [5500 0000 0000 0004]",
            "[4111 1111 1111 1111] / [5500 0000 0000 0004]",
            "[4111\u{a0}1111\u{a0}1111\u{a0}1111]\u{a0}[5500\u{a0}0000\u{a0}0000\u{a0}0004]",
            "[4111111111111111] [378282246310005] [5500000000000004]",
            "1) [4111 1111 1111 1111]",
            "[4111111111111111],[5500000000000004]",
            "4111111111111111,25",
            "12/25 [4111 1111 1111 1111]",
            "4111 1111 1111 1111 2000 3000",
            "4111-1111-1111-1111-123",
            "4111111111111111.25",
            "0.4111111111111111",
            "1234 4111 1111 1111 1111",
        ],
    );
    marked(
        Kind::Phone,
        &[
            "[212-555-0123] / [646-555-0188]",
            "[212-555-0123]/[646-555-0188]",
            "[(212) 555-0123] [(646) 555-0188]",
            "[212-555-0123] [646-555-0188] [312-555-0199]",
            "Call [212-555-0123] 24/7 for help",
            "Call 24/7 [212-555-0123]",
            "phone [+1 212 555 0123] 2 rooms left",
            "phone [+44 20 7946 0958] 2 rooms left",
            "[+44 (0)20 7946 0958] 24 hours",
            "[+49 30 901820] 24/7",
            "[+49 30 901820-0]",
            "[+49 30 901820] / [+49 30 901821]",
            "Tel. [030/901820] / [030/901821]",
            "tel: [555-0123] 24/7",
            "NY 10001 [212-555-0123]",
            "NY 10001 [(212) 555-0123]",
            "Mon 9-17 [1-800-356-9377]",
            "[01 42 68 53 00] 24/7",
            "[01 42 68 53 00] / [01 42 68 53 01]",
            "([+49 30 901820])",
            "[212-555-0123],[646-555-0188]",
            "[212-555-0123], [646-555-0188] or [312-555-0199]",
            "Tel [030 901820] 12:30",
            "телефон [8-916-123-45-67]",
            "call 12345678,50",
            "[+49 (0)30-212 341-253]",
            "[+49 221 / 29 23 569 9]",
            "[+43 – (0)1 – 361 88 98]",
            "Tel. [0 61 51 / 405 -0]",
            "[212-555-0123] / [(646) 555-0188]",
            "[+52 (664) 555-1234] 24/7",
            "[(+49) 30 901820]",
            "WhatsApp [234 803 123 4567]",
            "[212-555-0123] 2019-2020",
            "Call [212 555 0123] [646 555 0188]",
            "01 02 03 04 05 06 07",
            "200 300 4000 500 600 7000",
            "200 300 4000 500",
            "212-555-0123-4567",
            "212.555.0123.4567",
            "call 2026-10-01 13:45",
        ],
    );
}

#[test]
fn the_nearest_word_tells_what_a_number_is() {
    marked(
        Kind::Phone,
        &[
            "To place an order, call [212-555-0123]",
            "Order by phone: [212-555-0123]",
            "Part of the team? Phone [212-555-0123]",
            "Model year 2019: call [212-555-0123]",
            "To order: tel. [030 901820]",
            "Phone order 212-736-5000",
            "Phone part no. 212-736-5000",
            "ISBN 978-3-16-148410-0",
            "model 030 901820",
        ],
    );
}

#[test]
fn a_range_of_addresses_is_two() {
    marked(
        Kind::Ip,
        &[
            "[203.0.114.5]-[203.0.114.90]",
            "[203.0.114.5] - [203.0.114.90]",
            "[203.0.114.5]–[203.0.114.90]",
            "10.0.0.1-[203.0.114.90]",
            "[203.0.114.5] - -",
            "[203.0.114.5]- and",
            "foo-10.15.7.12",
            "10.15.7.12-3",
            "10.15.7.12-rc1",
            "10.15.7.12-10.15.7",
            "10.15.7.12-10.15.7.12.13",
        ],
    );
}

#[test]
fn single_digits_with_dots_are_an_address_where_the_text_says_so() {
    marked(
        Kind::Ip,
        &[
            "[8.8.8.8]",
            "[8.8.8.8], [8.8.4.4]",
            "[8.8.8.8] and [8.8.4.4]",
            "set the DNS servers to [9.9.9.9].",
            "ping [1.2.3.4]",
            "the IP address [1.2.3.4] of",
            "http://[1.2.3.4]/",
            "from [1.2.3.4]:80",
            "net [4.0.0.0]/8",
            "IP地址为[1.2.3.4]。",
            "[1.1.1.1] is a resolver",
            "1.2.3.4",
            "1.2.3.4 Scope",
            "1.1.1.1 Scope",
            "text\n## 1.1.1.1. Scope",
            "2.2.2.2 范围",
            "see section 1.1.1.1",
            "version 2.2.2.2",
            "v 2.2.2.2",
            "firmware of the camera, 2.2.2.2",
            "DNS Server version 1.2.3.4",
            "Chrome 1.2.3.4",
            "Chapter 1.1.1.1 treats",
            "plugin-1.2.3.4.jar",
        ],
    );
}

#[test]
fn an_address_may_have_letters_of_other_scripts() {
    marked(
        Kind::Email,
        &[
            "[müller@example.com]",
            "[mu\u{308}ller@example.com]",
            "an [jörg.müller@example.com],",
            "[почта@example.com]",
            "“[müller@example.com]”",
            "[info@müller.de]",
            "[info@пример.рф]",
            "[info@example.org]â¨.",
            "[info@mail.müller.de].",
            "邮箱[test@example.com]",
            "邮箱：[test@example.com]。",
            "[test@example.com]的",
            "메일 [test@example.com]로",
            "用户@example.com",
            "é @example.com",
        ],
    );
}

#[test]
fn an_address_behind_a_label_is_found() {
    marked(
        Kind::Ip,
        &[
            "IPv6:[2a00:1450:4001:81b::200e]",
            "IP:[2a00:1450:4001:81b::200e]",
            "addr:[2a00:1450:4001:81b::200e]:",
            "surface:[2a00:1450:4001:81b::200e]",
            "node:[2a00:1450:4001:81b::200e]/64",
            "адрес:[2a00:1450:4001:81b::200e]",
            "IP: [2a00:1450:4001:81b::200e]",
            "12:30:45",
            "T12:30:45",
            "at:12:30:45:12",
            "std::vector",
            "std::deadbeef",
            "std::array<int>::begin",
            "MAC:00:1a:2b:3c:4d:5e",
            "x::2a00",
            "g2a00:1450:4001:81b::200e",
        ],
    );
}

#[test]
fn long_texts_take_linear_time() {
    let start = std::time::Instant::now();
    for unit in [
        "@",
        "a@b.co",
        "1",
        "1.",
        "1-",
        "DE89 ",
        "DE",
        "a.",
        ":",
        "(+",
        "é",
        "tel 1 ",
        " ",
        ".",
        "1 ",
        "4111 ",
        "1.1.1.1 ",
        "1.1.1.1-",
        "212-555-0123 ",
        "01 ",
        "é@",
        "a:",
        "2a:",
        "1\u{a0}",
        "4111 1111 1111 1111 ",
        "DE89 - ",
        "电话1",
        "+1 ",
    ] {
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

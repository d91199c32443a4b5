use std::io::Write;

use super::*;
use crate::{Limits, Reader};

const GOOD: &str = "WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:92283950-ef2f-4d72-b224-f54c6ec90bb0>\r\n\
                    WARC-Date: 2024-01-01T00:00:00Z\r\nWARC-Target-URI: http://a/\r\nContent-Type: application/http\r\n\
                    Content-Length: 5\r\n\r\nblock\r\n\r\n";

fn words(archive: &[u8]) -> Vec<Vec<&'static str>> {
    Reader::new(archive, Limits::default())
        .map(|entry| violations(&entry.unwrap()).iter().map(Violation::word).collect())
        .collect()
}

/// What is wrong with the good record after one change.
#[track_caller]
fn check(from: &str, to: &str, expected: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    assert_eq!(words(GOOD.replace(from, to).as_bytes()), [expected], "{to}");
}

#[test]
fn a_record_as_the_standard_has_it_is_let_through() {
    check("", "", &[]);
    check("WARC/1.1", "WARC/1.0", &[]);
    check("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123456789Z", &[]);
    check("2024-01-01T00:00:00Z", "2024-01", &[]);
    check(
        "Content-Length",
        "WARC-Concurrent-To: <urn:a:b>\r\nWARC-Concurrent-To: <urn:a:c>\r\nContent-Length",
        &[],
    );
    check("http://a/", "dns:a", &[]);
    check("WARC-Type", "warc-TYPE", &[]);
}

#[test]
fn fields_that_must_be_there_are_missed() {
    check("WARC-Type: response\r\n", "", &["missing_type"]);
    check("WARC-Date: 2024-01-01T00:00:00Z\r\n", "", &["missing_date"]);
    check("WARC-Record-ID", "Other-ID", &["missing_id"]);
    check("Content-Length: 5\r\n", "", &["damaged", "missing_length"]);
    check("WARC-Target-URI: http://a/\r\n", "", &["missing_target"]);
    check("Content-Type: application/http\r\n", "", &["missing_content_type"]);
    check("Type: response", "Type: revisit", &["missing_profile"]);
    check("Type: response", "Type: continuation", &["missing_segment"]);
    check("Type: response", "Type: visit", &["unknown_type"]);
}

#[test]
fn values_that_are_none_are_named() {
    check("<urn:uuid:92283950-ef2f-4d72-b224-f54c6ec90bb0>", "urn:uuid:92283950", &["bad_id"]);
    check("<urn:uuid:92283950-ef2f-4d72-b224-f54c6ec90bb0>", "<92283950>", &["bad_id"]);
    check("http://a/", "<http://a/>", &["bad_target"]);
    check("http://a/", "/a", &["bad_target"]);
    check("http://a/", "http://a/ b", &["bad_target"]);
    for date in
        ["2024-13-01T00:00:00Z", "2024-01-01 00:00:00", "20240101000000", "2024-01-01T00:00:00+01:00", "now"]
    {
        check("2024-01-01T00:00:00Z", date, &["bad_date"]);
    }
    assert_eq!(words(GOOD.replace("1.1", "1.0").replace("-01T00:00:00Z", "").as_bytes()), [["bad_date"]]);
    check("WARC/1.1", "WARC/0.18", &["unknown_version"]);
    check("Content-Length", "WARC-Date: 2024-01-01T00:00:00Z\r\nContent-Length", &["repeated_field"]);
}

#[test]
fn lines_are_as_the_standard_has_them() {
    check("\r\n", "\n", &["lf_lines"]);
    check(": http://a/", ":\r\n http://a/", &["folded_line"]);
    check("Content-Type: ", "nonsense\r\nContent-Type: ", &["colonless_line"]);
    check("block\r\n\r\n", "block\r\n", &["separator"]);
    assert_eq!(words(format!("{GOOD}garbage").as_bytes()), [vec!["garbage_after"], vec!["damaged"]]);
    assert_eq!(words(&GOOD.as_bytes()[..GOOD.len() - 6]), [["damaged"]]);
    assert_eq!(words(b"dns:a 1.2.3.4 20240101000000 text/dns 2\nhi\n"), [["not_warc"]]);
}

#[test]
fn a_member_is_for_one_record() {
    let gzip = |bytes: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let one_each = [gzip(GOOD), gzip(GOOD)].concat();
    assert!(words(&one_each).iter().all(Vec::is_empty));
    assert_eq!(words(&gzip(&GOOD.repeat(2))), [["shared_member"], ["shared_member"]]);
}

#[test]
fn a_block_digest_is_checked_where_it_can_be() {
    let with = |digest: &str| format!("WARC-Block-Digest: {digest}\r\nContent-Length");
    let computed: String = Sha1::digest(b"block").iter().map(|byte| format!("{byte:02x}")).collect();
    let sha256: String = Sha256::digest(b"block").iter().map(|byte| format!("{byte:02x}")).collect();
    check("Content-Length", &with(&format!("sha1:{computed}")), &[]);
    check("Content-Length", &with(&format!("sha-256:{sha256}")), &[]);
    check("Content-Length", &with("md5:whatever"), &[]);
    check("Content-Length", &with("sha1:short"), &["bad_block_digest"]);
    check("Content-Length", &with("nonsense"), &["bad_block_digest"]);
    check("Content-Length", &with("sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"), &["wrong_block_digest"]);
    // RFC 4648 has "foobar" in base 32; this is the SHA-1 of nothing, as every crawl has it.
    assert_eq!(check_digest("sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ", b""), None);
    assert_eq!(
        check_digest("sha1:3i42h3s6nnfq2msvx7xzkyayscx5qbyj", b"x"),
        Some(Violation::WrongBlockDigest)
    );
}

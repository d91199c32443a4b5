use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use palimpsest_warc::Limits;

use super::*;

fn record(record_type: &str, content_type: &str, block: &[u8]) -> Record {
    let mut archive = format!(
        "WARC/1.0\r\nWARC-Type: {record_type}\r\nWARC-Target-URI: http://a.example/\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        block.len()
    )
    .into_bytes();
    archive.extend_from_slice(block);
    archive.extend_from_slice(b"\r\n\r\n");
    crate::records::Records::new(&*archive, Limits::default()).next().unwrap().unwrap()
}

fn response(head: &str, body: &[u8]) -> Record {
    record("response", "application/http", &[head.as_bytes(), b"\r\n\r\n", body].concat())
}

fn page(head: &str, body: &[u8]) -> Page {
    read(&response(head, body)).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html";

#[track_caller]
fn check_head(head: &str, status: Option<u16>, oddities: &[&str]) {
    let record = response(head, b"body");
    let payload = payload(&record).unwrap();
    assert_eq!((payload.status, &*payload.bytes), (status, b"body".as_slice()));
    assert_eq!(payload.oddities, oddities);
}

#[test]
fn heads_are_understood_if_at_all_possible() {
    check_head(OK, Some(200), &[]);
    check_head("HTTP/1.1 404\r\nA: b", Some(404), &[]);
    check_head("HTTP/1.0 200 OK\nA: b", Some(200), &[]);
    check_head("HTTP/1.1 200 Tr\u{e8}s bien\r\nA: caf\u{e9}", Some(200), &[]);
    check_head("HTTP/2 200\r\nA: b", Some(200), &["http_head"]);
    check_head("ICY 200 OK\r\nA: b", Some(200), &["http_head"]);
    check_head("HTTP/1.1 200 OK\r\nno colon\r\nA: b", Some(200), &["http_head"]);
    check_head("HTTPX 200 OK\r\nA: b", None, &["http_head"]);
    check_head(&format!("{OK}\r\n{}", ["A: b"; 500].join("\r\n")), Some(200), &["http_head"]);
}

#[test]
fn header_bytes_that_are_not_utf8_are_latin1() {
    let block = b"HTTP/1.1 200 OK\r\nA: caf\xe9\r\nB: a\r\n\r\n";
    let page = read(&record("response", "application/http", block)).unwrap();
    assert_eq!((page.header("a"), page.header("b")), (Some("caf\u{e9}"), Some("a")));
}

#[test]
fn what_is_not_http_is_the_payload_as_it_is() {
    let dns = record("response", "text/dns", b"20240101\n");
    assert_eq!(read(&dns), Err(Reject::NotHttp));
    assert_eq!(&*payload(&dns).unwrap().bytes, b"20240101\n");
    let page = read(&record("conversion", "text/plain", "na\u{ef}f".as_bytes())).unwrap();
    assert_eq!((page.status, page.text.as_deref()), (None, Some("na\u{ef}f")));
    let request = record("request", "application/http", b"POST / HTTP/1.1\r\nHost: a\r\n\r\na=b");
    assert_eq!(&*payload(&request).unwrap().bytes, b"a=b");
    assert_eq!(read(&record("response", "application/http", b"nonsense")), Err(Reject::BadHead));
}

#[track_caller]
fn check_chunks(body: &str, decoded: &str, oddities: &[&str]) {
    let page = page(&format!("{OK}\r\nTransfer-Encoding: chunked"), body.as_bytes());
    assert_eq!(page.text.as_deref(), Some(decoded));
    assert_eq!(page.oddities, oddities);
}

#[test]
fn chunks_are_joined() {
    check_chunks("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde", &[]);
    check_chunks("3\nabc\n0\n\n", "abc", &[]);
    check_chunks("003 \r\nabc\r\n0\r\nTrailer: x\r\n\r\n", "abc", &[]);
    check_chunks("", "", &[]);
}

#[test]
fn bodies_that_are_not_chunked_as_declared_lose_nothing() {
    check_chunks("<p>whole", "<p>whole", &["http_undeclared_unchunked"]);
    check_chunks("5\r\nabc", "abc", &["http_cut_chunks"]);
    check_chunks("3\r\nabc\r\n", "abc", &["http_cut_chunks"]);
    check_chunks("2\r\nabc\r\n0\r\n\r\n", "abc\r\n0\r\n\r\n", &["http_cut_chunks"]);
    check_chunks("ffffffffffffffff\r\nabc", "ffffffffffffffff\r\nabc", &["http_undeclared_unchunked"]);
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn brotli(body: &[u8]) -> Vec<u8> {
    let mut encoder = ::brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    encoder.write_all(body).unwrap();
    encoder.into_inner()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(body, 3).unwrap()
}

#[track_caller]
fn check_coding(coding: &str, body: &[u8], decoded: Result<(&str, &[&str]), Reject>) {
    let found = read(&response(&format!("{OK}\r\nContent-Encoding: {coding}"), body));
    match (found, decoded) {
        (Ok(page), Ok((text, oddities))) => {
            assert_eq!(page.text.as_deref(), Some(text), "{coding}");
            assert_eq!(page.oddities, oddities, "{coding}");
        }
        (found, decoded) => assert_eq!(found.err(), decoded.err(), "{coding}"),
    }
}

const TEXT: &str = "<p>a page, a page, a page</p>";

#[test]
fn content_codings_are_undone() {
    let text = TEXT.as_bytes();
    for (coding, body) in [
        ("gzip", gzip(text)),
        ("X-GZIP", gzip(text)),
        ("deflate", zlib(text)),
        ("deflate", deflate(text)),
        ("br", brotli(text)),
        ("zstd", zstd(text)),
        ("gzip, br", brotli(&gzip(text))),
        ("identity", text.to_vec()),
        ("utf-8", text.to_vec()),
    ] {
        check_coding(coding, &body, Ok((TEXT, &[])));
    }
}

#[test]
fn bodies_without_the_coding_that_they_declare_stay_as_they_are() {
    for coding in ["gzip", "deflate", "br", "zstd"] {
        check_coding(coding, TEXT.as_bytes(), Ok((TEXT, &["http_undeclared_identity"])));
        check_coding(coding, b"", Ok(("", &[])));
    }
    check_coding("br", &gzip(TEXT.as_bytes()), Err(Reject::BadCoding));
    check_coding("lzma", TEXT.as_bytes(), Err(Reject::UnknownCoding));
    check_coding("gzip, gzip, gzip", TEXT.as_bytes(), Err(Reject::TooManyCodings));
}

#[test]
fn what_can_be_decoded_of_a_cut_body_is_kept() {
    let text: String =
        (0..20_000_u32).map(|number| format!("{} ", number.wrapping_mul(2_654_435_761))).collect();
    for (coding, body) in
        [("gzip", gzip(text.as_bytes())), ("br", brotli(text.as_bytes())), ("zstd", zstd(text.as_bytes()))]
    {
        let cut = &body[..body.len() * 9 / 10];
        let page = page(&format!("{OK}\r\nContent-Encoding: {coding}"), cut);
        let kept = page.text.unwrap();
        assert!(text.starts_with(&kept) && text.len() / 2 < kept.len(), "{coding}: {}", kept.len());
        assert_eq!(page.oddities, ["http_cut_coding"]);
    }
}

#[test]
fn bombs_are_rejected() {
    let zeros = vec![0; 20 << 20];
    check_coding("gzip", &gzip(&zeros), Err(Reject::Bomb));
    check_coding("br", &brotli(&zeros), Err(Reject::Bomb));
    check_coding("zstd", &zstd(&zeros), Err(Reject::Bomb));
    check_coding("gzip, gzip", &gzip(&gzip(&zeros)), Err(Reject::Bomb));
    // A frame that asks for a window of two gigabytes.
    check_coding("zstd", b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", Err(Reject::BadCoding));
    // The same in Brotli's extension.
    check_coding("br", b"\x11\x1e\x00\x00", Err(Reject::BadCoding));
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..http::BODY_BYTES / 64 + 1)
        .flat_map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            [(state >> 24) as u8; 64]
        })
        .collect();
    check_coding("gzip", &gzip(&noise), Err(Reject::TooLarge));
}

#[track_caller]
fn check_charset(content_type: &str, body: &[u8], expected: Option<(&str, &str)>, oddities: &[&str]) {
    let mut noted = Vec::new();
    let decoded = charset::decode(body, Some(content_type), None, &mut noted);
    let found = decoded.as_ref().map(|decoded| (decoded.charset, &*decoded.text));
    assert_eq!((found, &*noted), (expected, oddities));
}

#[test]
fn what_is_declared_is_believed_in_order() {
    check_charset("text/html; charset=koi8-r", b"\xef\xbb\xbfa", Some(("UTF-8", "a")), &[]);
    check_charset("text/html", b"\xff\xfea\0", Some(("UTF-16LE", "a")), &[]);
    let russian = "\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}";
    let koi8 = b"\xd0\xd2\xc9\xd7\xc5\xd4";
    check_charset("text/html; charset=KOI8-R", koi8, Some(("KOI8-R", russian)), &[]);
    check_charset("text/html; Charset = \"koi8-r\"", koi8, Some(("KOI8-R", russian)), &[]);
    let meta = [b"<meta charset=koi8-r>".as_slice(), koi8].concat();
    let text = format!("<meta charset=koi8-r>{russian}");
    check_charset("text/html", &meta, Some(("KOI8-R", &text)), &[]);
    check_charset("text/html; charset=nonsense", &meta, Some(("KOI8-R", &text)), &[]);
    let xml = [b"<?xml version='1.0' encoding='koi8-r'?>".as_slice(), koi8].concat();
    let text = format!("<?xml version='1.0' encoding='koi8-r'?>{russian}");
    check_charset("application/xhtml+xml", &xml, Some(("KOI8-R", &text)), &[]);
    check_charset("text/html", &b"\0a".repeat(9), Some(("UTF-16BE", "aaaaaaaaa")), &[]);
    check_charset("text/html; charset=utf-16le", b"a\0b\0", Some(("UTF-16LE", "ab")), &[]);
    check_charset("text/html", b"<meta charset=utf-16>a", Some(("UTF-8", "<meta charset=utf-16>a")), &[]);
}

#[test]
fn the_http_header_decides_on_latin1() {
    let latin1 = b"caf\xe9 na\xefve r\xe9sum\xe9 d\xe9j\xe0 vu";
    let text = "caf\u{e9} na\u{ef}ve r\u{e9}sum\u{e9} d\u{e9}j\u{e0} vu";
    check_charset("text/html; charset=iso-8859-1", latin1, Some(("windows-1252", text)), &[]);
    check_charset("text/html", latin1, Some(("windows-1252", text)), &[]);
}

#[test]
fn bytes_may_contradict_what_is_declared() {
    let latin1 = b"caf\xe9 na\xefve r\xe9sum\xe9 d\xe9j\xe0 vu";
    let text = "caf\u{e9} na\u{ef}ve r\u{e9}sum\u{e9} d\u{e9}j\u{e0} vu";
    let odd = &["charset_contradicted"];
    check_charset("text/html; charset=utf-8", latin1, Some(("windows-1252", text)), odd);
    check_charset("text/html; charset=iso-8859-1", text.as_bytes(), Some(("UTF-8", text)), odd);
}

#[test]
fn the_mac_s_cyrillic_is_told_from_windows_and_from_shift_jis() {
    let russian =
        "Это простой текст на русском языке, в котором есть заглавные и строчные буквы. Я его читаю.";
    let written = |charset: &str| encode(russian, charset);
    let xml = "<?xml version='1.0' encoding='MacCyrillic'?>".as_bytes();
    check_charset("text/html", &written("x-mac-cyrillic"), Some(("x-mac-cyrillic", russian)), &[]);
    check_charset("text/html", &written("windows-1251"), Some(("windows-1251", russian)), &[]);
    let declared = [xml, b"\xe0\xdf"].concat();
    let text = "<?xml version='1.0' encoding='MacCyrillic'?>\u{430}\u{44f}";
    check_charset("text/xml", &declared, Some(("x-mac-cyrillic", text)), &[]);
    let german = "Über größere Bäume fällt man „schön“ – süße Grüße aus Österreich, Tschüß! ".repeat(9);
    check_charset("text/html", &encode(&german, "windows-1252"), Some(("windows-1252", &german)), &[]);
    let japanese = "これはシフトジスで書かれた日本語の文章です。ひらがなとカタカナがあります。".repeat(4);
    check_charset("text/html", &encode(&japanese, "shift_jis"), Some(("Shift_JIS", &japanese)), &[]);
}

fn encode(text: &str, charset: &str) -> Vec<u8> {
    let encoding = encoding_rs::Encoding::for_label(charset.as_bytes()).unwrap();
    let (bytes, _, unmappable) = encoding.encode(text);
    assert!(!unmappable, "{charset}");
    bytes.into_owned()
}

#[test]
fn binary_bodies_have_no_text() {
    check_charset("image/png", b"text", None, &[]);
    check_charset("application/pdf", b"text", None, &[]);
    check_charset("text/html", b"%PDF-1.4 and so on", None, &[]);
    check_charset("text/html", &[0, 1, 2, 3].repeat(100), None, &[]);
    check_charset("", b"a\0b", None, &[]);
    check_charset("", b"plain", Some(("UTF-8", "plain")), &[]);
    assert_eq!(page("HTTP/1.1 200 OK\r\nContent-Type: image/gif", b"x").require_text(), Err(Reject::NotText));
}

#[test]
fn a_line_tells_what_is_known() {
    let line = line(&response(OK, b"body"));
    assert_eq!(line.payload_sha1.as_deref(), Some("02083f4579e08a612425c0c1a17ee47add783b94"));
    assert_eq!((line.payload_length, line.http_status, line.damage), (Some(4), Some(200), None));
    assert_eq!(line.record_type.as_deref(), Some("response"));
}

#[test]
fn a_top_level_domain_is_plain_letters() {
    let check = |url: &str, domain: Option<&str>| assert_eq!(top_level_domain(url), domain, "{url}");
    check("http://www.example.jp/a.b", Some("jp"));
    check("http://user@example.kr:80?x", Some("kr"));
    check("http://127.0.0.1/", None);
    check("file:///a.txt", None);
    check("http://localhost/", None);
}

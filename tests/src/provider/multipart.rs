//! The parts of a `multipart/form-data` body, which is how files are uploaded. Pure, and no more of RFC 7578 than that.

/// One part of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    pub(crate) filename: Option<&'a str>,
    pub(crate) data: &'a [u8],
}

/// The parts of a form, or None if it is none.
pub(crate) fn parts<'a>(media: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let (kind, parameters) = media.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // The first delimiter has no line before it.
    let mut rest = body.strip_prefix(delimiter.get(2..)?)?;
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let head = find(part, b"\r\n\r\n")?;
        let (head, data) = (part.get(..head)?, part.get(head + 4..)?);
        let end = find(data, &delimiter)?;
        parts.push(part_of(std::str::from_utf8(head).ok()?, data.get(..end)?)?);
        rest = data.get(end + delimiter.len()..)?;
    }
    rest.starts_with(b"--").then_some(parts)
}

fn part_of<'a>(head: &'a str, data: &'a [u8]) -> Option<Part<'a>> {
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (_, parameters) = disposition.split_once(';')?;
    Some(Part { name: parameter(parameters, "name")?, filename: parameter(parameters, "filename"), data })
}

/// `name="value"` or `name=value` among parameters between semicolons.
fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (known, value) = parameter.trim().split_once('=')?;
        known.eq_ignore_ascii_case(name).then_some(value.trim_matches('"'))
    })
}

/// Where some bytes begin in others. Delimiters begin with a byte that JSON lines never have.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|byte| *byte == first)?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "multipart/form-data; boundary=\"b-1\"";

    #[track_caller]
    fn reads(body: &str, expected: Option<&[(&str, Option<&str>, &str)]>) {
        let parts = parts(FORM, body.as_bytes());
        let parts = parts.map(|parts| {
            let told = parts
                .into_iter()
                .map(|part| (part.name, part.filename, std::str::from_utf8(part.data).unwrap()));
            told.collect::<Vec<_>>()
        });
        assert_eq!(parts.as_deref(), expected);
    }

    #[test]
    fn a_form_has_parts() {
        let one = "--b-1\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n";
        let two = "--b-1\r\ncontent-type: x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{}\r\n{\"--b\"}\n\r\n";
        reads(
            &format!("{one}{two}--b-1--\r\n"),
            Some(&[("purpose", None, "batch"), ("file", Some("a.jsonl"), "{}\r\n{\"--b\"}\n")]),
        );
        reads("--b-1--", Some(&[]));
    }

    #[test]
    fn what_is_no_form_has_none() {
        reads("", None);
        reads("--b-1\r\n", None);
        reads("--b-1\r\nContent-Disposition: form-data; name=x\r\n\r\nno end", None);
        reads("--b-1\r\nno: name\r\n\r\nx\r\n--b-1--", None);
        assert_eq!(parts("text/plain", b""), None);
        assert_eq!(parts("multipart/form-data", b""), None);
    }
}

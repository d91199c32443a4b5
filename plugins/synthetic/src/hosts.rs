//! What kind of host a page comes from, by the end of its name alone.
//!
//! The class says who may register such a name, which is all that a name can say: universities and schools, governments,
//! organisations, businesses, or anybody in a country. The module refuses to know any host by name.

/// The class of the host of an address:
///
/// | class | ends of names |
/// |---|---|
/// | `edu` | `.edu`, and `.ac.xx`, `.edu.xx`, `.sch.xx` of a country |
/// | `gov` | `.gov`, `.mil`, `.int`, and `.gov.xx`, `.gob.xx`, `.gouv.xx`, `.gub.xx`, `.govt.xx`, `.go.xx`, `.mil.xx` |
/// | `org` | `.org`, `.ngo`, and `.org.xx`, `.or.xx` |
/// | `com` | `.com`, `.biz`, and `.com.xx`, `.co.xx` |
/// | `net` | `.net`, and `.net.xx`, `.ne.xx` |
/// | `country` | any other end of two letters |
/// | `other` | everything else: newer ends, addresses in numbers, names without a dot |
#[must_use]
pub fn class(url: &str) -> &'static str {
    let host = host(url).to_ascii_lowercase();
    let mut labels = host.trim_end_matches('.').rsplit('.');
    let (Some(top), second, third) = (labels.next(), labels.next(), labels.next()) else {
        return "other";
    };
    let Some(second) = second else { return "other" };
    if top.len() == 2 && top.bytes().all(|byte| byte.is_ascii_lowercase()) {
        // `ac.xx` itself is a name that somebody registered.
        return third.and_then(|_| of_label(second, true)).unwrap_or("country");
    }
    of_label(top, false).unwrap_or("other")
}

fn of_label(label: &str, in_country: bool) -> Option<&'static str> {
    match label {
        "edu" => Some("edu"),
        "gov" | "mil" => Some("gov"),
        "org" => Some("org"),
        "com" => Some("com"),
        "net" => Some("net"),
        "int" if !in_country => Some("gov"),
        "ngo" if !in_country => Some("org"),
        "biz" if !in_country => Some("com"),
        "ac" | "sch" if in_country => Some("edu"),
        "gob" | "gouv" | "gub" | "govt" | "go" if in_country => Some("gov"),
        "or" if in_country => Some("org"),
        "co" if in_country => Some("com"),
        "ne" if in_country => Some("net"),
        _ => None,
    }
}

/// The host of an address, without user and port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.starts_with('[') { "" } else { host.split(':').next().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, told: &str) {
        assert_eq!(class(url), told);
    }

    #[test]
    fn hosts_have_classes() {
        check("https://www.uni.EDU/a", "edu");
        check("https://cs.ox.ac.uk/", "edu");
        check("http://user:x@service.gov.uk:8080/?q=a.com", "gov");
        check("https://www.meti.go.jp", "gov");
        check("https://who.int./", "gov");
        check("https://a.org", "org");
        check("https://shop.co.nz", "com");
        check("https://co.uk/", "country");
        check("https://www.go.com#x.org", "com");
        check("https://heise.de/", "country");
        check("https://a.photography/", "other");
        for url in
            ["https://192.0.2.1/", "http://[2001:db8::1]/", "http://localhost/", "urn:uuid:1", "", "https://"]
        {
            check(url, "other");
        }
    }
}

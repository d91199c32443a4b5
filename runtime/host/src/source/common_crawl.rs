//! Where the files of Common Crawl are: `cc://CC-MAIN-2026-40/warc` is the list of paths of a crawl, and its entries are
//! relative to where the list is.
//!
//! The bucket answers only to those who say who they are, and to them in full; everybody else has the web server.

use std::time::Duration;

use object_store::aws::AmazonS3Builder;

/// The place for everybody.
pub(super) const WEB: &str = "https://data.commoncrawl.org/";
/// The place for those with credentials.
pub(super) const BUCKET: &str = "s3://commoncrawl";
/// The bucket's region; that of other buckets may stand in the environment.
const REGION: &str = "us-east-1";
/// What of a crawl are archives.
const KINDS: [&str; 5] = ["warc", "wet", "wat", "robotstxt", "non200responses"];

/// The list of paths that a crawl is, relative to its place.
pub(super) fn list_of(crawl: &str) -> Result<String, String> {
    let accepted = || {
        format!(
            "accepted is cc://CRAWL/KIND, such as cc://CC-MAIN-2026-40/warc; kinds are {}",
            KINDS.join(", ")
        )
    };
    let (name, kind) = crawl.rsplit_once('/').ok_or_else(accepted)?;
    let is_word = |part: &str| {
        !part.is_empty()
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
    };
    if !KINDS.contains(&kind) || !name.split('/').all(is_word) {
        return Err(accepted());
    }
    Ok(format!("crawl-data/{name}/{kind}.paths.gz"))
}

/// The settings for the bucket, if somebody vouches for us: the environment, a role, the machine. It must be known soon.
pub(super) async fn access(settings: &[(String, String)], soon: Duration) -> Option<Vec<(String, String)>> {
    let mut settings = settings.to_owned();
    // Another endpoint is another storage, which has its own regions.
    if !settings.iter().any(|(name, _)| name.contains("endpoint")) {
        settings.push(("aws_region".to_owned(), REGION.to_owned()));
    }
    has_credentials(&settings, soon).await.then_some(settings)
}

/// Whether requests to S3 would be signed.
pub(super) async fn has_credentials(settings: &[(String, String)], soon: Duration) -> bool {
    // The workspace's TLS has no provider of its own; that another one is set already is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = AmazonS3Builder::new().with_bucket_name("any");
    for (name, value) in settings {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    let Ok(store) = builder.build() else { return false };
    let credentials = tokio::time::timeout(soon, store.credentials().get_credential());
    matches!(credentials.await, Ok(Ok(_)))
}

/// Whether the settings say that requests are not to be signed.
pub(super) fn anonymous(settings: &[(String, String)]) -> bool {
    let last = settings
        .iter()
        .rev()
        .find(|(name, _)| matches!(name.as_str(), "aws_skip_signature" | "skip_signature"));
    last.is_some_and(|(_, value)| {
        matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "on" | "y" | "t")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawls_have_lists() {
        let check = |crawl: &str, list: Option<&str>| {
            let found = list_of(crawl);
            assert_eq!(found.as_ref().ok().map(String::as_str), list, "{found:?}");
        };
        check("CC-MAIN-2026-40/warc", Some("crawl-data/CC-MAIN-2026-40/warc.paths.gz"));
        check("CC-MAIN-2026-40/robotstxt", Some("crawl-data/CC-MAIN-2026-40/robotstxt.paths.gz"));
        check("CC-NEWS/2024/01/warc", Some("crawl-data/CC-NEWS/2024/01/warc.paths.gz"));
        for crawl in [
            "CC-MAIN-2026-40",
            "CC-MAIN-2026-40/",
            "CC-MAIN-2026-40/cc-index",
            "../x/warc",
            "a//warc",
            "/warc",
        ] {
            check(crawl, None);
        }
        assert!(list_of("CC-MAIN-2026-40/html").unwrap_err().contains("non200responses"));
    }

    fn settings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[tokio::test]
    async fn credentials_are_there_or_not() {
        let soon = Duration::from_millis(200);
        let keys = [("aws_access_key_id", "a"), ("aws_secret_access_key", "b")];
        let found = access(&settings(&keys), soon).await.unwrap();
        assert!(found.contains(&("aws_region".to_owned(), "us-east-1".to_owned())), "{found:?}");
        let elsewhere = [&keys[..], &[("aws_endpoint", "http://127.0.0.1:1"), ("aws_region", "eu")]].concat();
        assert_eq!(access(&settings(&elsewhere), soon).await.unwrap(), settings(&elsewhere));
        // Nobody answers for this machine there.
        let nobody = [("aws_metadata_endpoint", "http://127.0.0.1:1")];
        assert_eq!(access(&settings(&nobody), soon).await, None);
        assert_eq!(access(&settings(&keys[..1]), soon).await, None);
    }

    #[test]
    fn the_last_word_on_signatures_counts() {
        assert!(anonymous(&settings(&[("aws_skip_signature", "true")])));
        assert!(!anonymous(&settings(&[("aws_skip_signature", "true"), ("skip_signature", "false")])));
        assert!(!anonymous(&settings(&[])));
    }
}

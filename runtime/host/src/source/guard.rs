//! Where a name from outside may lead.
//!
//! Hosts are named by the pipeline file and by nobody else: entries of path lists stay on their list's host, redirects on
//! the host that sent them. What is left is what a host's name *means*. Whoever answers for a name decides that, so a name
//! may mean public addresses only; an address that stands in the pipeline file in digits, or `localhost`, is the user's
//! own will. Link-local addresses are not: no archives are there, but the credentials of cloud machines are.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// A host that may not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{host}` is the address {address}, which is not public; `allow_private = true` in [source] permits it"
)]
pub(super) struct Denied {
    host: String,
    address: IpAddr,
}

/// Whether a URL of the pipeline file may be asked at all. Names are looked at when they are resolved.
pub(super) fn check_host(url: &Url, allow_private: bool) -> Result<(), Denied> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    if allow_private || is_public(address) || is_users_own(address) {
        return Ok(());
    }
    Err(Denied { host: url.host_str().unwrap_or_default().to_owned(), address })
}

/// Where a redirect leads, or why it is not followed.
pub(super) fn redirected(from: &Url, location: &str) -> Result<Url, String> {
    let to =
        from.join(location).map_err(|_no_url| format!("it redirects to `{location}`, which is no URL"))?;
    let ports = (from.port_or_known_default(), to.port_or_known_default());
    let upgraded = from.scheme() == "http" && to.scheme() == "https" && ports == (Some(80), Some(443));
    let same_port = ports.0 == ports.1 && (from.scheme() == to.scheme() || to.scheme() == "https");
    let bare = to.username().is_empty() && to.password().is_none();
    if from.host() == to.host() && bare && (upgraded || same_port) {
        return Ok(to);
    }
    Err(format!(
        "it redirects to `{to}`; redirects are followed on the same host only, so name that URL instead"
    ))
}

/// Resolves names and keeps the addresses that they may mean.
#[derive(Debug)]
pub(super) struct Resolver {
    pub(super) allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses = meant(name.as_str(), found, allow_private)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Of the addresses that were found for a name those that may be asked.
fn meant(name: &str, found: Vec<SocketAddr>, allow_private: bool) -> Result<Vec<SocketAddr>, Denied> {
    let local = is_localhost(name);
    let may =
        |address: IpAddr| allow_private || if local { address.is_loopback() } else { is_public(address) };
    let denied = found.iter().find(|address| !may(address.ip())).map(SocketAddr::ip);
    let kept: Vec<_> = found.into_iter().filter(|address| may(address.ip())).collect();
    match denied {
        Some(address) if kept.is_empty() => Err(Denied { host: name.to_owned(), address }),
        Some(_) | None => Ok(kept),
    }
}

/// Whether an error is at bottom a denial.
pub(super) fn denial<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Denied> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(denied) = error.downcast_ref::<Denied>() {
            return Some(denied);
        }
        // An I/O error passes over what it wraps when it is asked for its source.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(denied) = inner.downcast_ref::<Denied>()
        {
            return Some(denied);
        }
        cause = error.source();
    }
    None
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether an address is a machine on the internet: not this one, not a neighbour, not a service of the cloud beneath.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match v4_within(address) {
            Some(within) => is_public_v4(within),
            None => {
                let [first, ..] = address.segments();
                let unique_local = first & 0xfe00 == 0xfc00;
                let on_the_link = first & 0xffc0 == 0xfe80 || first & 0xffc0 == 0xfec0;
                let nobody = address.is_unspecified() || address.is_loopback() || address.is_multicast();
                !(unique_local || on_the_link || nobody)
            }
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    // Providers' own networks; some clouds answer for their machines' credentials there.
    let shared = first == 100 && second & 0xc0 == 64;
    let protocols = first == 192 && second == 0 && third == 0;
    let benchmarks = first == 198 && second & 0xfe == 18;
    let nobody = first == 0 || 240 <= first || address.is_multicast();
    let near = address.is_private() || address.is_loopback() || address.is_link_local();
    !(shared || protocols || benchmarks || nobody || near)
}

/// What is fit to stand in a pipeline file in digits: this machine, and the private networks that people number.
fn is_users_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(within) => within.is_private() || within.is_loopback(),
            None => {
                let [first, second, ..] = address.segments();
                // The credentials of Amazon's machines are in a unique local network of theirs.
                let of_the_cloud = first == 0xfd00 && second == 0x0ec2;
                address.is_loopback() || (first & 0xfe00 == 0xfc00 && !of_the_cloud)
            }
        },
    }
}

/// The IPv4 address that an IPv6 one leads to: mapped, compatible, NAT64 or 6to4.
fn v4_within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let joined = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(joined(high, low)),
        [0, 0, 0, 0, 0, 0] if high != 0 => Some(joined(high, low)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_its_neighbours_and_its_cloud_are_not_public() {
        let check = |address: &str, public: bool| {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        };
        for address in ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::5db8:d822", "::ffff:1.1.1.1"]
        {
            check(address, true);
        }
        for address in ["127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"] {
            check(address, false);
        }
        for address in
            ["169.254.169.254", "100.100.100.200", "192.0.0.192", "0.0.0.0", "0.1.2.3", "255.255.255.255"]
        {
            check(address, false);
        }
        for address in
            ["198.18.0.1", "224.0.0.1", "240.0.0.1", "::", "::1", "fe80::1", "fec0::1", "fc00::1", "ff02::1"]
        {
            check(address, false);
        }
        for address in [
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "::127.0.0.1",
        ] {
            check(address, false);
        }
        check("172.32.0.1", true);
        check("100.128.0.1", true);
    }

    #[test]
    fn digits_in_the_pipeline_file_are_the_users_will_but_for_the_clouds_own_services() {
        let check = |url: &str, allow_private: bool, permitted: bool| {
            let found = check_host(&Url::parse(url).unwrap(), allow_private);
            assert_eq!(found.is_ok(), permitted, "{url}: {found:?}");
        };
        for url in [
            "http://127.0.0.1:9000/a",
            "http://10.0.0.7/a",
            "http://[::1]/a",
            "http://1.1.1.1/a",
            "http://a.example/",
        ] {
            check(url, false, true);
        }
        // Addresses in odd spellings are the same addresses.
        for url in [
            "http://169.254.169.254/latest",
            "http://0xa9fea9fe/",
            "http://2852039166/",
            "http://0.0.0.0/",
            "http://0/",
        ] {
            check(url, false, false);
            check(url, true, true);
        }
        for url in ["http://[fd00:ec2::254]/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/"] {
            check(url, false, false);
        }
        let denied =
            check_host(&Url::parse("http://169.254.169.254/").unwrap(), false).unwrap_err().to_string();
        assert!(denied.contains("169.254.169.254") && denied.contains("allow_private = true"), "{denied}");
    }

    #[test]
    fn a_name_means_public_addresses_only() {
        let check = |name: &str, found: &[&str], allow_private: bool, kept: &[&str]| {
            let parse =
                |it: &[&str]| it.iter().map(|it| SocketAddr::new(it.parse().unwrap(), 0)).collect::<Vec<_>>();
            let meant = meant(name, parse(found), allow_private);
            assert_eq!(meant.clone().unwrap_or_default(), parse(kept), "{name} {found:?}");
            assert_eq!(meant.is_err(), kept.is_empty() && !found.is_empty());
        };
        check("a.example", &["1.1.1.1"], false, &["1.1.1.1"]);
        check("rebound.example", &["1.1.1.1", "127.0.0.1"], false, &["1.1.1.1"]);
        check("rebound.example", &["169.254.169.254"], false, &[]);
        check("archives.corp", &["10.0.0.1"], false, &[]);
        check("archives.corp", &["10.0.0.1"], true, &["10.0.0.1"]);
        check("localhost", &["127.0.0.1", "::1"], false, &["127.0.0.1", "::1"]);
        check("a.LOCALHOST.", &["127.0.0.1"], false, &["127.0.0.1"]);
        check("localhost", &["10.0.0.1"], false, &[]);
        check("localhost.example", &["127.0.0.1"], false, &[]);
    }

    #[test]
    fn redirects_stay_on_their_host_and_may_become_safer() {
        let check = |from: &str, location: &str, to: Option<&str>| {
            let found = redirected(&Url::parse(from).unwrap(), location);
            assert_eq!(found.as_ref().ok().map(Url::as_str), to, "{location}: {found:?}");
        };
        let from = "http://a.example/x/y";
        check(from, "/z", Some("http://a.example/z"));
        check(from, "z", Some("http://a.example/x/z"));
        check(from, "https://a.example/z", Some("https://a.example/z"));
        check(from, "//a.example/z", Some("http://a.example/z"));
        for location in [
            "http://169.254.169.254/latest/meta-data/",
            "//b.example/z",
            "https://b.example/z",
            "http://a.example:22/z",
            "https://a.example:8443/z",
            "http://user@a.example/z",
            "file:///etc/passwd",
            "http://a.example.evil.example/z",
        ] {
            check(from, location, None);
        }
        check("https://a.example/x", "http://a.example/x", None);
        check("http://127.0.0.1:8000/x", "http://127.0.0.1:8000/y", Some("http://127.0.0.1:8000/y"));
        check("http://127.0.0.1:8000/x", "http://127.0.0.1:8001/y", None);
    }
}

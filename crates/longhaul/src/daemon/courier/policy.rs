//! Which addresses a notice may go to. A sink that is known by a name shall not become a way into
//! the network around this machine: whoever answers for the name could point it anywhere. A person
//! who typed the address itself meant it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where instances of a cloud ask for their own credentials.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// How a URL names its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By the address itself, or as `localhost`.
    Literally,
    /// By a name that somebody else answers for.
    ByName {
        /// Whether the settings let names lead to private addresses.
        allow_private: bool,
    },
}

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    /// Near this machine, for the reason given.
    Private(&'static str),
    Metadata,
    /// No place that a connection could go to.
    Nowhere(&'static str),
}

/// Says why a notice must not go to `address`.
pub(super) fn check(address: IpAddr, named: Named) -> Result<(), String> {
    let allow_private = match named {
        Named::Literally => None,
        Named::ByName { allow_private } => Some(allow_private),
    };
    match (kind(address), allow_private) {
        (Kind::Public, _)
        | (Kind::Private(_) | Kind::Metadata, None)
        | (Kind::Private(_), Some(true)) => Ok(()),
        (Kind::Nowhere(what), _) => Err(format!("{address} is {what}, not a place to connect to")),
        (Kind::Metadata, Some(_)) => {
            Err(format!("{address} is where a cloud gives out credentials; no name may lead there"))
        }
        (Kind::Private(what), Some(false)) => Err(format!(
            "{address} is {what}; `allow_private = true` below `[webhooks]` in the settings permits it"
        )),
    }
}

fn kind(address: IpAddr) -> Kind {
    if METADATA.contains(&address) {
        return Kind::Metadata;
    }
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [0, ..] => Kind::Nowhere("the unspecified address"),
        [127, ..] => Kind::Private("this machine"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private("a private address"),
        [100, 64..=127, ..] => Kind::Private("an address behind a carrier's translator"),
        [169, 254, ..] => Kind::Private("a link-local address"),
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => {
            Kind::Private("an address for special purposes")
        }
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Kind::Private("an address for examples")
        }
        [224..=239, ..] => Kind::Nowhere("a multicast address"),
        [240..=255, ..] => Kind::Nowhere("a reserved address"),
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Nowhere("the unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Private("this machine"),
        // Mapped, compatible, and translated addresses are the IPv4 address they carry.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            inner(high, low)
        }
        [0x2002, high, low, ..] => inner(high, low),
        [0x64, 0xff9b, 1, ..] => Kind::Private("an address of a local translator"),
        [0x100, 0, 0, 0, ..] => Kind::Nowhere("an address whose packets are dropped"),
        [0x2001, 0..=0x1ff, ..] => Kind::Private("an address for special purposes"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Kind::Private("an address for examples"),
        [0xfc00..=0xfdff, ..] => Kind::Private("a private address"),
        [0xfe80..=0xfebf, ..] => Kind::Private("a link-local address"),
        [0xfec0..=0xfeff, ..] => Kind::Private("a site-local address"),
        [0xff00..=0xffff, ..] => Kind::Nowhere("a multicast address"),
        _ => Kind::Public,
    }
}

fn inner(high: u16, low: u16) -> Kind {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    kind(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(address: &str, named: Named) -> bool {
        check(address.parse().unwrap(), named).is_ok()
    }

    const NAME: Named = Named::ByName { allow_private: false };
    const TRUSTED_NAME: Named = Named::ByName { allow_private: true };

    #[test]
    fn a_name_leads_to_public_addresses_only() {
        for address in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111"] {
            assert!(may(address, NAME), "{address}");
        }
        let private = [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.1.1",
            "198.18.0.1",
            "192.0.2.1",
            "::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ];
        for address in private {
            assert!(!may(address, NAME), "{address}");
            assert!(may(address, TRUSTED_NAME), "{address}");
            assert!(may(address, Named::Literally), "{address}");
        }
    }

    #[test]
    fn no_name_leads_to_the_metadata_of_a_cloud() {
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254"] {
            assert!(!may(address, NAME), "{address}");
            assert!(!may(address, TRUSTED_NAME), "{address}");
            assert!(may(address, Named::Literally), "{address}");
        }
    }

    #[test]
    fn nothing_goes_to_what_is_no_place() {
        for address in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "::", "ff02::1"] {
            assert!(!may(address, Named::Literally), "{address}");
            assert!(!may(address, TRUSTED_NAME), "{address}");
        }
    }
}

//! Which addresses programs may reach: those of the public internet (IANA's registries of special-purpose addresses, RFC 6890).
//!
//! What carries an IPv4 address inside an IPv6 one (mapped, compatible, 6to4, Teredo, NAT64) is refused as a whole: no public server needs it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses: what its first bits are.
struct Block<A> {
    start: A,
    bits: u32,
    what: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, bits: u32, what: &'static str) -> Block<Ipv4Addr> {
    Block { start: Ipv4Addr::new(a, b, c, 0), bits, what }
}

const fn v6(a: u16, b: u16, bits: u32, what: &'static str) -> Block<Ipv6Addr> {
    Block { start: Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits, what }
}

const V4_REFUSED: [Block<Ipv4Addr>; 15] = [
    v4(0, 0, 0, 8, "of this host"),
    v4(10, 0, 0, 8, "private"),
    v4(100, 64, 0, 10, "of a provider's own network"),
    v4(127, 0, 0, 8, "of this host"),
    v4(169, 254, 0, 16, "link-local"),
    v4(172, 16, 0, 12, "private"),
    v4(192, 0, 0, 24, "reserved"),
    v4(192, 0, 2, 24, "for examples"),
    v4(192, 88, 99, 24, "of a relay"),
    v4(192, 168, 0, 16, "private"),
    v4(198, 18, 0, 15, "for measurements"),
    v4(198, 51, 100, 24, "for examples"),
    v4(203, 0, 113, 24, "for examples"),
    v4(224, 0, 0, 4, "multicast"),
    v4(240, 0, 0, 4, "reserved"),
];

/// All that is given out to hosts. The rest is this host's, private, link-local, multicast, a translator's or nobody's.
const V6_PUBLIC: Block<Ipv6Addr> = v6(0x2000, 0, 3, "public");

const V6_REFUSED: [Block<Ipv6Addr>; 4] = [
    v6(0x2001, 0, 23, "of a protocol: Teredo, measurements, identifiers"),
    v6(0x2001, 0xdb8, 32, "for examples"),
    v6(0x2002, 0, 16, "an IPv4 address in disguise"),
    v6(0x3fff, 0, 20, "for examples"),
];

impl Block<Ipv4Addr> {
    fn contains(&self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.start.to_bits()) >> (u32::BITS - self.bits) == 0
    }
}

impl Block<Ipv6Addr> {
    fn contains(&self, address: Ipv6Addr) -> bool {
        (address.to_bits() ^ self.start.to_bits()) >> (u128::BITS - self.bits) == 0
    }
}

/// Why no program may reach an address; `None`: it may.
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => V4_REFUSED.iter().find(|block| block.contains(address)).map(|block| block.what),
        IpAddr::V6(address) if !V6_PUBLIC.contains(address) => Some("not of the public internet"),
        IpAddr::V6(address) => V6_REFUSED.iter().find(|block| block.contains(address)).map(|block| block.what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_public_may_be_reached_and_its_neighbours_not() {
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::",
            "2001:db7::",
            "2001:db9::",
            "2003::",
            "2606:4700:4700::1111",
            "3ffe::1",
        ];
        let refused = [
            "0.0.0.0",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:1.1.1.1",
            "::1.1.1.1",
            "64:ff9b::101:101",
            "64:ff9b:1::",
            "100::",
            "1fff:ffff::",
            "2001::1",
            "2001:1ff::",
            "2001:db8::1",
            "2002:101:101::",
            "3fff:fff::",
            "4000::",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for (addresses, is_public) in [(&public[..], true), (&refused[..], false)] {
            for text in addresses {
                assert_eq!(refusal(text.parse().unwrap()).is_none(), is_public, "{text}");
            }
        }
    }
}

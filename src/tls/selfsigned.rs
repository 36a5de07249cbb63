//! A certificate that signs itself, good enough to start with, and its key.
//!
//! # Source
//!
//! RFC 5280 (X.509 version 3), RFC 5480 (keys on P-256), RFC 5758 (ECDSA with SHA-256), X.690 (DER).

use std::net::IpAddr;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::base64::base64;
use crate::telemetry::log::Utc;

/// Certificate and key as PEM.
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const UTF8: u8 = 0x0c;

// Whole elements, tag and length included.
const ECDSA_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const P256_KEY: &[u8] = &[
    0x30, 19, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7,
];
const COMMON_NAME: &[u8] = &[6, 3, 0x55, 4, 3];
/// Basic constraints, critical: no authority. Key usage, critical: signatures. Extended: a server's.
const EXTENSIONS: &[u8] = &[
    0x30, 12, 6, 3, 0x55, 0x1d, 19, 1, 1, 0xff, 4, 2, 0x30, 0, //
    0x30, 14, 6, 3, 0x55, 0x1d, 15, 1, 1, 0xff, 4, 4, 3, 2, 7, 0x80, //
    0x30, 19, 6, 3, 0x55, 0x1d, 37, 4, 12, 0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1,
];
const ALTERNATIVE: &[u8] = &[6, 3, 0x55, 0x1d, 17];

/// Bytes that a common name may have.
const NAME: usize = 64;

/// Makes a pair for these names and addresses, valid from one time to another, in seconds since 1970.
///
/// # Errors
///
/// Where the system has no randomness.
pub(crate) fn pair(hosts: &[String], (from, to): (u64, u64)) -> Result<Pair, String> {
    let told = |_| "the system has no randomness".to_owned();
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(told)?;
    let signer = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random)
        .map_err(|error| error.to_string())?;
    let mut serial = [0; 16];
    random.fill(&mut serial).map_err(told)?;
    // A positive number, of full length.
    serial[0] = serial[0] & 0x3f | 0x40;
    let first = hosts.first().map(String::as_str).filter(|name| name.len() <= NAME);
    let name = element(UTF8, &[first.unwrap_or("fanin").as_bytes()]);
    let name = element(SEQUENCE, &[COMMON_NAME, &name]);
    let name = element(SEQUENCE, &[&element(SET, &[&name])]);
    let valid = element(SEQUENCE, &[&time(from), &time(to)]);
    let point = element(BITS, &[&[0], signer.public_key().as_ref()]);
    let names: Vec<u8> = hosts.iter().flat_map(|host| alternative(host)).collect();
    let names = element(OCTETS, &[&element(SEQUENCE, &[&names])]);
    let names = element(SEQUENCE, &[ALTERNATIVE, &names]);
    let body = element(
        SEQUENCE,
        &[
            // Version 3.
            &[0xa0, 3, INTEGER, 1, 2],
            &element(INTEGER, &[&serial]),
            ECDSA_SHA256,
            &name,
            &valid,
            &name,
            &element(SEQUENCE, &[P256_KEY, &point]),
            &element(0xa3, &[&element(SEQUENCE, &[EXTENSIONS, &names])]),
        ],
    );
    let signature = signer.sign(&random, &body).map_err(told)?;
    let signature = element(BITS, &[&[0], signature.as_ref()]);
    let whole = element(SEQUENCE, &[&body, ECDSA_SHA256, &signature]);
    Ok(Pair { cert: pem("CERTIFICATE", &whole), key: pem("PRIVATE KEY", key.as_ref()) })
}

/// One DER element that holds these parts.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let held = parts.concat();
    let len = held.len().to_be_bytes();
    let digits = len.iter().copied().skip_while(|digit| *digit == 0);
    let mut out = vec![tag];
    if held.len() < 0x80 {
        out.extend(digits.chain((held.is_empty()).then_some(0)));
    } else {
        let digits: Vec<u8> = digits.collect();
        out.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
        out.extend(digits);
    }
    out.extend(held);
    out
}

/// A name or an address among the alternative names.
fn alternative(host: &str) -> Vec<u8> {
    match host.parse() {
        Ok(IpAddr::V4(ip)) => element(0x87, &[&ip.octets()]),
        Ok(IpAddr::V6(ip)) => element(0x87, &[&ip.octets()]),
        Err(_) => element(0x82, &[host.as_bytes()]),
    }
}

/// A time: with two digits for years up to 2049, as it has to be.
fn time(seconds: u64) -> Vec<u8> {
    let digits: String = Utc(seconds).to_string().chars().filter(char::is_ascii_digit).collect();
    let short = digits.strip_prefix("20").filter(|_| *digits < *"2050");
    match short {
        Some(short) => element(0x17, &[short.as_bytes(), b"Z"]),
        None => element(0x18, &[digits.as_bytes(), b"Z"]),
    }
}

fn pem(what: &str, bytes: &[u8]) -> String {
    let text = base64(bytes);
    let mut out = format!("-----BEGIN {what}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.extend(line.iter().copied().map(char::from));
        out.push('\n');
    }
    out.push_str(&format!("-----END {what}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_their_length_in_front() {
        let cases = [(0, vec![4, 0]), (127, vec![4, 127]), (128, vec![4, 0x81, 128])];
        for (len, want) in cases {
            assert_eq!(element(4, &[&vec![0; len]])[..want.len()], want, "{len}");
        }
        assert_eq!(element(4, &[&[0; 300]])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn times_have_two_digits_for_the_year_up_to_2049() {
        let cases = [
            (1_795_832_671, 0x17, "261128022431Z"),
            (2_524_607_999, 0x17, "491231235959Z"),
            (2_524_608_000, 0x18, "20500101000000Z"),
        ];
        for (seconds, tag, want) in cases {
            let got = time(seconds);
            assert_eq!((got[0], &got[2..]), (tag, want.as_bytes()), "{seconds}");
        }
    }
}

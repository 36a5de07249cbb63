//! The names in a certificate: as much of DER and X.509 as that takes.
//!
//! The certificate was read by rustls before, so what is odd here is left out, not refused.
//!
//! # Source
//!
//! RFC 5280, section 4.1 and, for the alternative names, 4.2.1.6; X.690, sections 8.1 and 10.1.

/// A sequence of elements.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const IDENTIFIER: u8 = 0x06;

/// `commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// `emailAddress`, 1.2.840.113549.1.9.1.
const EMAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
/// `subjectAltName`, 2.5.29.17.
const ALTERNATIVE: &[u8] = &[0x55, 0x1d, 17];

impl<'a> Der<'a> {
    /// The next element: its tag and what it holds.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (len, rest) = if *first < 0x80 {
            (usize::from(*first), rest)
        } else {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let len = digits.iter().try_fold(0_usize, |len, digit| {
                len.checked_mul(256)?.checked_add(usize::from(*digit))
            });
            (len?, rest)
        };
        let (held, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((*tag, held))
    }

    /// The next element, if it has this tag.
    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let before = *self;
        match self.next() {
            Some((tag, held)) if tag == wanted => Some(held),
            _ => {
                *self = before;
                None
            }
        }
    }
}

/// Common names, DNS names and e-mail addresses of a certificate.
pub(super) fn names(certificate: &[u8]) -> Vec<&str> {
    let mut names = Vec::new();
    // What cannot be read has no names.
    let _ = read(certificate, &mut names);
    names
}

fn read<'a>(certificate: &'a [u8], names: &mut Vec<&'a str>) -> Option<()> {
    let whole = Der(certificate).take(SEQUENCE)?;
    let mut body = Der(Der(whole).take(SEQUENCE)?);
    let _version = body.take(0xa0);
    let _serial = body.take(0x02)?;
    let _signature = body.take(SEQUENCE)?;
    let _issuer = body.take(SEQUENCE)?;
    let _validity = body.take(SEQUENCE)?;
    let mut subject = Der(body.take(SEQUENCE)?);
    while let Some((_, set)) = subject.next() {
        let mut set = Der(set);
        while let Some(attribute) = set.take(SEQUENCE) {
            let mut attribute = Der(attribute);
            let kind = attribute.take(IDENTIFIER)?;
            let (_, value) = attribute.next()?;
            if kind == COMMON_NAME || kind == EMAIL {
                names.extend(std::str::from_utf8(value));
            }
        }
    }
    let _key = body.take(SEQUENCE)?;
    let (_, _) = (body.take(0x81), body.take(0x82));
    let mut extensions = Der(Der(body.take(0xa3)?).take(SEQUENCE)?);
    while let Some(extension) = extensions.take(SEQUENCE) {
        let mut extension = Der(extension);
        let kind = extension.take(IDENTIFIER)?;
        let _critical = extension.take(0x01);
        if kind != ALTERNATIVE {
            continue;
        }
        let mut alternative = Der(Der(extension.take(OCTETS)?).take(SEQUENCE)?);
        while let Some((tag, value)) = alternative.next() {
            // E-mail and DNS.
            if matches!(tag, 0x81 | 0x82) {
                names.extend(std::str::from_utf8(value));
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with openssl 3.0: subject `CN=prometheus.lan, emailAddress=me@lan`, alternative names
    /// `DNS:a.lan, email:b@lan, IP:10.0.0.7`.
    const CERTIFICATE: &[u8] = include_bytes!("../../tests/access/names.der");

    #[test]
    fn all_names_are_found() {
        assert_eq!(names(CERTIFICATE), ["prometheus.lan", "me@lan", "a.lan", "b@lan"]);
    }

    #[test]
    fn a_certificate_that_is_cut_or_changed_is_no_trouble() {
        for cut in 0..CERTIFICATE.len() {
            names(&CERTIFICATE[..cut]);
            let mut changed = CERTIFICATE.to_vec();
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                changed[cut] = byte;
                names(&changed);
            }
        }
    }
}

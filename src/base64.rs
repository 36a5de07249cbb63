//! Base64 (RFC 4648, section 4), with padding: logins, certificates; and values in paths.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(feature = "push")]
const URL_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// `bytes` in base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    bytes.chunks(3).flat_map(quartet).collect()
}

/// `bytes` in the URL-safe letters (section 5), without padding.
#[cfg(feature = "push")]
pub(crate) fn base64_url(bytes: &[u8]) -> String {
    let letter = |letter| match letter {
        '+' => Some('-'),
        '/' => Some('_'),
        '=' => None,
        letter => Some(letter),
    };
    bytes.chunks(3).flat_map(quartet).filter_map(letter).collect()
}

/// One to three bytes as four characters.
fn quartet(three: &[u8]) -> [char; 4] {
    let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    let letter = |shift: u32, used: usize| match three.len() {
        len if len < used => '=',
        _ => sextet(bits >> shift & 0x3f),
    };
    [letter(18, 1), letter(12, 1), letter(6, 2), letter(0, 3)]
}

/// The character of six bits.
fn sextet(bits: u32) -> char {
    let index = usize::try_from(bits).unwrap_or_default();
    LETTERS.get(index).copied().map_or('=', char::from)
}

/// What `text` stands for; `None` if it is no base64, or leaves bits over.
#[cfg(feature = "tls")]
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let data = text.trim_end_matches('=');
    let padding = text.len().saturating_sub(data.len());
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    bytes(data, LETTERS).filter(|(_, rest)| *rest == 0).map(|(bytes, _)| bytes)
}

/// What `text` in the URL-safe letters (section 5) stands for, its padding optional; `None` if it is
/// no base64. Bits that are left over are passed over, as Go does.
#[cfg(feature = "push")]
pub(crate) fn decoded_url(text: &str) -> Option<Vec<u8>> {
    bytes(text.trim_end_matches('='), URL_LETTERS).map(|(bytes, _)| bytes)
}

/// The bytes of `data`, and the bits behind the last of them: fewer than six.
#[cfg(any(feature = "tls", feature = "push"))]
fn bytes(data: &str, letters: &[u8; 64]) -> Option<(Vec<u8>, u32)> {
    let (mut bits, mut held, mut bytes) = (0_u32, 0_u32, Vec::with_capacity(data.len()));
    for letter in data.bytes() {
        let value = letters.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held = held.wrapping_add(6);
        if held >= 8 {
            held = held.wrapping_sub(8);
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    // Six are a letter too many.
    (held < 6).then(|| (bytes, bits & !(u32::MAX << held)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{3ff}?~", "z78/fg=="),
        ];
        for (text, want) in cases {
            assert_eq!(base64(text.as_bytes()), want, "{text}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn what_was_put_in_comes_out() {
        for len in 0..=9_u8 {
            let bytes: Vec<u8> = (0..len).map(|n| n.wrapping_mul(97) ^ 0xa5).collect();
            assert_eq!(decoded(&base64(&bytes)), Some(bytes), "{len} bytes");
        }
        for wrong in ["Zg=", "Zg", "Z===", "Zh==", "Zg==Zg==", "Z g=", "Zm9=", "====", "Zg=a"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}

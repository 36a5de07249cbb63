//! Text as it stands between the quotes of JSON.

use std::fmt;

/// Writes what may not stand there as it is with escapes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(|c| matches!(c, '"' | '\\' | '\0'..='\x1f')) {
            let (plain, special) = rest.split_at(at);
            f.write_str(plain)?;
            let (special, behind) = special.split_at(1);
            match special {
                "\n" => f.write_str("\\n")?,
                "\"" | "\\" => write!(f, "\\{special}")?,
                special => special.bytes().try_for_each(|byte| write!(f, "\\u{byte:04x}"))?,
            }
            rest = behind;
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_told() {
        let cases = [
            ("", ""),
            ("x 1\n", "x 1\\n"),
            ("a\"b\\c\"", "a\\\"b\\\\c\\\""),
            ("\t\r\0\u{1f}\u{7f}ä🖨", "\\u0009\\u000d\\u0000\\u001f\u{7f}ä🖨"),
            ("</script>", "</script>"),
        ];
        for (text, want) in cases {
            assert_eq!(Escaped(text).to_string(), want, "{text:?}");
        }
    }
}

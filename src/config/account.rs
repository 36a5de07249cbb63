//! Users and groups of this machine, by name or number, as far as sockets are given to them.
//!
//! `/etc/passwd` and `/etc/group` are read, nothing else: a static program has no name service.

use std::fs;

use super::value::BadValue;

/// The number of a user.
pub(super) fn user(text: &str) -> Result<u32, BadValue> {
    number(text, "/etc/passwd", "user")
}

/// The number of a group.
pub(super) fn group(text: &str) -> Result<u32, BadValue> {
    number(text, "/etc/group", "group")
}

fn number(text: &str, file: &str, what: &str) -> Result<u32, BadValue> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let unknown = || BadValue::new(format!("is no {what} in {file}, and no number"));
    fs::read_to_string(file).ok().and_then(|lines| of(&lines, text)).ok_or_else(unknown)
}

/// The number behind the name `wanted`: `NAME:x:NUMBER:…` in both files.
fn of(lines: &str, wanted: &str) -> Option<u32> {
    lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        let named = fields.next().is_some_and(|name| name == wanted && !name.is_empty());
        fields.nth(1).filter(|_| named)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_numbers() {
        let lines = "root:x:0:0:root:/root:/bin/sh\n\nbad:x:y:0\nfanin:x:998:\n";
        let cases =
            [("root", Some(0)), ("fanin", Some(998)), ("bad", None), ("x", None), ("", None)];
        for (name, want) in cases {
            assert_eq!(of(lines, name), want, "{name}");
        }
        assert_eq!((user("0"), user("root"), group("7")), (Ok(0), Ok(0), Ok(7)));
        assert!(user("nobody at all").is_err());
    }
}

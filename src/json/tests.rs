//! What the reader makes of documents, whole and cut at every byte.

use super::{Bracket, Fault, Malformed, Reader, Token};
use crate::limits::{JSON_DEPTH, JSON_SCRATCH};

/// The tokens of `pieces`, one a line, the pieces of a text joined.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<String, Malformed> {
    let mut reader = Reader::new();
    let (mut told, mut text) = (String::new(), String::new());
    for mut piece in pieces {
        while let Some(token) = reader.next(&mut piece)? {
            match token {
                Token::Open(Bracket::Object) => told.push('{'),
                Token::Open(Bracket::Array) => told.push('['),
                Token::Close(Bracket::Object) => told.push('}'),
                Token::Close(Bracket::Array) => told.push(']'),
                Token::Name(name) => told.push_str(&format!("{name:?}:")),
                Token::Number(number) => told.push_str(number.unwrap_or("too long")),
                Token::Bool(value) => told.push_str(&value.to_string()),
                Token::Null => told.push_str("null"),
                Token::Text { piece, last } => {
                    text.push_str(piece);
                    if !last {
                        continue;
                    }
                    told.push_str(&format!("{text:?}"));
                    text.clear();
                }
            }
            told.push('\n');
        }
        assert!(piece.is_empty(), "what is not read is lost");
    }
    reader.finish()?;
    Ok(told)
}

/// As [`read`], and the same for all ways to cut `document` in two and for single bytes.
fn read_cut(document: &[u8]) -> Result<String, Malformed> {
    let whole = read([document]);
    for at in 0..document.len() {
        let (front, back) = document.split_at(at);
        assert_eq!(read([front, back]), whole, "cut at {at}");
    }
    assert_eq!(read(document.chunks(1)), whole, "byte by byte");
    whole
}

#[test]
fn documents() {
    let cases: &[(&str, &str)] = &[
        ("", ""),
        (" \t\r\n", ""),
        ("{}", "{ }"),
        ("[]", "[ ]"),
        ("{}[] {}\n{}", "{ } [ ] { } { }"),
        (r#"{"a":1}"#, r#"{ Some("a"): 1 }"#),
        (
            r#"{ "a" : [ 1 , {} , [ ] ] , "b" : null }"#,
            r#"{ Some("a"): [ 1 { } [ ] ] Some("b"): null }"#,
        ),
        ("[true,false,null]", "[ true false null ]"),
        ("[0,-0,1.5e-3,10E+2,1e400,-12.0]", "[ 0 -0 1.5e-3 10E+2 1e400 -12.0 ]"),
        (r#"["",{"":""}]"#, r#"[ "" { Some(""): "" } ]"#),
        (r#"["a\n\"\\\/\b\f\r\t"]"#, r#"[ "a\n\"\\/\u{8}\u{c}\r\t" ]"#),
        (r#"["\u0041\u00e9\u20AC"]"#, r#"[ "Aé€" ]"#),
        (r#"["\ud83d\ude00"]"#, r#"[ "😀" ]"#),
        (r#"{"\ud83d\ude00\u0000":1}"#, r#"{ Some("😀\0"): 1 }"#),
        ("[\"é€😀\"]", r#"[ "é€😀" ]"#),
        // As Go, Python's own half pairs do not make a document unreadable.
        (r#"["\ud83d"]"#, r#"[ "�" ]"#),
        (r#"["\ud83dx"]"#, r#"[ "�x" ]"#),
        (r#"["\ud83d\n"]"#, r#"[ "�\n" ]"#),
        (r#"["\ude00\ud83d"]"#, r#"[ "��" ]"#),
        (r#"["\ud83d\ud83d\ude00"]"#, r#"[ "�😀" ]"#),
        (r#"["\ud83d\u20ac"]"#, r#"[ "�€" ]"#),
    ];
    for (document, expected) in cases {
        let told = read_cut(document.as_bytes()).expect(document);
        assert_eq!(told.split_whitespace().collect::<Vec<_>>().join(" "), *expected, "{document}");
    }
}

#[test]
fn faults() {
    use Fault::*;
    let cases: &[(&[u8], usize, usize, Fault)] = &[
        (b"1", 1, 1, Document),
        (b"\xef\xbb\xbf{}", 1, 1, Document),
        (b"{}\n ]", 2, 2, Document),
        (b"{", 1, 2, Cut),
        (b"[\"a", 1, 4, Cut),
        (b"[1", 1, 3, Cut),
        (b"[1,]", 1, 4, Value),
        (b"[,1]", 1, 2, Value),
        (b"[1 2]", 1, 4, CommaInArray),
        (b"[1}", 1, 3, CommaInArray),
        (b"{\"a\":1]", 1, 7, CommaInObject),
        (b"{\"a\":1,}", 1, 8, Name),
        (b"{a:1}", 1, 2, Name),
        (b"{]", 1, 2, Name),
        (b"{\"a\" 1}", 1, 6, Colon),
        (b"{\"a\":}", 1, 6, Value),
        (b"[01]", 1, 3, Number),
        (b"[-]", 1, 3, Number),
        (b"[1.]", 1, 4, Number),
        (b"[1e]", 1, 4, Number),
        (b"[1e+]", 1, 5, Number),
        (b"[+1]", 1, 2, Value),
        (b"[.5]", 1, 2, Value),
        (b"[NaN]", 1, 2, Value),
        (b"[nul]", 1, 5, Word),
        (b"[truE]", 1, 5, Word),
        (b"[\"\\x\"]", 1, 4, Escape),
        (b"[\"\\u12g4\"]", 1, 7, Escape),
        (b"[\n\n\"a\nb\"]", 3, 3, Control),
        (b"[\"a\xff\"]", 1, 4, Utf8),
        (b"{\"\xc3\":1}", 1, 3, Utf8),
        (b"[\"\xed\xa0\x80\"]", 1, 3, Utf8),
    ];
    for (document, line, column, fault) in cases {
        let expected = Malformed { line: *line, column: *column, fault: *fault };
        let shown = String::from_utf8_lossy(document);
        assert_eq!(read([*document]), Err(expected), "{shown}");
        // Cut in the middle of a character its column may be a byte or two later.
        for at in 0..document.len() {
            let (front, back) = document.split_at(at);
            let cut = read([front, back]).map_err(|malformed| malformed.fault);
            assert_eq!(cut, Err(*fault), "{shown} cut at {at}");
        }
    }
}

#[test]
fn what_is_too_long_costs_only_itself() {
    let fits = "n".repeat(JSON_SCRATCH);
    let long = "n".repeat(JSON_SCRATCH + 1);
    let told = read_cut(format!(r#"{{"{fits}":1,"{long}":2,"a":3}}"#).as_bytes()).unwrap();
    assert_eq!(told, format!("{{\nSome({fits:?}):\n1\nNone:\n2\nSome(\"a\"):\n3\n}}\n"));
    let number = "9".repeat(JSON_SCRATCH + 1);
    assert_eq!(read_cut(format!("[{number},1]").as_bytes()).unwrap(), "[\ntoo long\n1\n]\n");
}

#[test]
fn depth_is_limited() {
    let deep = |levels| ["[".repeat(levels), "]".repeat(levels)].concat();
    assert!(read([deep(JSON_DEPTH).as_bytes()]).is_ok());
    let fault = read([deep(JSON_DEPTH + 1).as_bytes()]).unwrap_err();
    assert_eq!(fault.to_string(), "line 1, column 257: nested deeper than 256");
}

#[test]
fn plain_text_is_lent_from_the_input() {
    let mut reader = Reader::new();
    let mut input: &[u8] = b"[\"abc\\n";
    let range = input.as_ptr_range();
    while let Some(token) = reader.next(&mut input).unwrap() {
        if let Token::Text { piece, .. } = token {
            assert_eq!(piece, "abc");
            assert!(range.contains(&piece.as_ptr()));
            return;
        }
    }
    panic!("no text");
}

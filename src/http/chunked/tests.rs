//! Chunked bodies, taken and refused, cut everywhere.

use super::*;

/// The body of `wire` when it comes in these pieces, through `decode` and an output of `room`.
fn copied(pieces: &[&[u8]], room: usize) -> Result<(Vec<u8>, bool), Fault> {
    let mut decoder = Decoder::new();
    let mut body = Vec::new();
    let mut out = vec![0; room];
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let progress = decoder.decode(rest, &mut out)?;
            body.extend_from_slice(&out[..progress.made]);
            rest = &rest[progress.used..];
            if progress == Progress::default() || rest.is_empty() {
                break;
            }
        }
    }
    Ok((body, decoder.is_done()))
}

/// The same through `decode_in_place`.
fn moved(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), Fault> {
    let mut decoder = Decoder::new();
    let mut body = Vec::new();
    for piece in pieces {
        let mut buf = piece.to_vec();
        let progress = decoder.decode_in_place(&mut buf)?;
        assert!(progress.used == buf.len() || decoder.is_done());
        body.extend_from_slice(&buf[..progress.made]);
    }
    Ok((body, decoder.is_done()))
}

#[test]
fn bodies_are_decoded() {
    let cases = [
        ("empty", "0\r\n\r\n", "", true),
        ("one chunk", "4\r\nup 1\r\n0\r\n\r\n", "up 1", true),
        ("two chunks", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc", true),
        (
            "large and small digits",
            "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
            "01234567890123456789",
            true,
        ),
        ("zeros in front", "0001\r\na\r\n000\r\n\r\n", "a", true),
        ("extensions", "1;a=b;c=\"d e\"\r\nx\r\n0;z\r\n\r\n", "x", true),
        ("blanks behind the size", "1  \r\na\r\n0\t\r\n\r\n", "a", true),
        ("trailers", "1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n", "a", true),
        ("CRLF as data", "2\r\n\r\n\r\n0\r\n\r\n", "\r\n", true),
        ("cut in the data", "4\r\nup", "up", false),
        ("cut before the last chunk", "2\r\nup\r\n", "up", false),
        ("cut before the last line", "2\r\nup\r\n0\r\n", "up", false),
        ("more behind it", "1\r\na\r\n0\r\n\r\nHTTP", "a", true),
    ];
    for (name, wire, want, done) in cases {
        let want = Ok((want.as_bytes().to_vec(), done));
        assert_eq!(copied(&[wire.as_bytes()], 64), want, "{name}");
        assert_eq!(moved(&[wire.as_bytes()]), want, "{name} in place");
    }
}

#[test]
fn malformed_bodies_are_refused() {
    let endless = format!("1;{}", "x".repeat(HEAD + 1));
    let trailer = format!("0\r\n{}", "x".repeat(HEAD + 1));
    let cases = [
        ("no size", "\r\n", Fault::ChunkSize),
        ("not a digit", "g\r\n", Fault::ChunkSize),
        ("a sign", "+1\r\n", Fault::ChunkSize),
        ("hexadecimal prefix", "0x1\r\n", Fault::ChunkSize),
        ("a blank in front", " 1\r\n", Fault::ChunkSize),
        ("digits behind a blank", "1 1\r\n", Fault::ChunkSize),
        ("bare LF behind the size", "1\na", Fault::ChunkSize),
        ("bare CR behind the size", "1\ra", Fault::ChunkSize),
        ("bare LF in an extension", "1;a\nb", Fault::ChunkSize),
        ("more than 64 bits", "10000000000000000\r\n", Fault::ChunkSize),
        ("an extension without end", &endless, Fault::ChunkExtra),
        ("longer than its size", "1\r\nab", Fault::ChunkEnd),
        ("bare LF behind the data", "1\r\na\n", Fault::ChunkEnd),
        ("bare CR behind the data", "1\r\na\rb", Fault::ChunkEnd),
        ("a trailer without end", &trailer, Fault::ChunkExtra),
        ("bare LF in a trailer", "0\r\nA: b\n", Fault::Field),
        ("bare LF at the end", "0\r\n\n", Fault::Field),
        ("bare CR at the end", "0\r\n\rx", Fault::Field),
    ];
    for (name, wire, want) in cases {
        assert_eq!(copied(&[wire.as_bytes()], 64), Err(want), "{name}");
        assert_eq!(moved(&[wire.as_bytes()]), Err(want), "{name} in place");
    }
}

#[test]
fn a_body_is_the_same_wherever_the_wire_is_cut() {
    let wire = b"3;x=y\r\nup \r\nb\r\n1\ndown 0\ntz\r\n0\r\nA: b\r\n\r\n";
    let want = Ok((b"up 1\ndown 0\ntz".to_vec(), true));
    for cut in 0..=wire.len() {
        let pieces = [&wire[..cut], &wire[cut..]];
        assert_eq!(moved(&pieces), want, "in place, cut at {cut}");
        for room in [1, 2, 3, 64] {
            assert_eq!(copied(&pieces, room), want, "cut at {cut}, room for {room}");
        }
    }
    let bytes: Vec<_> = wire.chunks(1).collect();
    assert_eq!(moved(&bytes), want, "byte by byte in place");
    assert_eq!(copied(&bytes, 1), want, "byte by byte");
}

#[test]
fn a_chunk_that_does_not_fit_memory_is_only_large() {
    let mut decoder = Decoder::new();
    let wire = b"ffffffffffffffff\r\nab";
    let run = decoder.next(wire, usize::MAX).unwrap();
    assert_eq!(run, Run { skip: 18, data: 2 });
}

#[test]
fn our_chunks_are_read_back() {
    for size in [1usize, 15, 16, 0x1000, LARGEST] {
        let mut wire = size_line(size).unwrap().to_vec();
        wire.resize(FRONT + size, b'x');
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(LAST);
        assert_eq!(moved(&[&wire]), Ok((vec![b'x'; size], true)), "{size}");
    }
    assert_eq!(size_line(0x2a), Some(*b"002a\r\n"));
    assert_eq!(size_line(LARGEST + 1), None);
}

//! Streams packed and unpacked, cut everywhere, broken everywhere.

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;
use crate::limits::BLOCK;

/// Sizes of the place to write to.
const ROOMS: [usize; 3] = [1, 7, BLOCK];

const PAGE: &str =
    "# HELP up Is it up.\n# TYPE up gauge\nup{instance=\"a\"} 1\nup{instance=\"b\"} 0\n";

/// What `pieces` unpack to, with room for `room` bytes at a time.
fn unpacked(pieces: &[&[u8]], room: usize) -> Result<Vec<u8>, GzipFault> {
    let (mut inflater, mut body, mut out) = (Inflater::new(), Vec::new(), vec![0; room]);
    for (number, piece) in pieces.iter().enumerate() {
        let ended = number + 1 == pieces.len();
        let mut rest = *piece;
        loop {
            let progress = inflater.decode(rest, ended, &mut out)?;
            rest = &rest[progress.used..];
            body.extend_from_slice(&out[..progress.made]);
            if progress == Progress::default() {
                break;
            }
        }
        assert!(rest.is_empty(), "it stopped before the end");
    }
    assert!(inflater.is_done());
    Ok(body)
}

/// What `pieces` pack to, with room for `room` bytes at a time.
fn packed(pieces: &[&[u8]], room: usize) -> Vec<u8> {
    let (mut deflater, mut wire, mut out) = (Deflater::new(), Vec::new(), vec![0; room]);
    for (number, piece) in pieces.iter().enumerate() {
        let ended = number + 1 == pieces.len();
        let mut rest = *piece;
        loop {
            let progress = deflater.encode(rest, ended, &mut out);
            rest = &rest[progress.used..];
            wire.extend_from_slice(&out[..progress.made]);
            if progress == Progress::default() {
                break;
            }
        }
        assert!(rest.is_empty(), "it stopped before the end");
        assert_eq!(deflater.is_done(), ended);
    }
    wire
}

/// A member with every part that a header can have.
fn member_with_everything(body: &[u8]) -> Vec<u8> {
    let flags = HEADER_CRC | EXTRA | NAME | COMMENT;
    let mut wire = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3];
    wire.extend_from_slice(b"\x03\0abcname\0comment\0");
    let mut crc = Crc::new();
    crc.update(&wire);
    wire.extend_from_slice(&crc.sum().to_le_bytes()[..2]);
    wire.extend_from_slice(&packed(&[body], BLOCK)[HEADER.len()..]);
    wire
}

#[test]
fn streams_are_unpacked_wherever_they_are_cut() {
    let one = packed(&[PAGE.as_bytes()], BLOCK);
    let empty = packed(&[b""], BLOCK);
    let full = member_with_everything(PAGE.as_bytes());
    let twice = PAGE.repeat(2);
    let cases = [
        ("a page", one.clone(), PAGE),
        ("nothing", empty.clone(), ""),
        ("a header with everything", full.clone(), PAGE),
        ("two members", [&one[..], &full].concat(), &twice),
        ("empty ones between", [&empty[..], &one, &empty, &empty, &one, &empty].concat(), &twice),
    ];
    for (name, wire, want) in cases {
        for room in ROOMS {
            for cut in 0..=wire.len() {
                let (first, second) = wire.split_at(cut);
                let got =
                    unpacked(&[first, second], room).map(|body| String::from_utf8(body).unwrap());
                assert_eq!(got.as_deref(), Ok(want), "{name} cut at {cut}, room for {room}");
            }
            let bytes: Vec<&[u8]> = wire.chunks(1).collect();
            assert_eq!(unpacked(&bytes, room).as_deref(), Ok(want.as_bytes()), "{name}");
        }
    }
}

#[test]
fn bodies_are_packed_wherever_they_are_cut() {
    let long: String =
        (0..3000).map(|n| format!("metric_{n}{{a=\"{}\"}} {n}\n", n * 7919)).collect();
    for room in ROOMS {
        for cut in 0..=PAGE.len() {
            let (first, second) = PAGE.as_bytes().split_at(cut);
            let wire = packed(&[first, second], room);
            assert_eq!(unpacked(&[&wire], BLOCK).as_deref(), Ok(PAGE.as_bytes()), "{cut}, {room}");
        }
        for pieces in [1, 1000, BLOCK, long.len()] {
            let pieces: Vec<&[u8]> = long.as_bytes().chunks(pieces).collect();
            let wire = packed(&pieces, room);
            assert!(wire.len() < long.len() / 2);
            assert_eq!(unpacked(&[&wire], room).as_deref(), Ok(long.as_bytes()), "room for {room}");
        }
        assert_eq!(unpacked(&[&packed(&[b""], room)], room).as_deref(), Ok(&b""[..]));
    }
}

#[test]
fn broken_streams_are_refused() {
    let good = packed(&[PAGE.as_bytes()], BLOCK);
    let with = |at: usize, byte: u8| {
        let mut wire = good.clone();
        wire[at] ^= byte;
        wire
    };
    let name = [&[0x1f, 0x8b, 8, NAME, 0, 0, 0, 0, 0, 3][..], &vec![b'x'; HEAD]].concat();
    let mut everything = member_with_everything(b"");
    everything[15] ^= 1;
    let end = good.len();
    let cases = [
        ("nothing", Vec::new(), GzipFault::Truncated),
        ("plain text", PAGE.into(), GzipFault::Header),
        ("another method", with(2, 1), GzipFault::Header),
        ("a reserved flag", with(3, 0x20), GzipFault::Header),
        ("an endless name", name, GzipFault::Header),
        ("a header that its checksum denies", everything, GzipFault::Header),
        ("a block type that does not exist", [&HEADER[..], b"\x07"].concat(), GzipFault::Data),
        ("another checksum", with(end - 8, 1), GzipFault::Checksum),
        ("another length", with(end - 1, 1), GzipFault::Length),
        ("the end is missing", good[..end - 1].to_vec(), GzipFault::Truncated),
        ("zeros behind it", [&good[..], b"\0\0"].concat(), GzipFault::Trailing),
        ("half a header behind it", [&good[..], b"\x1f"].concat(), GzipFault::Truncated),
        ("text behind it", [&good[..], b"\x1fup 1"].concat(), GzipFault::Header),
    ];
    for (name, wire, want) in cases {
        for room in ROOMS {
            assert_eq!(unpacked(&[&wire], room), Err(want), "{name}");
            let bytes: Vec<&[u8]> = wire.chunks(1).chain([&b""[..]]).collect();
            assert_eq!(unpacked(&bytes, room), Err(want), "{name}, byte by byte");
        }
    }
}

#[test]
fn no_cut_and_no_wrong_bit_gives_other_bytes() {
    for wire in [packed(&[PAGE.as_bytes()], BLOCK), member_with_everything(PAGE.as_bytes())] {
        for cut in 0..wire.len() {
            for room in ROOMS {
                assert_eq!(unpacked(&[&wire[..cut]], room), Err(GzipFault::Truncated), "{cut}");
            }
        }
        for bit in 0..wire.len() * 8 {
            let mut wire = wire.clone();
            wire[bit / 8] ^= 1 << (bit % 8);
            for room in ROOMS {
                if let Ok(body) = unpacked(&[&wire], room) {
                    assert_eq!(body, PAGE.as_bytes(), "bit {bit}");
                }
            }
        }
    }
}

#[test]
fn a_bomb_makes_no_more_than_there_is_room_for() {
    const MIB: usize = 1 << 20;
    // A mebibyte of zeros, which may be repeated, as the compressor forgets all at its end.
    let (mut compress, mut piece) = (Compress::new(Compression::best(), false), vec![0; 8192]);
    compress.compress(&vec![0; MIB], &mut piece, FlushCompress::Full).unwrap();
    assert_eq!(compress.total_in(), u64::try_from(MIB).unwrap());
    piece.truncate(usize::try_from(compress.total_out()).unwrap());
    let wire = [&HEADER[..], &piece.repeat(1024)].concat();
    assert!(wire.len() < 2 * MIB);

    // A caller whose limit is 8 MiB stops after that; the rest of the wire was not looked at.
    let (mut inflater, mut used, mut made) = (Inflater::new(), 0, 0);
    let mut out = vec![1; BLOCK];
    while made < 8 * MIB {
        let progress = inflater.decode(&wire[used..], true, &mut out).unwrap();
        assert!(progress.made > 0 && out[..progress.made].iter().all(|&b| b == 0));
        used += progress.used;
        made += progress.made;
    }
    assert!(made <= 8 * MIB + BLOCK && used <= 10 * piece.len(), "{made} of {used}");
}

/// What `gzip` makes of `input`; `None` where there is none.
fn gzip(flag: &str, input: &[u8]) -> Option<Vec<u8>> {
    let mut gzip = Command::new("gzip");
    let gzip = gzip.args([flag, "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = gzip.spawn().ok()?;
    // Small enough for a pipe to take whole.
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(output.stdout)
}

#[test]
fn gzip_agrees() {
    let page = PAGE.repeat(100);
    for flag in ["-1", "-9"] {
        let Some(wire) = gzip(flag, page.as_bytes()) else { return };
        assert_eq!(unpacked(&[&wire], 7).as_deref(), Ok(page.as_bytes()), "{flag}");
    }
    let wire = packed(&[page.as_bytes()], 7);
    assert_eq!(gzip("-d", &wire).as_deref(), Some(page.as_bytes()));
}

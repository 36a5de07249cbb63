//! A gzip body: whatever it is, the same comes out however input and output are cut; and what is
//! packed is unpacked as it was.
#![no_main]

use fanin::http::chunked::Progress;
use fanin::http::gzip::{Deflater, GzipFault, Inflater};
use libfuzzer_sys::fuzz_target;

/// More than any input of a fuzzer should unpack to.
const LIMIT: usize = 1 << 20;

fn unpack(wire: &[u8], input: usize, output: usize) -> Result<Vec<u8>, GzipFault> {
    let mut inflater = Inflater::new();
    let (mut used, mut body, mut out) = (0, Vec::new(), vec![0; output]);
    loop {
        let end = wire.len().min(used + input);
        let ended = end == wire.len();
        let progress = inflater.decode(&wire[used..end], ended, &mut out)?;
        used += progress.used;
        body.extend_from_slice(&out[..progress.made]);
        let over = ended && progress == Progress::default();
        if over || body.len() > LIMIT {
            return Ok(body);
        }
    }
}

fn pack(body: &[u8], input: usize, output: usize) -> Vec<u8> {
    let mut deflater = Deflater::new();
    let (mut used, mut wire, mut out) = (0, Vec::new(), vec![0; output]);
    while !deflater.is_done() {
        let end = body.len().min(used + input);
        let progress = deflater.encode(&body[used..end], end == body.len(), &mut out);
        used += progress.used;
        wire.extend_from_slice(&out[..progress.made]);
    }
    wire
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (input, output, bytes) = (usize::from(input.0) + 1, usize::from(input.1) + 1, input.2);
    let whole = unpack(bytes, bytes.len(), 16 * 1024);
    let pieces = unpack(bytes, input, output);
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) if whole.len() > LIMIT => {
            let len = whole.len().min(pieces.len());
            assert_eq!(whole[..len], pieces[..len]);
        }
        // The limit may have stopped one before the fault.
        (Ok(whole), Err(_)) => assert!(whole.len() > LIMIT),
        (Err(_), Ok(pieces)) => assert!(pieces.len() > LIMIT),
        (whole, pieces) => assert_eq!(whole, pieces),
    }
    assert_eq!(unpack(&pack(bytes, input, output), output, input).as_deref(), Ok(bytes));
});

//! A chunked body: the same bytes in place and copied, whole and cut.
#![no_main]

use fanin::http::chunked::Decoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, wire) = input;
    let mut moved = wire.to_vec();
    let mut decoder = Decoder::new();
    let whole = decoder.decode_in_place(&mut moved);
    let done = decoder.is_done();

    let mut copied = vec![0; wire.len()];
    let mut decoder = Decoder::new();
    let (first, second) = wire.split_at(usize::from(cut).min(wire.len()));
    let pieces = decoder.decode(first, &mut copied).and_then(|one| {
        if decoder.is_done() {
            return Ok(one);
        }
        let two = decoder.decode(second, &mut copied[one.made..])?;
        Ok(fanin::http::chunked::Progress { used: one.used + two.used, made: one.made + two.made })
    });
    assert_eq!(whole, pieces);
    if let Ok(progress) = whole {
        assert_eq!(done, decoder.is_done());
        assert_eq!(moved[..progress.made], copied[..progress.made]);
    }
});

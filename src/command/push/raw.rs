//! A page in JSON to a push source's own address, with the question what became of it.

use std::io::{self, BufWriter, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::Failure;
use crate::cli::App;
use crate::json::Escaped;
use crate::limits::{DEFAULT_SCRAPE_TIMEOUT, FAILURE_TEXT};

/// The application and its page.
type Page<'a> = (&'a App, &'a str);

/// To `HOST:PORT`, by the first of its addresses that answers.
pub(super) fn tcp(place: &str, page: Page<'_>) -> Result<(), Failure> {
    let failed = |error| Failure::Io("cannot connect", error);
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in place.to_socket_addrs().map_err(failed)? {
        match TcpStream::connect_timeout(&address, DEFAULT_SCRAPE_TIMEOUT) {
            Err(error) => last = error,
            Ok(stream) => {
                let limited = stream
                    .set_read_timeout(Some(DEFAULT_SCRAPE_TIMEOUT))
                    .and_then(|()| stream.set_write_timeout(Some(DEFAULT_SCRAPE_TIMEOUT)));
                limited.map_err(failed)?;
                let sent = send(&mut &stream, page).and_then(|()| stream.shutdown(Shutdown::Write));
                return answer(&mut &stream, sent);
            }
        }
    }
    Err(failed(last))
}

/// To a socket of this machine.
pub(super) fn unix(path: &Path, page: Page<'_>) -> Result<(), Failure> {
    let failed = |error| Failure::Io("cannot connect", error);
    let stream = UnixStream::connect(path).map_err(failed)?;
    let limited = stream
        .set_read_timeout(Some(DEFAULT_SCRAPE_TIMEOUT))
        .and_then(|()| stream.set_write_timeout(Some(DEFAULT_SCRAPE_TIMEOUT)));
    limited.map_err(failed)?;
    let sent = send(&mut &stream, page).and_then(|()| stream.shutdown(Shutdown::Write));
    answer(&mut &stream, sent)
}

/// Writes the document and the question.
fn send(to: &mut dyn Write, (App(app), text): Page<'_>) -> io::Result<()> {
    let mut out = BufWriter::new(to);
    writeln!(out, "{{\"{}\":\"{}\"}}[]", Escaped(app), Escaped(text))?;
    out.flush()
}

/// Reads what became of it. Where not all was sent, an answer still says most.
fn answer(from: &mut dyn Read, sent: io::Result<()>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(2 * FAILURE_TEXT).unwrap_or(u64::MAX);
    let read = from.take(most).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let line = text.trim_end();
    match (line.strip_prefix("accepted "), sent, read) {
        (Some("1"), ..) => Ok(()),
        (Some(counts), ..) => match counts.strip_prefix("0, refused 1: ") {
            Some(why) => Err(Failure::Refused(why.to_owned())),
            None => Err(Failure::Strange(line.to_owned())),
        },
        (None, ..) if !line.is_empty() => Err(Failure::Strange(line.to_owned())),
        (None, Err(error), _) => Err(Failure::Io("not all was sent", error)),
        (None, _, Err(error)) if late(&error) => Err(Failure::Io("no answer in time", error)),
        (None, _, _) => Err(Failure::Silent),
    }
}

fn late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let cut = || Err(io::ErrorKind::BrokenPipe.into());
        let cases: [(&str, io::Result<()>, &str); 7] = [
            ("accepted 1\n", Ok(()), ""),
            ("accepted 1\n", cut(), ""),
            ("accepted 0, refused 1: app=\"a\": why\n", Ok(()), "refused: app=\"a\": why"),
            ("accepted 2\n", Ok(()), "this is no answer"),
            ("HTTP/1.1 400 Bad Request\r\n", Ok(()), "this is no answer"),
            ("", Ok(()), "closed without an answer"),
            ("", cut(), "not all was sent: "),
        ];
        for (text, sent, want) in cases {
            let said = match answer(&mut text.as_bytes(), sent) {
                Ok(()) => String::new(),
                Err(failure) => failure.to_string(),
            };
            assert!(said.starts_with(want) && said.is_empty() == want.is_empty(), "{text}: {said}");
        }
    }
}

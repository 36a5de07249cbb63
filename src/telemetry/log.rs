//! The log: standard error, one event a line.
//!
//! A line is made in a buffer of [`limits::LOG_LINE`] bytes on the stack and leaves in one write, so
//! that lines of several processes stay whole and logging allocates nothing. A longer message is cut
//! and ends with `…`. Line ends and other control characters in a message are escaped: who can make
//! fanin log something cannot make it log a second line.
//!
//! The time is the system's, in UTC; a board without a clock starts in 1970, and so do its lines.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use log::{Level, LevelFilter, Log, Metadata, Record};
use serde::Serialize;

use super::clock;
use crate::limits;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-21T09:44:39Z info  listening on tcp://127.0.0.1:10555`
    Text,
    /// `{"time":"2026-11-21T09:44:39Z","level":"info","message":"listening on …"}`
    Json,
    /// `<6>listening on …`: the journal has a clock of its own, and takes the level as a number.
    Journald,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "text" | "logfmt" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "journald" => Ok(Self::Journald),
            _ => Err("is none of text, json, journald"),
        }
    }
}

impl Format {
    /// [`Format::Journald`] where standard error is the journal's, else [`Format::Text`].
    ///
    /// # Source
    ///
    /// `JOURNAL_STREAM` in systemd.exec(5): device and inode of the stream, to be compared, as a
    /// child of the service inherits the variable and not always the stream.
    #[must_use]
    pub fn detect() -> Self {
        let stream = std::env::var("JOURNAL_STREAM").ok();
        let ours = stderr_id();
        match (stream, ours) {
            (Some(stream), Some(ours)) if stream == ours => Self::Journald,
            _ => Self::Text,
        }
    }
}

/// Device and inode of standard error, as `JOURNAL_STREAM` has them.
fn stderr_id() -> Option<String> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    let stderr = io::stderr().as_fd().try_clone_to_owned().ok()?;
    let metadata = std::fs::File::from(stderr).metadata().ok()?;
    Some(format!("{}:{}", metadata.dev(), metadata.ino()))
}

/// Starts logging; before it, and after a second call, nothing changes.
pub fn start(level: LevelFilter, format: Format) {
    if log::set_boxed_logger(Box::new(Logger { format })).is_ok() {
        log::set_max_level(level);
    }
}

/// Whether a line can be written without waiting for whoever reads the log.
#[must_use]
pub fn has_room() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let stderr = io::stderr();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // A pipe that can be written takes 4 KiB at once.
    poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&now)) != Ok(0)
}

/// An error and all that caused it, joined by `: `. `{:#}` is for the log: paths of ours are whole
/// there.
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

struct Logger {
    format: Format,
}

impl Log for Logger {
    /// Ours at every level; what the libraries under us say matters from a warning on.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
        ours || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let now = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut line = Line::new();
        line.event(self.format, record.level(), now, record.args());
        // There is no other place to say that this failed.
        let _ = io::stderr().lock().write_all(line.finished());
    }

    fn flush(&self) {}
}

/// Stands at the end of a message that was cut.
const CUT: &str = "…";

/// A line in the making.
struct Line {
    bytes: heapless::Vec<u8, { limits::LOG_LINE }>,
}

impl Line {
    const fn new() -> Self {
        Self { bytes: heapless::Vec::new() }
    }

    /// The line, with its end.
    fn finished(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes one event. `now` counts seconds from 1970.
    fn event(&mut self, format: Format, level: Level, now: u64, message: &fmt::Arguments<'_>) {
        match format {
            Format::Text => {
                self.put(format_args!("{} {:<5} ", Utc(now), name(level)));
                self.message(message);
            }
            Format::Journald => {
                self.put(format_args!("<{}>", priority(level)));
                self.message(message);
            }
            Format::Json => self.json(level, now, message),
        }
        let _ = self.bytes.push(b'\n');
    }

    /// Writes what is known to fit.
    fn put(&mut self, text: fmt::Arguments<'_>) {
        let _ = Room { bytes: &mut self.bytes, left: usize::MAX, escape: false }.write_fmt(text);
    }

    /// Writes the message, escaped, leaving room for [`CUT`] and the line's end.
    fn message(&mut self, message: &fmt::Arguments<'_>) {
        let used = self.bytes.len().saturating_add(CUT.len()).saturating_add(1);
        let left = limits::LOG_LINE.saturating_sub(used);
        let mut room = Room { bytes: &mut self.bytes, left, escape: true };
        if room.write_fmt(*message).is_err() {
            let _ = self.bytes.extend_from_slice(CUT.as_bytes());
        }
    }

    /// Writes the event as an object. Escaping makes a message up to six times as long; where it
    /// does not fit, half of it is tried.
    fn json(&mut self, level: Level, now: u64, message: &fmt::Arguments<'_>) {
        #[derive(Serialize)]
        struct Event<'a> {
            time: &'a str,
            level: &'a str,
            message: &'a str,
        }

        let mut time = heapless::String::<32>::new();
        let _ = write!(time, "{}", Utc(now));
        let mut left = limits::LOG_LINE;
        loop {
            let mut text = heapless::Vec::<u8, { limits::LOG_LINE }>::new();
            let most = left.saturating_sub(CUT.len());
            if (Room { bytes: &mut text, left: most, escape: false }).write_fmt(*message).is_err() {
                let _ = text.extend_from_slice(CUT.as_bytes());
            }
            let message = str::from_utf8(&text).unwrap_or_default();
            let event = Event { time: &time, level: name(level), message };
            self.bytes.resize(limits::LOG_LINE.saturating_sub(1), 0).unwrap_or_default();
            if let Ok(used) = serde_json_core::to_slice(&event, &mut self.bytes) {
                self.bytes.truncate(used);
                return;
            }
            self.bytes.clear();
            left /= 2;
        }
    }
}

/// Takes text up to a number of bytes, whole characters only.
struct Room<'a> {
    bytes: &'a mut heapless::Vec<u8, { limits::LOG_LINE }>,
    left: usize,
    escape: bool,
}

impl Room<'_> {
    fn take(&mut self, text: &str) -> fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        self.bytes.extend_from_slice(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

impl fmt::Write for Room<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.escape && c.is_control() {
                c.escape_default().try_for_each(|c| self.take(c.encode_utf8(&mut [0; 4])))?;
            } else {
                self.take(c.encode_utf8(&mut [0; 4]))?;
            }
        }
        Ok(())
    }
}

/// A level's name in text and JSON.
const fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// A level as syslog's number; see sd-daemon(3).
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Prints seconds since 1970 as `2026-11-21T09:44:39Z`.
pub struct Utc(pub u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: u64 = 86_400;
        let (days, second) = (self.0 / DAY, self.0 % DAY);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// # Source
///
/// `civil_from_days` in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms", for days
/// from 1970 on. Years begin in March there, so that the leap day is the last.
#[expect(clippy::arithmetic_side_effects, reason = "days of u64 seconds are below 2^48")]
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_254_279;

    fn line(format: Format, level: Level, message: &str) -> String {
        let mut line = Line::new();
        line.event(format, level, NOW, &format_args!("{message}"));
        String::from_utf8(line.finished().to_vec()).unwrap()
    }

    #[test]
    fn one_event_is_one_line() {
        use Format::{Journald, Json, Text};
        let cases = [
            (Text, Level::Info, "listening on x", "2026-11-21T09:44:39Z info  listening on x\n"),
            (
                Text,
                Level::Error,
                "a\nb\r\t\u{1b}[1m\u{85}",
                "2026-11-21T09:44:39Z error a\\nb\\r\\t\\u{1b}[1m\\u{85}\n",
            ),
            (Text, Level::Warn, "ä \"\\", "2026-11-21T09:44:39Z warn  ä \"\\\n"),
            (Journald, Level::Error, "x", "<3>x\n"),
            (Journald, Level::Warn, "x", "<4>x\n"),
            (Journald, Level::Info, "x\ny", "<6>x\\ny\n"),
            (Journald, Level::Trace, "x", "<7>x\n"),
            (
                Json,
                Level::Debug,
                "a\"\\\n\u{1}ä",
                concat!(
                    r#"{"time":"2026-11-21T09:44:39Z","level":"debug","message":"a\"\\\n\u0001ä"}"#,
                    "\n"
                ),
            ),
        ];
        for (format, level, message, want) in cases {
            assert_eq!(line(format, level, message), want, "{format:?} {message}");
        }
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        for (format, end) in
            [(Format::Text, "…\n"), (Format::Journald, "…\n"), (Format::Json, "…\"}\n")]
        {
            for message in ["x", "é", "\u{1}", "\"", "€x"] {
                for times in [limits::LOG_LINE, 10 * limits::LOG_LINE] {
                    let line = line(format, Level::Info, &message.repeat(times));
                    assert!(line.len() <= limits::LOG_LINE, "{format:?} {message:?}");
                    assert!(line.ends_with(end), "{format:?} {message:?} {line}");
                    assert_eq!(line.matches('\n').count(), 1, "{format:?} {message:?}");
                }
            }
        }
    }

    #[test]
    fn a_message_that_just_fits_is_whole() {
        let room = limits::LOG_LINE - "<6>\n".len() - CUT.len();
        for (extra, whole) in [(0, true), (1, false)] {
            let message = "x".repeat(room + extra);
            let line = line(Format::Journald, Level::Info, &message);
            assert_eq!(line.contains(CUT), !whole, "{extra}");
        }
    }

    #[test]
    fn seconds_become_a_date() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (86_399, "1970-01-01T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (NOW, "2026-11-21T09:44:39Z"),
        ];
        for (seconds, want) in cases {
            assert_eq!(Utc(seconds).to_string(), want, "{seconds}");
        }
        assert!(!Utc(u64::MAX).to_string().is_empty());
    }

    #[test]
    fn each_day_follows_the_last() {
        let mut before = civil(0);
        for days in 1..200_000 {
            let next = civil(days);
            let same_month = (before.0, before.1) == (next.0, next.1) && next.2 == before.2 + 1;
            let new_month = next.2 == 1 && before.2 >= 28;
            assert!(same_month || new_month, "{before:?} {next:?}");
            before = next;
        }
    }

    #[test]
    fn libraries_speak_from_a_warning_on() {
        let logger = Logger { format: Format::Text };
        let cases = [
            ("fanin", Level::Trace, true),
            ("fanin::source::http", Level::Debug, true),
            ("faninx", Level::Info, false),
            ("polling", Level::Info, false),
            ("polling", Level::Warn, true),
        ];
        for (target, level, want) in cases {
            let metadata = Metadata::builder().target(target).level(level).build();
            assert_eq!(logger.enabled(&metadata), want, "{target} {level}");
        }
    }

    #[test]
    fn causes_are_joined() {
        let cause = io::Error::other("inner");
        let error = io::Error::other(cause);
        assert_eq!(Chain(&error).to_string(), "inner");
        let fault = crate::config::load(std::path::Path::new("/nowhere/x")).unwrap_err();
        let text = Chain(&fault).to_string();
        assert_eq!(text, "cannot read /nowhere/x: No such file or directory (os error 2)");
    }
}

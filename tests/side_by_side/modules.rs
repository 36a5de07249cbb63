//! The modules that both have, as each of them writes them, and the exporters behind.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::exporter::{TEXT, ok, reply};
use crate::common::{Conversation, Exporter, Folder, Setup};

/// A page that is worth packing.
const LONG: &str = "up 1\n";

/// Modules of method http: their names, paths, and whether pages are checked.
const HTTP: [(&str, &str, bool); 11] = [
    ("good", "/good", true),
    ("blackbox", "/probe", true),
    ("missing", "/missing", true),
    ("broken", "/broken", true),
    ("slow", "/slow", true),
    ("malformed", "/malformed", true),
    ("unchecked", "/malformed", false),
    ("html", "/html", true),
    ("gzip", "/gzip", true),
    ("untyped", "/untyped", true),
    ("mistyped", "/mistyped", true),
];

/// Modules of method exec: their names and scripts.
const EXEC: [(&str, &str); 4] = [
    ("script", "echo up 1"),
    ("failing", "echo up 1; exit 3"),
    ("lingering", "exec sleep 20"),
    ("babbling", "echo all is well"),
];

/// Modules of method file: their names, and what is in the file, if there is one.
const FILES: [(&str, Option<&str>); 3] =
    [("cron", Some("up 1\n")), ("gone", None), ("bad", Some("up 1\nall is well\n"))];

/// Those that may take a second, and take longer.
const LATE: [&str; 2] = ["slow", "lingering"];

/// The body of the exporter that packs its page.
pub(crate) fn packed() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(LONG.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// All exporters, told apart by the path.
pub(crate) fn upstream() -> Exporter {
    Exporter::talking(|conversation| {
        while let Some(head) = conversation.request() {
            let target = head.split(' ').nth(1).unwrap().to_owned();
            if target == "/slow" {
                return conversation.until_closed();
            }
            let bodiless = head.starts_with("HEAD ");
            let mut answer = answer(&target, head.to_ascii_lowercase().contains("gzip"));
            if bodiless {
                let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
                answer.truncate(end + 4);
            }
            Conversation::send(conversation, &answer);
        }
    })
}

fn answer(target: &str, gzip: bool) -> Vec<u8> {
    match target {
        "/missing" => reply("404 Not Found", &[("Content-Type", "text/plain")], "no page here\n"),
        "/broken" => reply("500 Oh", &[("Content-Type", "text/plain")], "the exporter's words\n"),
        "/malformed" => ok(TEXT, "up 1\nall is well\n"),
        "/html" => ok("text/html", "<html>log in first</html>\n"),
        "/untyped" => reply("200 OK", &[], "up 1\n"),
        "/mistyped" => ok("text/html", "up 1\n"),
        "/gzip" if gzip => {
            let body = packed();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {TEXT}\r\nContent-Encoding: gzip\r\n\
                 Content-Length: {}\r\n\r\n",
                body.len()
            );
            [head.into_bytes(), body].concat()
        }
        "/gzip" => ok(TEXT, LONG),
        probe if probe.starts_with("/probe") => {
            ok(TEXT, &format!("asked{{for=\"{}\"}} 1\n", probe.trim_start_matches("/probe")))
        }
        _ => ok(TEXT, "up 1\n"),
    }
}

/// What the program reads. The files are written too.
pub(crate) fn ours(upstream: &str) -> Setup {
    let timeout = |name: &str| if LATE.contains(&name) { ", timeout: 1s" } else { "" };
    let mut setup = Setup::new()
        .route("/proxy", "{proxy: all}")
        .route("/default", "{proxy: {sources: all, default: good}}")
        .source_at("refused", "http://127.0.0.1:1/metrics", "", "");
    for (name, path, verify) in HTTP {
        let url = format!("http://{upstream}{path}");
        setup = setup.source_at(name, &url, "", &format!("verify: {verify}{}", timeout(name)));
    }
    for (name, script) in EXEC {
        let late = timeout(name);
        setup =
            setup.source_of(name, &format!("{{exec: {{command: [sh, {name}.sh], cwd: .}}{late}}}"));
        setup.folder().write(&format!("{name}.sh"), script);
    }
    for (name, text) in FILES {
        setup = setup.source_of(name, &format!("{{file: {{path: {name}.prom}}}}"));
        if let Some(text) = text {
            setup.folder().write(&format!("{name}.prom"), text);
        }
    }
    setup
}

/// What exporter_exporter reads, with the same scripts; no version of it lacks any of these.
pub(crate) fn theirs(upstream: &str, folder: &Folder) -> String {
    let (address, port) = upstream.split_once(':').unwrap();
    let timeout = |name: &str| if LATE.contains(&name) { ", timeout: 1s" } else { "" };
    let mut text = String::from("modules:\n  refused: {method: http, http: {port: 1}}\n");
    for (name, path, verify) in HTTP {
        let http = format!("address: {address}, port: {port}, path: {path}, verify: {verify}");
        text.push_str(&format!("  {name}: {{method: http, http: {{{http}}}{}}}\n", timeout(name)));
    }
    for (name, _) in EXEC {
        let exec = format!("command: sh, args: [{}/{name}.sh]", folder.path().display());
        text.push_str(&format!("  {name}: {{method: exec, exec: {{{exec}}}{}}}\n", timeout(name)));
    }
    text
}

/// The files, which not every version of it reads.
pub(crate) fn their_files(folder: &Folder) -> String {
    let mut text = String::from("modules:\n");
    for (name, _) in FILES {
        let path = folder.path().display();
        text.push_str(&format!("  {name}: {{method: file, file: {{path: {path}/{name}.prom}}}}\n"));
    }
    text
}

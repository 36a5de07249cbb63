//! What is typed, and what becomes of it.

use super::*;
use crate::config::OnConflict;

fn typed(line: &str) -> Result<Command, Early> {
    parse(line.split_whitespace().map(OsString::from))
}

#[test]
fn words_are_put_into_our_form() {
    let cases = [
        ("serve --listen :1", "serve --listen :1"),
        ("serve --listen=:1", "serve --listen :1"),
        ("serve --web.listen-address=:1", "serve --listen :1"),
        ("serve --web.listen-address :1", "serve --listen :1"),
        ("serve --config.file=a.b=c", "serve --config a.b=c"),
        ("serve --log.level=debug --log.format json", "serve --log-level debug --log-format json"),
        ("serve -config.file=x -log.level debug", "serve --config x --log-level debug"),
        ("merge -- --a.b=c", "merge -- --a.b=c"),
        ("merge a.b=c.d", "merge a.b=c.d"),
        ("merge --label=", "merge --label "),
    ];
    for (line, want) in cases {
        let words = rewrite(line.split(' ').map(OsString::from)).unwrap();
        assert_eq!(words.join(" "), want, "{line}");
    }
}

#[test]
fn commands_are_read() {
    let serve = |config: Option<&str>, listen: &[&str]| {
        Command::Serve(Serve {
            config: config.map(PathBuf::from),
            listen: listen.iter().map(|l| l.parse().unwrap()).collect(),
            log_level: log::LevelFilter::Info,
            log_format: None,
        })
    };
    let page = |name: &str, place| NamedPage { name: name.into(), place };
    let merge = |pages: Vec<NamedPage>, label: Option<&str>, on_conflict| {
        Command::Merge(Merge { pages, label: Label(label.map(Box::from)), on_conflict })
    };
    let cases = [
        ("serve", serve(None, &[])),
        ("serve --listen 1 --listen :2", serve(None, &["127.0.0.1:1", ":2"])),
        ("serve --config.file=a.yaml", serve(Some("a.yaml"), &[])),
        ("init", Command::Init(Init {})),
        ("check a", Command::Check(Check { file: "a".into() })),
        ("check -- --a", Command::Check(Check { file: "--a".into() })),
        ("lint", Command::Lint(Lint { file: None })),
        (
            "merge a=x b=- --label none --on-conflict keep",
            merge(
                vec![page("a", Place::File("x".into())), page("b", Place::StandardInput)],
                None,
                OnConflict::Keep,
            ),
        ),
        (
            "merge a=http://h/?x=y",
            merge(
                vec![page("a", Place::Url("http://h/?x=y".into()))],
                Some("exporter_name"),
                OnConflict::Rename,
            ),
        ),
    ];
    for (line, want) in cases {
        assert_eq!(typed(line), Ok(want), "{line}");
    }
}

#[test]
fn wrong_use_is_told_in_one_line() {
    let serve = " (see `fanin serve --help`)";
    let cases = [
        ("serve --lissten 1", "there is no flag --lissten", serve),
        ("serve --config", "--config needs a value", serve),
        ("serve --config a --config b", "--config: \"b\" is one value too many", serve),
        ("serve --listen x", "--listen: \"x\" has no port (HOST:PORT)", serve),
        (
            "serve --log-level loud",
            "--log-level: \"loud\" is none of error, warn, info, debug, trace",
            serve,
        ),
        ("serve --log-format xml", "--log-format: \"xml\" is none of text, json, journald", serve),
        ("serve x", "\"x\" is one word too many", serve),
        ("check", "FILE is missing", " (see `fanin check --help`)"),
        ("check a b", "\"b\" is one word too many", " (see `fanin check --help`)"),
        ("merge", "NAME=FILE_OR_URL is missing", " (see `fanin merge --help`)"),
        ("merge a", "\"a\" is not NAME=FILE_OR_URL", " (see `fanin merge --help`)"),
        (
            "merge a=b --label le",
            "--label: \"le\" belongs to histograms and summaries",
            " (see `fanin merge --help`)",
        ),
        ("srve", "there is no command \"srve\"; did you mean \"serve\"?", " (see `fanin --help`)"),
        (
            "--listen=:1",
            "there is no flag --listen before a command such as serve",
            " (see `fanin --help`)",
        ),
    ];
    for (line, message, more) in cases {
        assert_eq!(typed(line), Err(Early::Usage(format!("fanin: {message}{more}"))), "{line}");
    }
}

#[test]
fn help_and_version_are_answers() {
    for line in ["--help", "-h", "help", "serve --help", "help serve", "serve -h", "lint help"] {
        let Err(Early::Answer(text)) = typed(line) else { panic!("{line}") };
        assert!(text.starts_with("Usage: fanin"), "{line}: {text}");
    }
    for line in ["--version", "-V"] {
        assert_eq!(typed(line), Err(Early::Answer(VERSION.to_owned())), "{line}");
    }
    let Err(Early::Usage(text)) = typed("") else { panic!("no command") };
    assert!(text.contains("serve") && text.contains("merge"), "{text}");
}

//! The README against the program: its configurations load, and its tables name what there is, no
//! more and no less.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fanin::config::{self, ConfigError, Limits, Plan};
use fanin::limits;
use fanin::memory::Counters;
use fanin::telemetry::metrics::{FileTime, Metrics, Now, Scrape, SourceStats};
use fanin::telemetry::pipe::{Attempt, PipeStats};

const README: &str = include_str!("../README.md");

/// The source files whose names the README repeats.
const MANIFEST: &str = include_str!("../Cargo.toml");
const KEYS: &str = include_str!("../src/config/file.rs");
const ERRORS: &str = include_str!("../src/source/error.rs");
const PORTS: &str = include_str!("../src/source/discover.rs");

/// The files that a YAML block may be; the first line says which.
const FANIN: &str = "# fanin.yaml\n";
const OTHERS: [&str; 5] = [
    "# prometheus.yml\n",
    "# reverse_exporter.yml\n",
    "# expexp.yaml\n",
    "# merger.yaml\n",
    "# conf.d/node.yaml\n",
];

/// Begins the sentence between the two tables of metrics and of reasons.
const REASONS: &str = "Why a source failed";

/// The blocks of a language, without their fences.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let block = |rest: &'static str| &rest[..rest.find("```").unwrap()];
    README.split(&begin).skip(1).map(block).collect()
}

/// The text below a heading, up to the next one of any level.
fn section(heading: &str) -> &'static str {
    let begin = format!("\n{heading}\n");
    let (_, rest) =
        README.split_once(&begin).unwrap_or_else(|| panic!("no heading {heading} in README.md"));
    let ends = ["\n## ", "\n### "].into_iter().filter_map(|next| rest.find(next));
    &rest[..ends.min().unwrap_or(rest.len())]
}

/// The first cells of the table rows that begin with code, without the backticks.
fn code_cells(text: &'static str) -> BTreeSet<&'static str> {
    let cell =
        |line: &'static str| line.strip_prefix("| `")?.split_once("` |").map(|(cell, _)| cell);
    text.lines().filter_map(cell).collect()
}

/// The row of the table below `heading` whose first cell is `key`.
fn row(heading: &str, key: &str) -> &'static str {
    let begin = format!("| `{key}` | ");
    let row = section(heading).lines().find(|line| line.starts_with(&begin));
    row.unwrap_or_else(|| panic!("no row for {key} below {heading}"))
}

/// Every word in double quotes.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

fn load(text: &str) -> Result<Plan, ConfigError> {
    let environment = |_: &str| Some("secret".to_owned());
    config::parse(text, Path::new("fanin.yaml"), &environment)
}

#[test]
fn every_configuration_loads() {
    let yaml = blocks("yaml");
    let ours: Vec<&str> = yaml.iter().filter(|block| block.starts_with(FANIN)).copied().collect();
    for block in &yaml {
        let known = OTHERS.iter().chain([&FANIN]).any(|first| block.starts_with(first));
        assert!(known, "the first line must say which file this is:\n{block}");
    }
    assert!(ours.len() >= 4, "{} configurations", ours.len());
    for block in ours {
        if let Err(error) = load(block) {
            panic!("{error:#}\n{block}");
        }
    }
}

/// What the text blocks show as a message is one.
#[test]
fn the_quoted_fault_is_what_the_program_says() {
    let first = *blocks("yaml").iter().find(|block| block.starts_with(FANIN)).unwrap();
    let mistyped = first.replacen("[self, node,", "[self, nod,", 1);
    let error = load(&mistyped).map(|_| ()).unwrap_err();
    let said = format!("{error:#}");
    assert!(README.contains(&format!("```text\n{}\n```", said.trim_end())), "{said}");
}

/// The names of the maps in `keys!`, built and refused.
fn keys() -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let (mut built, mut later) = (BTreeSet::new(), BTreeSet::new());
    for map in KEYS.split("\nkeys! {").skip(1) {
        let map = &map[..map.find("\n}").unwrap()];
        let (fields, refused) = map.split_once("later: [").unwrap();
        let field = |line: &'static str| line.strip_prefix("        ")?.split_once(':');
        built.extend(fields.lines().filter_map(field).map(|(key, _)| key));
        later.extend(quoted(&refused[..refused.find(']').unwrap()]));
    }
    assert!(built.len() > 20 && !later.is_empty(), "{built:?} {later:?}");
    (built, later)
}

#[test]
fn every_key_is_in_the_table_and_no_other() {
    let (built, later) = keys();
    let last = |path: &'static str| path.rsplit('.').next().unwrap().trim_end_matches("[]");
    let told: BTreeSet<&str> =
        code_cells(section("## Configuration")).into_iter().map(last).collect();
    assert_eq!(told, built);
    for key in later {
        assert!(section("## Not built yet").contains(&format!("`{key}`")), "{key}");
    }
}

/// A source that has failed and one that has not, so that every family is on the page.
fn own_page() -> String {
    let (good, bad) = (SourceStats::default(), SourceStats::default());
    let (at, took) = (Instant::now(), Duration::from_millis(1));
    let scrape = Scrape { at, took, samples: Some(1), bytes: 1, failure: None };
    good.record(scrape);
    good.found(vec![FileTime { path: "a.prom".into(), mtime: 1.0 }]);
    good.dropped(1);
    good.push.listens();
    good.push.refused("kept");
    bad.record(Scrape { failure: Some("timeout"), ..scrape });
    let metrics = Metrics::default();
    metrics.request(&Rc::from("s"), &Rc::from("/"), 200, took);
    metrics.login_failed(&Rc::from("s"));
    metrics.handshake_failed(&Rc::from("s"));
    let pipe = PipeStats::new("p");
    let attempt = Attempt { at, took, samples: 1, bytes: 1, failure: None };
    pipe.record(attempt, 0);
    pipe.record(Attempt { failure: Some(("timeout", 0)), ..attempt }, 1);
    metrics.set_pipes(vec![Rc::new(pipe)]);
    let mut page = String::new();
    let blocks = Counters { total: 1, used: 0, promised: 0, free: 1, kept: 0, waiting: 0 };
    let sources = [("good", &good), ("bad", &bad)];
    let now = Now { sources: &sources, server: "s", blocks, connections: 0 };
    metrics.render(&now, &mut page).unwrap();
    page
}

#[test]
fn every_own_metric_is_in_the_table_with_its_type_and_no_other() {
    let page = own_page();
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let have: BTreeSet<(&str, &str)> = types.collect();
    let metric = |line: &'static str| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        rest.split_once(" |").map(|(kind, _)| (name, kind))
    };
    let (table, _) = section("## Own metrics").split_once(REASONS).unwrap();
    let told: BTreeSet<(&str, &str)> = table.lines().filter_map(metric).collect();
    assert_eq!(told, have);
    // Elsewhere in the text too.
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // Packages begin so too, followed by their version.
    let metric = |word: &&str| {
        // Probed printers have one that is none of fanin's own.
        *word != "fanin_probe_success"
            && word
                .strip_prefix("fanin_")
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_numeric()))
    };
    for word in README.split(|c| !letter(c)).filter(metric) {
        assert!(have.iter().any(|(name, _)| *name == word), "{word}");
    }
}

/// The packages that `cross/package TARGET` makes, as the target's own file names them.
fn packages(target: &str) -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets").join(target);
    let text = std::fs::read_to_string(file).unwrap_or_else(|fault| panic!("{target}: {fault}"));
    let setting = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let version = env!("CARGO_PKG_VERSION");
    let suffix = setting("debian_suffix");
    let deb = format!("fanin_{version}-1{suffix}_{}.deb", setting("debian"));
    let openwrt = setting("openwrt");
    let ipk = openwrt.split(' ').map(|word| format!("fanin_{version}-r1_{word}.ipk"));
    ipk.chain([deb]).collect()
}

#[test]
fn the_packages_of_each_board_are_those_that_are_made() {
    let mut told = BTreeSet::new();
    for line in section("## On a board").lines() {
        let cells: Vec<&str> =
            line.split(" | `").map(|cell| cell.trim_matches(['`', '|', ' '])).collect();
        let &[_, target, package] = &cells[..] else { continue };
        if !package.starts_with("fanin_") {
            continue;
        }
        assert!(packages(target).contains(package), "{line}");
        told.insert(target);
    }
    let targets = ["aarch64", "armv5te", "armv6", "armv7", "mipsel", "riscv64", "x86_64"];
    assert_eq!(told, BTreeSet::from(targets));
    for name in ["TARGET.tar.gz", "TARGET.oci.tar", "aarch64.oci.tar"] {
        let name = format!("fanin-{}-{name}", env!("CARGO_PKG_VERSION"));
        assert!(README.contains(&name), "{name}");
    }
}

#[test]
fn every_reason_is_in_the_table() {
    let (_, function) = ERRORS.split_once("fn reason").unwrap();
    let lines = function[..function.find("\n    }\n").unwrap()].lines();
    let reasons = lines.filter(|line| !line.contains("#[cfg(")).flat_map(quoted).collect();
    let (_, table) = section("## Own metrics").split_once(REASONS).unwrap();
    assert_eq!(code_cells(table), reasons);
}

#[test]
fn every_part_is_in_the_table_and_no_other() {
    let (_, features) = MANIFEST.split_once("\n[features]\n").unwrap();
    let (features, _) = features.split_once("\n[").unwrap();
    let lines = features.lines().filter(|line| !line.starts_with('#'));
    let names: BTreeSet<&str> = lines.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    let mut told = code_cells(section("## Parts"));
    assert!(told.insert("default"));
    assert_eq!(told, names);
}

#[test]
fn the_ports_of_discovery_are_told() {
    let (_, listed) = section("## Commands").split_once("all at once, for 2 seconds: ").unwrap();
    let mut told = BTreeSet::new();
    for part in listed[..listed.find('.').unwrap()].split(',') {
        let (first, last) = part.trim().split_once(" to ").unwrap_or((part.trim(), part.trim()));
        told.extend(first.parse::<u16>().unwrap()..=last.parse().unwrap());
    }
    let (_, table) = PORTS.split_once("const WELL_KNOWN").unwrap();
    let row = |line: &str| line.trim().strip_prefix('(')?.split_once(',')?.0.parse().ok();
    let asked: BTreeSet<u16> = table.lines().filter_map(row).collect();
    assert_eq!(told, asked);
    assert!(!asked.is_empty() && !asked.contains(&limits::DEFAULT_PORT));
}

#[test]
fn the_default_address_is_told() {
    let address = Plan::loopback().to_string();
    let address = address.strip_prefix("tcp://").unwrap();
    assert_eq!(address, format!("127.0.0.1:{}", limits::DEFAULT_PORT));
    for text in [format!("<http://{address}/metrics>"), format!("`{address}`")] {
        assert!(README.contains(&text), "{text}");
    }
}

/// `16KiB`, `8MiB`, as the configuration has it.
fn size(bytes: usize) -> String {
    match bytes.trailing_zeros() {
        30.. => format!("{}GiB", bytes >> 30),
        20.. => format!("{}MiB", bytes >> 20),
        _ => format!("{}KiB", bytes >> 10),
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// One row for each limit that the configuration changes: its default and its bounds.
#[test]
fn the_defaults_are_those_of_the_program() {
    let default = Limits::default();
    assert_eq!(default.kept, default.memory / 2);
    let (memory, body) = (size(limits::DEFAULT_MEMORY), size(limits::DEFAULT_BODY));
    let year = format!("above 0, {}d", limits::MAX_DURATION.as_secs() / 86_400);
    let longest = seconds(limits::MAX_SCRAPE_TIMEOUT);
    let memory_range = format!("{} to {}", size(limits::MIN_MEMORY), size(limits::MAX_MEMORY));
    let rows = [
        ("memory", format!("`{memory}` | {memory_range}")),
        (
            "body",
            format!(
                "`{body}`, or half of `memory` if that is less | {} to half of `memory`",
                size(limits::BLOCK)
            ),
        ),
        ("kept", "half of `memory` | `memory`".to_owned()),
        ("families", format!("`{}` | {}", default.families, limits::MAX_FAMILIES)),
        ("connections", format!("`{}` | {}", default.connections, limits::MAX_CONNECTIONS)),
        ("header_timeout", format!("`{}` | {year}", seconds(default.header_timeout))),
        ("idle_timeout", format!("`{}` | {year}", seconds(default.idle_timeout))),
        ("body_timeout", format!("`{}` | {year}", seconds(default.body_timeout))),
        ("write_timeout", format!("`{}` | {year}", seconds(default.write_timeout))),
        ("scrape_timeout", format!("`{}` | {longest}", seconds(default.scrape_timeout))),
    ];
    for (key, end) in rows {
        let key = format!("limits.{key}");
        let row = row("## Configuration", &key);
        assert!(row.ends_with(&format!(" | {end} |")), "{row}\nshould end with {end}");
        assert!(section("## Limits").contains(&format!("| `{key}` | ")), "{key}");
    }
}

/// The same for what is pushed.
#[test]
fn the_fixed_limits_of_pushes_are_those_of_the_program() {
    let fixed = [
        ("connections to one address of a push source", limits::PUSH_CONNECTIONS.to_string()),
        ("a pushed page waits for room", format!("{} s", limits::PUSH_PATIENCE.as_secs())),
        ("objects and lists within each other in JSON", limits::JSON_DEPTH.to_string()),
        ("an application's name", format!("{} bytes", limits::LABEL_VALUE)),
    ];
    for (what, size) in fixed {
        let start = format!("| {what} | {size} |");
        assert!(README.lines().any(|line| line.starts_with(&start)), "{start}");
    }
}

/// A line of the README must hold both: what is limited, and how much of it.
fn assert_limits(limits: &[(&str, String)]) {
    for (what, much) in limits {
        assert!(section("## Limits").contains(&format!("\n| {what} | {much} |")), "{what}: {much}");
    }
}

#[test]
fn the_fixed_limits_of_logins_are_those_of_the_program() {
    use limits as l;
    assert_limits(&[
        (
            "refused logins of one peer that wait for their answer, 1 s each",
            l::LOGINS_PAUSED.to_string(),
        ),
        ("passwords that wait to be checked, one of each peer", l::PASSWORDS_WAITING.to_string()),
        ("passwords that are remembered", l::PASSWORDS_KEPT.to_string()),
        ("a TLS handshake", format!("{} s", l::HANDSHAKE.as_secs())),
        ("TLS handshakes that have begun", (l::HANDSHAKES + l::HANDSHAKES_WAITING).to_string()),
        ("of these, computing at once", l::HANDSHAKES.to_string()),
        ("TLS sessions that can be resumed, of a server and of a source", l::SESSIONS.to_string()),
        ("refused logins and handshakes in the log", format!("{} lines a minute", l::LOG_LINES)),
    ]);
}

#[test]
fn the_fixed_limits_are_those_of_the_program() {
    use limits as l;
    let (kib, s) = (
        |bytes: usize| format!("{} KiB", bytes / 1024),
        |time: Duration| format!("{} s", time.as_secs_f64()),
    );
    let head = format!("{}, {} fields", kib(l::HEAD), l::HEADERS);
    let fixed = [
        ("a line of a page", kib(l::BLOCK)),
        ("runs of samples with one name in a page", l::RUNS.to_string()),
        ("files of a source", l::FILES.to_string()),
        ("a file that changes while it is read", format!("{} times", l::FILE_READS)),
        ("labels of a sample", l::LABELS.to_string()),
        ("commands that run at once", l::CHILDREN.to_string()),
        ("the same of one source", l::CHILDREN_OF_SOURCE.to_string()),
        ("from TERM to KILL", s(l::KILL_AFTER)),
        (
            "standard error of a command in the log",
            format!("{} lines a minute, {} a line", l::LOG_LINES, kib(l::STDERR_LINE)),
        ),
        ("pages that are packed at once", l::PACKERS.to_string()),
        ("a page that is worth packing", format!("{} bytes", l::PACKED_FROM)),
        ("a page that is handed on unread", kib(l::LONG_BLOCK * l::BLOCK)),
        ("scrapes of a source that the status page draws", l::HISTORY.to_string()),
        ("text of a failure on the status page", format!("{} bytes", l::FAILURE_TEXT)),
        ("folders of `sources_dir`", l::SOURCE_FOLDERS.to_string()),
        ("entries of such a folder", l::FOLDER_ENTRIES.to_string()),
        ("head of a request", head.clone()),
        ("head of a source's answer", head),
        ("1xx answers before a source's own", l::INTERIM_RESPONSES.to_string()),
        ("redirects", l::REDIRECTS.to_string()),
        ("time that a scraper may ask for", s(l::MAX_SCRAPE_TIMEOUT)),
        ("kept back from the scraper's time for the reply", s(l::REPLY_MARGIN)),
        ("speed at which a reply is taken, after `write_timeout`", kib(l::MIN_TAKE_RATE) + "/s"),
        ("the same while scrapes wait for memory, after", s(l::SLOW_READER)),
        ("body of a request", kib(l::DISCARD)),
        ("a refused client goes on sending", s(l::LINGER)),
        ("a client that `allow` refuses says nothing", s(l::LINGER)),
        ("out of file descriptors", s(l::ACCEPT_PAUSE)),
        ("replies under way when fanin ends", s(l::DRAIN)),
        ("addresses of a name", l::ADDRESSES.to_string()),
        ("one address, while others are left", s(l::CONNECT_SHARE)),
        ("a name that was looked up", s(l::LOOKUP_KEPT)),
        ("names remembered", l::LOOKUPS.to_string()),
        ("idle connections to one source", l::FETCHES_KEPT.to_string()),
        ("idle connections to all sources", l::FETCHES_IDLE.to_string()),
        ("an idle connection to a source", s(l::FETCH_IDLE)),
        ("a line of the log", kib(l::LOG_LINE)),
        ("configuration file", format!("{} MiB", l::CONFIG_FILE >> 20)),
        ("a file with a secret", kib(l::SECRET)),
        ("a duration", format!("{} days", l::MAX_DURATION.as_secs() / 86_400)),
    ];
    assert_limits(&fixed);
    let failures = format!("used that long; a failure {}", s(l::LOOKUP_FAILURE_KEPT));
    let reserve = format!("{} blocks are kept for fanin's own", l::RESERVED_BLOCKS);
    let idle = format!("unused blocks beyond {} go back", l::IDLE_BLOCKS);
    for text in [failures, reserve, idle] {
        assert!(README.contains(&text), "{text}");
    }
}

/// Limits of the configuration file, in the last cells of the table of keys.
#[test]
fn the_limits_of_the_file_are_those_of_the_program() {
    use limits as l;
    let rows = [
        ("servers", format!("1 to {}", l::SERVERS)),
        ("servers[].listen", format!("1 to {}", l::LISTENERS)),
        ("servers[].listen[].address", format!("a socket's path: {} bytes", l::UNIX_PATH)),
        ("servers[].allow", format!("1 to {}", l::NETWORKS)),
        ("servers[].auth.bearer_token", format!("{} tokens", l::LOGINS)),
        (
            "servers[].auth.basic",
            format!(
                "{} users in all; cost {} to {}",
                l::LOGINS,
                l::PASSWORD_COST.start(),
                l::PASSWORD_COST.end()
            ),
        ),
        ("servers[].routes", format!("{}; a path: {} bytes", l::ROUTES, l::ROUTE_PATH)),
        ("….merge.label", format!("{} bytes", l::LABEL_NAME)),
        ("sources", format!("{}; a name: {} bytes", l::SOURCES, l::SOURCE_NAME)),
        ("sources.NAME.http.url", format!("{} bytes", l::URL)),
        ("sources.NAME.http.headers", format!("{}, with those", l::SOURCE_HEADERS)),
        ("sources.NAME.http.redirects", format!("{} in a row", l::REDIRECTS)),
        ("sources.NAME.file.path", format!("{} bytes", l::FILE_PATH)),
        ("sources.NAME.timeout", seconds(l::MAX_SCRAPE_TIMEOUT)),
        (
            "sources.NAME.labels",
            format!("{}; a value: 1 to {} bytes", l::SOURCE_LABELS, l::LABEL_VALUE),
        ),
    ];
    for (key, limit) in rows {
        let last =
            row("## Configuration", key).trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(last.starts_with(&limit), "{key}: {last}, not {limit}");
    }
}

/// The flags and commands that help tells of are those of the tables.
#[test]
fn every_command_and_flag_is_told() {
    let words = |line: &str| line.split_whitespace().map(Into::into).collect::<Vec<_>>();
    let help = |line: &str| match fanin::cli::parse(words(line)) {
        Err(fanin::cli::Early::Answer(text)) => text,
        other => panic!("{line}: {other:?}"),
    };
    let listed = |text: &str, heading: &str| {
        let (_, rest) = text.split_once(heading).unwrap();
        let rows = rest.lines().skip(1).take_while(|line| line.starts_with("  "));
        let rows = rows.filter(|line| !line.starts_with("   "));
        rows.map(|row| row.split_whitespace().next().unwrap().trim_end_matches(',').to_owned())
            .collect::<Vec<_>>()
    };
    let commands = listed(&help("--help"), "Commands:");
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        assert!(section("## Commands").contains(&format!("| `fanin {command}")), "{command}");
        for flag in listed(&help(&format!("{command} --help")), "Options:") {
            let told = [format!("`{flag} "), format!("{flag}`")];
            let told = told.iter().any(|flag| section("## Commands").contains(flag));
            assert!(told, "{command} {flag}");
        }
    }
}

/// `.ci/run` takes its test command from here.
#[test]
fn the_test_command_stands_on_a_line_of_its_own() {
    let commands = README.lines().filter(|line| line.trim_start().starts_with("cargo test"));
    assert_eq!(commands.collect::<Vec<_>>(), ["cargo test"]);
}

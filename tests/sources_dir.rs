//! `sources_dir`: folders into which packages drop sources, at load, in `fanin check`, and at a
//! reload of the real program. Faults inside such files are in tests/config/invalid.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use common::{Daemon, Exporter, Folder, Reply, Setup, fanin, page};
use fanin::config::{self, ConfigError, Kind, Member, Outlet, Plan};
use fanin::limits;

const GOOD: &str = "# TYPE up gauge\nup 1\n";
const SOURCE: &str = "http: {url: \"http://h/\"}\n";

/// One server with all sources, and what is dropped into `conf.d`.
const MAIN: &str =
    "servers: [{listen: tcp://:1, routes: {/m: {merge: all}}}]\nsources_dir: conf.d\n";

fn env(name: &str) -> Option<String> {
    match name {
        "NODES" => Some("dropped/nodes.d/".to_owned()),
        "FOUR" => Some("4s".to_owned()),
        _ => None,
    }
}

/// A folder with an empty `conf.d` in it.
fn with_conf_d() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.file("conf.d")).unwrap();
    folder
}

fn load(folder: &Folder) -> Result<Plan, ConfigError> {
    config::load(Path::new(&folder.write("fanin.yaml", MAIN)))
}

/// The fault, the test's own folder left out.
fn fault(folder: &Folder) -> String {
    let error = load(folder).unwrap_err();
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    let message = format!("{error}{}", cause.unwrap_or_default());
    message.replace(&format!("{}/", folder.path().display()), "")
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.sources.iter().map(|source| &*source.name).collect()
}

#[test]
fn the_main_file_goes_first_then_each_folder_by_name() {
    let path = Path::new("tests/config/valid/dropped.yaml");
    let plan = config::parse(&fs::read_to_string(path).unwrap(), path, &env).unwrap();

    assert_eq!(names(&plan), ["z", "y", "cron", "a", "a-b", "node"]);
    let members = |route: usize| match &plan.servers[0].routes[route].outlets[..] {
        [Outlet::Merge(merge)] => merge.members.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(members(0), [0, 1, 2, 3, 4, 5].map(Member::Source));
    assert_eq!(members(1), [5, 0, 2].map(Member::Source));
    // Whether the file with the password may be read by all depends on who checked it out.
    let warnings = plan.warnings().filter(|warning| !warning.contains("holds a secret"));
    let warnings: Vec<String> = warnings.collect();
    let passed_over = |name: &str| {
        let file = format!("tests/config/valid/dropped/nodes.d/{name}");
        format!("{file} is passed over: its name ends neither in .yaml nor in .yml")
    };
    assert_eq!(warnings, ["a.yaml.dpkg-old", "password"].map(passed_over));
}

#[test]
fn paths_in_a_file_start_at_its_own_folder() {
    let path = Path::new("tests/config/valid/dropped.yaml");
    let plan = config::parse(&fs::read_to_string(path).unwrap(), path, &env).unwrap();

    let here = std::env::current_dir().unwrap().join("tests/config/valid/dropped");
    let (Kind::File(cron), Kind::Http(node)) = (&plan.sources[2].kind, &plan.sources[5].kind)
    else {
        panic!("{:?}", plan.sources)
    };
    assert_eq!(cron.path.folder(), here.join("late.d/pages"));
    assert_eq!(*node.url, format!("unix://{}/nodes.d/run/node.sock:/metrics", here.display()));
    assert_eq!(node.authorization.as_ref().unwrap().expose(), "Basic bWU6aHVudGVyMg==");
    assert_eq!(plan.sources[5].timeout.unwrap().as_secs(), 4);
}

#[test]
fn an_empty_folder_is_no_fault_where_no_route_needs_a_source() {
    let folder = with_conf_d();
    let text = MAIN.replace("merge: all", "merge: [self, all]");
    let plan = config::load(Path::new(&folder.write("fanin.yaml", &text))).unwrap();
    assert_eq!(names(&plan), [""; 0]);
}

#[test]
fn what_is_no_text_or_no_file_is_refused_with_its_name() {
    let long = " ".repeat(limits::CONFIG_FILE + 1);
    type Make<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Make<'_>, &str); 6] = [
        (
            "not UTF-8",
            &|at| fs::write(at, b"http: \xff").unwrap(),
            "conf.d/x.yaml: byte 6 is not part of UTF-8 text",
        ),
        (
            "too long",
            &|at| fs::write(at, &long).unwrap(),
            "conf.d/x.yaml: longer than 1048576 bytes",
        ),
        (
            "a folder",
            &|at| fs::create_dir(at).unwrap(),
            "cannot read conf.d/x.yaml: no regular file",
        ),
        (
            "a FIFO that nobody writes to",
            &|at| mknodat(CWD, at, FileType::Fifo, Mode::RWXU, 0).unwrap(),
            "cannot read conf.d/x.yaml: no regular file",
        ),
        (
            "a socket",
            &|at| drop(UnixListener::bind(at).unwrap()),
            "cannot read conf.d/x.yaml: No such device or address (os error 6)",
        ),
        (
            "a link to nothing",
            &|at| std::os::unix::fs::symlink("nothing", at).unwrap(),
            "cannot read conf.d/x.yaml: No such file or directory (os error 2)",
        ),
    ];
    for (name, make, want) in cases {
        let folder = with_conf_d();
        make(&folder.file("conf.d/x.yaml"));
        assert_eq!(fault(&folder), want, "{name}");
    }
}

/// Whoever chose a file's name, a message and a warning are one line each.
#[test]
fn odd_names_stay_on_one_line() {
    let folder = with_conf_d();
    folder.write("conf.d/good.yaml", SOURCE);
    folder.write("conf.d/a\nb", "");
    fs::create_dir(folder.file("conf.d/old")).unwrap();
    fs::write(folder.file("conf.d").join(OsStr::from_bytes(b"\xff.YAML")), "").unwrap();
    let plan = load(&folder).unwrap();
    let conf_d = folder.file("conf.d");
    let passed_over: Vec<&str> = plan.passed_over.iter().map(|file| &**file).collect();
    let want = ["a\\nb", "old", "\u{fffd}.YAML"].map(|file| format!("{}/{file}", conf_d.display()));
    assert_eq!(passed_over, want);

    let rule = "is no source name (letters, digits, _ - . after a letter or digit)";
    for (file, shown) in [(&b"a\nb.yml"[..], "a\\nb"), (b"\xff.yml", "\u{fffd}")] {
        let path = conf_d.join(OsStr::from_bytes(file));
        fs::write(&path, SOURCE).unwrap();
        assert_eq!(fault(&folder), format!("conf.d/{shown}.yml: \"{shown}\" {rule}"));
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn folders_are_bounded() {
    let folder = with_conf_d();
    for number in 0..limits::SOURCES {
        folder.write(&format!("conf.d/s{number}.yaml"), SOURCE);
    }
    assert_eq!(load(&folder).unwrap().sources.len(), limits::SOURCES);
    folder.write("conf.d/one-more.yaml", SOURCE);
    let want = "fanin.yaml:2:14: sources_dir: 257 sources with those of this file, of 256 at most";
    assert_eq!(fault(&folder), want);

    for number in 0..limits::SOURCES {
        folder.write(&format!("conf.d/.s{number}"), "");
    }
    let want = "fanin.yaml:2:14: sources_dir: \"conf.d\" has more than 512 entries";
    assert_eq!(fault(&folder), want);
}

#[test]
fn check_shows_faults_and_warnings() {
    let folder = with_conf_d();
    let main = folder.write("fanin.yaml", &MAIN.replace("conf.d", "conf.d/"));
    let file = folder.write("conf.d/node.yaml", SOURCE);
    let other = folder.write("conf.d/README", "drop files here\n");
    let done = fanin(&["check", &main]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let want =
        format!("warning: {other} is passed over: its name ends neither in .yaml nor in .yml\n");
    assert_eq!(done.err, want);
    assert!(done.out.ends_with("sources: 1)\n"), "{done:?}");

    folder.write("conf.d/node.yaml", "http:\n  url: nowhere\n");
    let done = fanin(&["check", &main]);
    assert_eq!(done.code, Some(2), "{done:?}");
    let want = format!("{file}:2:8: http.url: \"nowhere\" ");
    assert!(done.err.starts_with(&want), "{done:?}");
    assert!(done.err.contains("\n 2 |   url: nowhere\n   |        ^"), "{done:?}");
}

/// A daemon whose `/merged` is all of `conf.d` beside its file, where `a` is.
fn serving(exporter: &Exporter, sources_dir: &str) -> Daemon {
    let setup = Setup::new().route("/merged", "{merge: [all]}");
    fs::create_dir(setup.folder().file("conf.d")).unwrap();
    setup.folder().write("conf.d/a.yaml", &source(exporter));
    setup.top_key(&format!("sources_dir: {sources_dir}")).start()
}

fn source(exporter: &Exporter) -> String {
    format!("http: {{url: \"{}\"}}\n", exporter.url())
}

fn post_reload(daemon: &Daemon) -> Reply {
    daemon.request(b"POST /-/reload HTTP/1.1\r\nHost: fanin\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn a_file_dropped_in_is_served_after_sighup() {
    let (a, b) = (Exporter::serving(GOOD), Exporter::serving(GOOD));
    let daemon = serving(&a, "conf.d");
    assert_eq!(page::count(&daemon.get("/merged").body), 1);
    daemon.folder().write("conf.d/b.yaml", &source(&b));
    daemon.folder().write("conf.d/b.yaml.dpkg-old", "");

    daemon.reload();

    daemon.until("the new source", || page::count(&daemon.get("/merged").body) == 2);
    assert!(daemon.get("/merged").body.contains("exporter_name=\"b\""));
    assert!(daemon.log_contains("b.yaml.dpkg-old is passed over"), "{}", daemon.log.text());
    assert_eq!(a.connections(), 1, "the other source's connection lives on");

    fs::remove_file(daemon.folder().file("conf.d/a.yaml")).unwrap();
    assert_eq!(post_reload(&daemon).status, 200);
    let body = daemon.get("/merged").body;
    assert!(page::count(&body) == 1 && body.contains("exporter_name=\"b\""), "{body}");
}

#[test]
fn a_bad_file_changes_nothing_and_no_folder_of_ours_is_told() {
    let a = Exporter::serving(GOOD);
    let elsewhere = with_conf_d();
    let absolute = elsewhere.file("conf.d");
    for sources_dir in ["conf.d".to_owned(), format!("[conf.d, {}]", absolute.display())] {
        let daemon = serving(&a, &sources_dir);
        let (at, shown) = if sources_dir == "conf.d" {
            (daemon.folder().file("conf.d"), "conf.d/")
        } else {
            (absolute.clone(), "")
        };
        let place = format!("{shown}b.yaml");
        let cases = [
            ("url: nowhere", format!("{place}:1:1: url: \"url\" is unknown here")),
            ("http: {url: nowhere}", format!("{place}:1:13: http.url: \"nowhere\" ")),
            ("timeout: [", format!("{place}:")),
            ("\u{0}", format!("{place}:1:1: ")),
        ];
        for (text, want) in cases {
            fs::write(at.join("b.yaml"), text).unwrap();
            let reply = post_reload(&daemon);
            assert_eq!(reply.status, 500, "{}", reply.body);
            assert!(reply.body.starts_with(&want), "{want}: {}", reply.body);
            for folder in [daemon.folder(), &elsewhere] {
                assert!(!reply.body.contains(folder.path().to_str().unwrap()), "{}", reply.body);
            }
            assert_eq!(page::count(&daemon.get("/merged").body), 1, "{text}");
        }
        fs::rename(at.join("b.yaml"), at.join("a.yml")).unwrap();
        let reply = post_reload(&daemon);
        let want = format!("{shown}a.yml: \"a\" is a source in conf.d/a.yaml too");
        assert!(reply.body.starts_with(&want), "{want}: {}", reply.body);
        assert_eq!(daemon.own("fanin_config_last_reload_successful", &[]), Some(0.0));

        fs::remove_file(at.join("a.yml")).unwrap();
        assert_eq!(post_reload(&daemon).status, 200);
    }
}

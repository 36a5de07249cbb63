//! The configuration file, through the library: files that load, files that are refused with a
//! whole message each, and the design's own example.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fanin::config::{
    self, Found, Kind, Listen, Member, OnConflict, OnMalformed, Outlet, Plan, Redirects, Route,
    RoutePath,
};
use fanin::http::listen::SocketAccess;

/// The files of a folder, in order.
fn corpus(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(format!("tests/config/{folder}"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yaml" || ext == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder}");
    files
}

/// The environment of all tests here.
fn env(name: &str) -> Option<String> {
    match name {
        "NODE_URL" => Some("http://10.0.0.7:9100/metrics".to_owned()),
        "TOKEN" => Some("from-the-environment".to_owned()),
        "FOUR" => Some("4s".to_owned()),
        "NODES" => Some("dropped/nodes.d/".to_owned()),
        _ => None,
    }
}

/// Loads a file with the environment of these tests.
fn load(path: &Path) -> Result<Plan, config::ConfigError> {
    config::parse(&fs::read_to_string(path).unwrap(), path, &env)
}

/// Loads text.
fn plan(text: &str) -> Plan {
    config::parse(text, Path::new("fanin.yaml"), &env)
        .unwrap_or_else(|error| panic!("{error:#}\n{text}"))
}

/// The fault of text, as one line.
fn fault(text: &str) -> String {
    match config::parse(text, Path::new("fanin.yaml"), &env) {
        Ok(plan) => panic!("loaded: {text}\n{plan:#?}"),
        Err(error) => error.to_string(),
    }
}

/// What packages bring works at once, at the port that the README tells.
#[test]
fn the_configurations_in_packages_load() {
    for (name, host) in [("fanin.yaml", "127.0.0.1:"), ("container/fanin.yaml", ":")] {
        let path = Path::new("cross/packaged").join(name);
        let plan = load(&path).unwrap_or_else(|error| panic!("{error:#}"));
        let listen = format!("listen: tcp://{host}{}\n", fanin::limits::DEFAULT_PORT);
        assert!(fs::read_to_string(&path).unwrap().contains(&listen), "{name}: {listen}");
        assert_eq!((plan.servers.len(), plan.sources.len()), (1, 0), "{name}");
    }
}

/// What stands there as an example loads too, without its comment sign.
#[test]
fn the_examples_in_packages_load() {
    let text = fs::read_to_string("cross/packaged/fanin.yaml").unwrap();
    let (head, sources) = text.split_once("\nsources:\n").unwrap();
    let examples = sources.lines().map_while(|line| line.strip_prefix("  # "));
    let examples: String = examples.map(|line| format!("  {line}\n")).collect();
    let plan = plan(&format!("{head}\nsources:\n{examples}"));
    assert_eq!(plan.sources.len(), 3, "{examples}");
}

#[test]
fn valid_files_load() {
    for path in corpus("valid") {
        if let Err(error) = load(&path) {
            panic!("{error:#}");
        }
    }
}

/// With `BLESS` in the environment the messages are written instead of compared.
#[test]
fn invalid_files_are_refused_with_the_whole_message() {
    for path in corpus("invalid") {
        let Err(error) = load(&path) else { panic!("{} loads", path.display()) };
        let got = format!("{error:#}\n");
        let golden = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &got).unwrap();
        }
        let want = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(got, want, "{}", path.display());
        assert_eq!(error.to_string(), want.lines().next().unwrap(), "{}", path.display());
    }
}

fn mode(listen: &Listen) -> u32 {
    let Listen::Unix { access: SocketAccess { mode, .. }, .. } = listen else {
        panic!("{listen} is no Unix socket")
    };
    *mode
}

#[test]
fn the_full_form_is_read_in_full() {
    let plan = load(Path::new("tests/config/valid/full.yaml")).unwrap();

    let server = &plan.servers[0];
    let listen: Vec<String> = server.listen.iter().map(Listen::to_string).collect();
    let sockets = ["unix:///run/fanin/http.sock", "unix:///run/fanin/admin.sock"];
    assert_eq!(listen, ["tcp://0.0.0.0:9999", sockets[0], sockets[1], "tcp://:9998"]);
    assert_eq!((mode(&server.listen[1]), mode(&server.listen[2])), (0o660, 0o600));
    assert!(!server.status);

    let paths: Vec<&str> = server.routes.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(paths, ["/a/b", "/all", "/metrics", "/one", "/strict"]);
    let merges: Vec<_> = server
        .routes
        .iter()
        .map(|Route { outlets, .. }| {
            let [Outlet::Merge(merge)] = outlets.as_slice() else { panic!("{outlets:?}") };
            (&merge.members[..], merge.label.as_deref(), merge.on_conflict, merge.strict)
        })
        .collect();
    use Member::{Own, Source};
    let name = Some("exporter_name");
    assert_eq!(
        merges[0],
        (&[Source(2), Own, Source(0), Source(1), Source(3)][..], name, OnConflict::Rename, false)
    );
    assert_eq!(
        merges[1],
        (&[Source(0), Source(1), Source(2), Source(3)][..], name, OnConflict::Rename, false)
    );
    assert_eq!(
        merges[2],
        (&[Own, Source(0), Source(2)][..], Some("src"), OnConflict::Override, false)
    );
    assert_eq!(merges[3], (&[Source(1)][..], name, OnConflict::Rename, false));
    assert_eq!(merges[4], (&[Source(0)][..], None, OnConflict::Keep, true));

    let [node, docker, far, _] = &plan.sources[..] else { panic!("{:?}", plan.sources) };
    assert_eq!((&*node.name, &*docker.name, &*far.name), ("node", "docker", "far"));
    assert_eq!(node.timeout, Some(Duration::from_secs(4)));
    assert_eq!(node.cache, None);
    assert_eq!(far.cache, Some(Duration::from_millis(500)));
    assert_eq!(node.max_bytes, 1 << 20);
    let labels: Vec<_> = node.labels.iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(labels, [("rack", "7"), ("version", "1.10"), ("mode", "0660"), ("on", "yes")]);
    let names: Vec<&str> = node.label_names.iter().map(|name| &**name).collect();
    assert_eq!(names, ["rack", "version", "mode", "on", "exporter_name", "src"]);
    assert_eq!(plan.own_labels, ["exporter_name".into(), "src".into()]);

    let [Kind::Http(node), Kind::Http(docker), Kind::Http(far)] =
        [&node.kind, &docker.kind, &far.kind]
    else {
        panic!("{:?}", plan.sources)
    };
    assert_eq!(&*node.url, "http://10.0.0.7:9100/metrics");
    assert_eq!(node.authorization.as_ref().unwrap().expose(), "Bearer from-the-environment");
    assert_eq!(&*docker.url, "unix:///run/docker-metrics.sock:/metrics");
    assert_eq!(docker.authorization.as_ref().unwrap().expose(), "Basic bWU6aHVudGVyMg==");
    assert_eq!((docker.redirects, far.redirects), (Redirects::Same, Redirects::Any));
    let headers: Vec<_> = far.headers.iter().map(|(k, v)| (&**k, v.expose())).collect();
    assert_eq!(headers, [("X-Site", "home"), ("X-Api-Key", "hunter2")]);

    assert_eq!(plan.limits.memory, 4 << 20);
    assert_eq!(plan.limits.kept, 2 << 20);
    assert_eq!(plan.limits.scrape_timeout, Duration::from_secs(9));
}

#[test]
fn proxies_and_what_is_fetched_on_its_own_are_read_in_full() {
    let plan = plan(
        "servers:\n  - listen: tcp://:1\n    routes:\n      /a: {proxy: all}\n      \
         /b: {proxy: {sources: [self, b], default: b, compress: never}}\n      \
         /c: {merge: {sources: [a, b], forward_params: true, compress: auto}}\n      \
         /d: {merge: {sources: [a, b, self], forward_params: [b]}}\n\
         sources:\n  a: {http: {url: \"http://h/\"}, every: 30s}\n  \
         b: {http: {url: \"http://h/\"}, every: 5s, max_age: 1h, timeout: 3m}\n  \
         c: {http: {url: \"http://h/\"}, verify: false, on_malformed: drop_line}\n",
    );
    use Member::{Own, Source};
    let [a, b, c, d] = [0, 1, 2, 3].map(|route: usize| &plan.servers[0].routes[route].outlets[0]);
    let proxied = |outlet: &Outlet| match outlet {
        Outlet::Proxy(proxy) => (proxy.members.clone(), proxy.default, proxy.compress),
        _ => panic!("{outlet:?}"),
    };
    assert_eq!(proxied(a), (vec![Source(0), Source(1), Source(2)], None, true));
    assert_eq!(proxied(b), (vec![Own, Source(1)], Some(Source(1)), false));
    let forwarded = |outlet: &Outlet| match outlet {
        Outlet::Merge(merge) => (merge.forward.clone(), merge.compress),
        _ => panic!("{outlet:?}"),
    };
    assert_eq!(forwarded(c), (vec![Source(0), Source(1)], true));
    assert_eq!(forwarded(d), (vec![Source(1)], true));
    let secs = Duration::from_secs;
    let every = |number: usize| {
        let source = &plan.sources[number];
        source.every.map(|every| (every.period, every.max_age, every.timeout))
    };
    assert_eq!(every(0), Some((secs(30), secs(90), secs(30))));
    assert_eq!(every(1), Some((secs(5), secs(3600), secs(180))));
    assert_eq!(every(2), None);
    let third = &plan.sources[2];
    assert_eq!((third.verify, third.on_malformed), (false, OnMalformed::DropLine));
    assert_eq!(plan.unused().count(), 0);
}

#[test]
fn networks_are_read_in_full() {
    let plan = load(Path::new("tests/config/valid/full.yaml")).unwrap();
    let allow: Vec<String> =
        plan.servers[0].allow.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(allow, ["10.0.0.0/8", "192.168.1.7", "::1"]);
}

#[test]
fn files_are_read_in_full() {
    let plan = load(Path::new("tests/config/valid/full.yaml")).unwrap();
    let Kind::File(cron) = &plan.sources[3].kind else { panic!("{:?}", plan.sources) };
    assert_eq!(cron.path.folder(), Path::new("/var/lib/metrics"));
    assert_eq!((cron.path.to_string().as_str(), cron.path.is_wild()), ("*.prom", true));
    assert_eq!(cron.max_age, Some(Duration::from_secs(3600)));
}

#[test]
fn commands_are_read_in_full() {
    let plan = load(Path::new("tests/config/valid/exec.yaml")).unwrap();
    let [Kind::Exec(backup), Kind::Exec(short)] = [&plan.sources[0].kind, &plan.sources[1].kind]
    else {
        panic!("{:?}", plan.sources)
    };
    let folder = std::path::absolute("tests/config/valid").unwrap();
    assert_eq!(backup.program, folder.join("./backup-age"));
    let args: Vec<_> = backup.args.iter().map(config::Secret::expose).collect();
    assert_eq!(args, ["--json", "from-the-environment", ""]);
    let env: Vec<_> = backup.env.iter().map(|(k, v)| (&**k, v.expose())).collect();
    let want = [("LANG", "C"), ("TOKEN", "from-the-environment"), ("EMPTY", "")];
    assert_eq!(env, [&want[..], &[("PASSWORD", "hunter2")]].concat());
    assert_eq!(backup.cwd, Some(folder.join("scripts")));
    assert!(backup.clear_env && backup.allow_args);
    let shown = format!("{plan:?}");
    assert!(!shown.contains("from-the-environment") && !shown.contains("hunter2"), "{shown}");

    assert_eq!(short.program, Path::new("backup-age"));
    assert!(short.args.is_empty() && short.env.is_empty() && short.cwd.is_none());
    assert!(!short.clear_env && !short.allow_args);
}

#[test]
fn relative_paths_start_at_the_files_folder() {
    let text = "servers: [{listen: [unix://run/x.sock, unix:///run/x.sock]}]\n\
        sources: {a: {http: {url: \"unix://y.sock:/m\"}}, b: {file: {path: x/y.prom}}}";
    let plan = config::parse(text, Path::new("/etc/fanin/fanin.yaml"), &env).unwrap();

    let listen: Vec<String> = plan.servers[0].listen.iter().map(Listen::to_string).collect();
    assert_eq!(listen, ["unix:///etc/fanin/run/x.sock", "unix:///run/x.sock"]);
    let [Kind::Http(http), Kind::File(file)] = [&plan.sources[0].kind, &plan.sources[1].kind]
    else {
        panic!("{:?}", plan.sources)
    };
    assert_eq!(&*http.url, "unix:///etc/fanin/y.sock:/m");
    assert_eq!(file.path.folder(), Path::new("/etc/fanin/x"));
}

#[test]
fn debug_output_holds_no_secret() {
    let plan = load(Path::new("tests/config/valid/full.yaml")).unwrap();
    let text = format!("{plan:?}");
    for secret in ["hunter2", "from-the-environment", "bWU6"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

/// Faults with a secret near them, inside `http`. Each stands in braces and in lines of its own: `|`
/// ends a line, `>` and `<` go one deeper and back.
const SECRETS: [&str; 19] = [
    "auth:>bearer_token: hunter2 hunter2<",
    "auth:>bearer_token: hunter2|bearer_token_file: x<",
    "auth:>basic:>user: me|password: \"hunter2\\n\"<<",
    "auth:>basic:>user: \"me:\"|password: hunter2<<",
    "auth:>basic:>password: \"hunter2${X}\"|user: me<<",
    "headers:>X-Key: \"hunter2\\n\"<",
    "headers:>X-Key: \"hunter2${X}\"<",
    "headers:>X-Key: hunter2|X-KEY: hunter2<",
    "headers:>X-Key: hunter2|X-Key: hunter2<",
    "headers:>X-Key:>hunter2: hunter2<<",
    "headers:>Authorization: hunter2<",
    "headers:>Host: hunter2<",
    "auth: hunter2",
    "auth:>bearer_tokn: hunter2<",
    "auth:>basic:>pasword: hunter2<<",
    "auth:>basic: hunter2<",
    "headers: hunter2",
    "url: \"http://me:hunter2@host/\"",
    "url: \"http://me:hunter2@host/\"|auth:>bearer_token_file: x<",
];

#[test]
fn messages_hold_no_secret() {
    for case in SECRETS {
        for text in [in_braces(case), in_lines(case)] {
            let error = config::parse(&text, Path::new("fanin.yaml"), &env).unwrap_err();
            let (message, debug) = (format!("{error:#}"), format!("{error:?}"));
            assert!(message.contains(": sources.a.http."), "{text}: {message}");
            assert!(
                !message.replace("http.headers.X-Key.hunter2", "").contains("hunter2"),
                "{text}: {message}"
            );
            assert!(!debug.contains("hunter2"), "{text}: {debug}");
        }
    }
}

/// The same for a source that is a file of its own.
#[test]
fn messages_of_dropped_in_files_hold_no_secret() {
    let folder = std::env::temp_dir().join(format!("fanin-dropped-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let main = format!("servers: [{{listen: tcp://:1}}]\nsources_dir: {}", folder.display());
    for case in SECRETS {
        let (braces, lines) = (in_braces(case), in_lines(case));
        let source = braces.split_once("{a: ").unwrap().1.strip_suffix('}').unwrap();
        let deeper = lines.split_once("  a:\n").unwrap().1;
        for text in [source, deeper] {
            fs::write(folder.join("a.yaml"), text).unwrap();
            let error = config::parse(&main, Path::new("fanin.yaml"), &env).unwrap_err();
            let (message, debug) = (format!("{error:#}"), format!("{error:?}"));
            assert!(message.contains(": http."), "{text}: {message}");
            let message = message.replace("http.headers.X-Key.hunter2", "");
            assert!(!message.contains("hunter2"), "{text}: {message}");
            assert!(!debug.contains("hunter2"), "{text}: {debug}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// The http source of `messages_hold_no_secret` on one line.
fn in_braces(case: &str) -> String {
    let url = if case.contains("url") { "" } else { "url: \"http://a/\", " };
    let case = case.replace('>', " {").replace('<', "}").replace('|', ", ");
    format!("servers: [{{listen: tcp://:1}}]\nsources: {{a: {{http: {{{url}{case}}}}}}}")
}

/// The same in lines.
fn in_lines(case: &str) -> String {
    let mut text = String::from("servers: [{listen: tcp://:1}]\nsources:\n  a:\n    http:\n");
    if !case.contains("url") {
        text.push_str("      url: \"http://a/\"\n");
    }
    let mut indent = 6;
    text.push_str(&" ".repeat(indent));
    for c in case.chars() {
        match c {
            '>' => indent += 2,
            '<' => indent -= 2,
            '|' => {}
            c => {
                text.push(c);
                continue;
            }
        }
        text.push('\n');
        text.push_str(&" ".repeat(indent));
    }
    text
}

#[test]
fn a_file_may_be_json() {
    let text = r#"{"servers": [{"listen": "tcp://127.0.0.1:1",
        "routes": {"/m\u0065trics": {"merge": {"sources": "a", "strict": true}}}}],
        "sources": {"a": {"http": {"url": "http:\/\/h\/"}, "timeout": "1s"}},
        "limits": {"connections": 9}}"#;
    let plan = plan(text);
    assert_eq!(plan.servers[0].routes[0].path.as_str(), "/metrics");
    assert_eq!(plan.limits.connections, 9);
}

#[test]
fn anchors_and_byte_order_marks_are_read() {
    let text = "\u{feff}servers: [{listen: tcp://:1}]\nsources:\n  \
        a: &a {http: {url: \"http://h/\"}, labels: &l {x: y}}\n  b: *a\n";
    let plan = plan(text);
    assert_eq!(plan.sources[1].kind, plan.sources[0].kind);
    assert_eq!(plan.sources[1].labels, plan.sources[0].labels);
}

#[test]
fn what_is_not_built_yet_says_so() {
    let cases = [("pipes: [{spool: 8MiB}]", "pipes[0]", "spool")];
    for (text, path, key) in cases {
        let want = format!(": {path}.{key}: \"{key}\" is not built yet");
        let got = fault(text);
        assert!(got.ends_with(&want), "{text}\n  {got}\n  {want}");
    }
}

#[test]
fn plans_are_compared_by_what_they_say() {
    let text = "servers: [{listen: tcp://:1, routes: {/m: {merge: all}}}]\n\
        sources: {a: {http: {url: \"http://h/\"}}}";
    let spread = text.replace(", ", ",\n   ");
    assert_eq!(plan(text), plan(&spread));
    assert_ne!(plan(text), plan(&text.replace("http://h/", "http://i/")));
}

#[test]
fn limits_are_held_against_each_other() {
    let cases = [
        ("", (16 << 20, 8 << 20, 8 << 20)),
        ("memory: 4MiB", (4 << 20, 2 << 20, 2 << 20)),
        ("memory: 64MiB", (64 << 20, 8 << 20, 32 << 20)),
        ("memory: 64MiB, body: 32MiB, kept: 64MiB", (64 << 20, 32 << 20, 64 << 20)),
        ("memory: 64MiB, kept: 0", (64 << 20, 8 << 20, 0)),
    ];
    for (limits, want) in cases {
        let plan = plan(&format!("servers: [{{listen: tcp://:1}}]\nlimits: {{{limits}}}"));
        let got = (plan.limits.memory, plan.limits.body, plan.limits.kept);
        assert_eq!(got, want, "{limits}");
    }
}

#[test]
fn the_default_plan_merges_what_was_found() {
    let found =
        [Found { name: "node".to_owned(), url: "http://127.0.0.1:9100/metrics".to_owned() }];
    let plan = Plan::default_for(&found, &[":9100".parse().unwrap()]);

    assert_eq!(plan.servers[0].listen, [Listen::AnyTcp(9100)]);
    let [route] = &plan.servers[0].routes[..] else { panic!("{plan:?}") };
    assert!(route.path.matches(b"/metrics"));
    let [Outlet::Merge(merge)] = &route.outlets[..] else { panic!("{route:?}") };
    assert_eq!(merge.members, [Member::Own, Member::Source(0)]);
    assert_eq!(Plan::default_for(&[], &[]).servers[0].listen, [Plan::loopback()]);
    assert_eq!(RoutePath::new("/metrics").unwrap(), route.path);
}

#[test]
fn listen_flags_replace_the_only_server_s_addresses() {
    let one = "servers: [{listen: tcp://:1}]";
    let two = "servers: [{listen: tcp://:1}, {listen: tcp://:2}]";
    let flags = [Listen::AnyTcp(3)];

    let mut plan_of_one = plan(one);
    plan_of_one.listen_on(&flags).unwrap();
    assert_eq!(plan_of_one.servers[0].listen, flags);

    let mut plan_of_two = plan(two);
    plan_of_two.listen_on(&[]).unwrap();
    let refused = plan_of_two.listen_on(&flags).unwrap_err().to_string();
    assert_eq!(refused, "needs a configuration with one server, this one has 2");
    assert_eq!(plan_of_two, plan(two));
}

#[test]
fn no_cut_of_a_file_panics() {
    for path in corpus("valid") {
        let text = fs::read_to_string(&path).unwrap();
        for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            if let Err(error) = config::parse(&text[..cut], &path, &env) {
                assert!(!error.to_string().contains('\n'), "{cut}: {error}");
            }
        }
    }
}

#[test]
fn unreadable_files_say_why() {
    let error = config::load(Path::new("tests/config/none.yaml")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read tests/config/none.yaml");

    let folder = std::env::temp_dir().join(format!("fanin-config-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("f.yaml");
    fs::write(&file, b"servers: \xff").unwrap();
    let not_text = config::load(&file).unwrap_err().to_string();
    fs::write(&file, " ".repeat(fanin::limits::CONFIG_FILE + 1)).unwrap();
    let too_large = config::load(&file).unwrap_err().to_string();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(not_text, format!("{}: byte 9 is not part of UTF-8 text", file.display()));
    assert_eq!(too_large, format!("{}: longer than 1048576 bytes", file.display()));
}

/// Bytes of every valid file, replaced in turn by those that mean something to YAML. Every seventh
/// byte: all of them passed once, and take ten seconds.
#[test]
fn no_changed_byte_panics() {
    for path in corpus("valid") {
        let text = fs::read_to_string(&path).unwrap();
        for (at, with) in
            (0..text.len()).step_by(7).flat_map(|at| b"{}[]:,-&*!|>'\"#%@ \n\t\0".map(|b| (at, b)))
        {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = with;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            if let Err(error) = config::parse(&text, &path, &env) {
                assert!(!error.to_string().contains('\n'), "{at} {with}: {error}");
            }
        }
    }
}

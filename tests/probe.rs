//! The `probe` outlet, the source `klipper` and the command `probe`, against a stand-in for
//! Moonraker.
#![cfg(feature = "klipper")]

mod common;

use std::net::TcpListener;

use common::moonraker::file;
use common::page::{assert_well_formed, value};
use common::setup::Setup;
use common::{Daemon, Exporter, Moonraker, fanin};

/// fanin with a route for probes of any printer.
fn prober() -> Daemon {
    Setup::new().route("/probe", "{probe: {targets: [\"127.0.0.1:1\", any]}}").start()
}

fn probe(daemon: &Daemon, target: &str, modules: &str) -> String {
    let reply = daemon.get(&format!("/probe?target={target}&modules={modules}"));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_well_formed(target, &reply.body);
    reply.body
}

#[test]
fn a_printer_is_asked_for_what_its_probe_names() {
    let (daemon, printer) = (prober(), Moonraker::new());
    let page = probe(&daemon, printer.addr(), "all");
    for (name, labels, want) in [
        ("klipper_up", &[][..], 1.0),
        ("fanin_probe_success", &[], 1.0),
        ("klipper_module_success", &[("module", "spoolman")], 1.0),
        ("klipper_extruder_temperature", &[], 24.05),
        ("klipper_temperature_sensor_temperature", &[("sensor", "chamber")], 31.5),
        ("klipper_klippy_state_info", &[("state", "ready")], 1.0),
        ("klipper_spoolman_active_spool_id", &[], 1.0),
        ("klipper_power_device_status", &[("device", "printer_psu")], 1.0),
    ] {
        assert!(value(&page, name, labels).is_some(), "{name}: {page}");
        if name.ends_with("up") || name.ends_with("success") {
            assert_eq!(value(&page, name, labels), Some(want), "{name}");
        }
    }
    // What would disturb a print is never asked for, and objects are asked for at once.
    assert_eq!(printer.asked("/printer/query_endstops/status"), 0);
    let settings = 1;
    assert_eq!(printer.asked("/printer/objects/query"), 1 + settings);
    let question = &printer.bodies()[..];
    assert!(
        question.iter().any(|body| body.contains("\"temperature_sensor Kühlkörper-1\":[")),
        "{question:?}"
    );
    let default = daemon.get(&format!("/probe?target={}", printer.addr())).body;
    assert!(value(&default, "klipper_system_cpu_count", &[]).is_some(), "{default}");
    assert!(value(&default, "klipper_extruder_temperature", &[]).is_none(), "{default}");
}

#[test]
fn what_is_left_of_a_print_is_told_in_three_ways() {
    let (daemon, printer) = (prober(), Moonraker::new());
    let status = file("printer_objects_query_all.printing");
    // The configuration is asked for at the same path, once.
    let settings = "\"status\":{\"configfile\":{\"settings\":{\"extruder\":{\"filament_diameter\":1.75},\
         \"input_shaper\":{\"shaper_freq_x\":53.2}}},";
    let both = status.replacen("\"status\":{", settings, 1);
    let both = both.replacen("cube.gcode\"", "W\\u00fcrfel \\\"v2\\\" 100%&more.gcode\"", 1);
    printer.answer("/printer/objects/query", 200, &both);
    for _ in 0..2 {
        let page = probe(&daemon, printer.addr(), "print,motion");
        for (method, want) in [("file", 84.1933), ("slicer", 93.4277), ("m73", 139.5044)] {
            let left =
                value(&page, "klipper_print_remaining_seconds", &[("method", method)]).unwrap();
            assert!((left - want).abs() < 0.01, "{method}: {left}");
        }
        let flow = value(&page, "klipper_live_flow_cubic_millimeters_per_second", &[]).unwrap();
        assert!((flow - 1.5875).abs() < 0.001, "{flow}");
        assert_eq!(value(&page, "klipper_print_layer", &[]), Some(2.0));
        let shaped = value(&page, "klipper_input_shaper_frequency_hertz", &[("axis", "x")]);
        assert_eq!(shaped, Some(53.2), "{page}");
    }
    assert_eq!(printer.asked("/printer/objects/query"), 3, "the configuration once");
    let name = "/server/files/metadata?filename=W%C3%BCrfel%20%22v2%22%20100%25%26more.gcode HTTP";
    assert!(printer.exporter.heads().iter().any(|head| head.contains(name)));
}

#[test]
fn end_stops_are_asked_live_only_where_that_is_allowed_and_disturbs_nothing() {
    const LIVE: &str = "/printer/query_endstops/status";
    let probe_of = "{probe: {targets: any, live_endstops: true}}";
    let (daemon, printer) = (Setup::new().route("/probe", probe_of).start(), Moonraker::new());
    let answer = |name: &str| printer.answer("/printer/objects/query", 200, &file(name));
    let triggered =
        |page: &str| value(page, "klipper_endstop_triggered", &[("endstop", "stepper_x")]);
    let success =
        |page: &str| value(page, "klipper_module_success", &[("module", "query_endstops")]);
    printer.answer(LIVE, 200, r#"{"result":{"stepper_x":"TRIGGERED","stepper y-1":"open"}}"#);
    let page = probe(&daemon, printer.addr(), "query_endstops");
    assert_eq!((printer.asked(LIVE), triggered(&page)), (1, Some(1.0)), "{page}");
    let other = [("endstop", "steppery_1")];
    assert_eq!(value(&page, "klipper_endstop_triggered", &other), Some(0.0), "{page}");
    // Of no module that was asked for.
    probe(&daemon, printer.addr(), "server_info");
    for name in ["printing", "paused", "heating", "shutdown"] {
        answer(&format!("printer_objects_query_all.{name}"));
        let page = probe(&daemon, printer.addr(), "query_endstops");
        assert_eq!(success(&page), Some(1.0), "{name}: {page}");
    }
    assert_eq!(printer.asked(LIVE), 1, "a print");
    // Refused after all: what the last query found stays, and the page says that there was more.
    let idle = file("printer_objects_query_all.idle");
    let asked = idle.replacen("\"last_query\":{", "\"last_query\":{\"stepper_x\":1,", 1);
    printer.answer("/printer/objects/query", 200, &asked);
    printer.answer(LIVE, 400, "{\"error\":{\"code\":400,\"message\":\"no\"}}");
    let page = probe(&daemon, printer.addr(), "query_endstops");
    assert_eq!((triggered(&page), success(&page)), (Some(1.0), Some(0.0)), "{page}");
    assert_eq!(printer.asked(LIVE), 2);
    // Nobody has allowed it.
    probe(&prober(), printer.addr(), "all");
    assert_eq!(printer.asked(LIVE), 2);
}

#[test]
fn the_log_is_not_filled_by_naming_printers_that_are_not_there() {
    let probe_of = "{probe: {targets: \"127.0.0.0/8\"}}";
    let daemon = Setup::new().route("/probe", probe_of).start();
    for number in 1..=40 {
        let page = probe(&daemon, &format!("127.0.1.{number}:7125"), "server_info");
        assert_eq!(value(&page, "klipper_up", &[]), Some(0.0), "{page}");
        let reply = daemon.get(&format!("/probe?target=8.8.8.{number}:7125"));
        assert_eq!(reply.status, 403, "{}", reply.body);
    }
    let lines = |text: &str| daemon.log.lines_with(text).len();
    daemon.until("the log says that there is more", || lines("more changes of printers") == 1);
    assert_eq!(lines("printer 127.0.1."), 20, "{}", daemon.log.text());
    assert_eq!(daemon.log.lines_with("8.8.8.").len(), 0, "who may not be asked is no printer");
}

#[test]
fn what_klipper_goes_on_telling_after_a_shutdown_can_be_left_out() {
    let printer = Moonraker::new();
    let temperature = |page: &str| value(page, "klipper_extruder_temperature", &[]).is_some();
    let state = |page: &str| value(page, "klipper_state", &[("state", "shutdown")]);
    let careful = "{probe: {targets: any, only_ready: true}}";
    let careful = Setup::new().route("/probe", careful).start();
    for (phase, other, shown) in [("idle", 0.0, true), ("shutdown", 1.0, false)] {
        let objects = file(&format!("printer_objects_query_all.{phase}"));
        printer.answer("/printer/objects/query", 200, &objects);
        let page = probe(&careful, printer.addr(), "all");
        assert_eq!((temperature(&page), state(&page)), (shown, Some(other)), "{phase}: {page}");
        assert!(value(&page, "klipper_system_cpu_count", &[]).is_some(), "{phase}: {page}");
        assert!(temperature(&probe(&prober(), printer.addr(), "all")), "{phase}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_printer_is_asked_over_tls() {
    let printer = Moonraker::over_tls();
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/tls/cert.pem");
    let source = |name: &str, tls: &str| {
        let source = format!("{{klipper: {{target: \"https://{}\"{tls}}}}}", printer.addr());
        Setup::new().source_of(name, &source)
    };
    let known = format!(", tls: {{ca: {ca}, server_name: localhost}}");
    let probe_of = "{probe: {targets: any, modules: all}}";
    let daemon = source("voron", &known).route("/probe", probe_of).start();
    let page = daemon.get("/probe?target=voron&modules=all").body;
    assert_eq!(value(&page, "fanin_probe_success", &[]), Some(1.0), "{page}");
    assert!(value(&page, "klipper_extruder_temperature", &[]).is_some(), "{page}");
    let handshakes = printer.exporter.connections();
    daemon.get("/probe?target=voron&modules=all");
    assert_eq!(printer.exporter.connections(), handshakes, "kept");
    // The same place by its address is the same printer, with its authority.
    let by_address = daemon.get(&format!("/probe?target=https://{}", printer.addr())).body;
    assert_eq!(value(&by_address, "klipper_up", &[]), Some(1.0), "{by_address}");
    // Without the authority it is not believed, and told why.
    let daemon = source("voron", "").route("/probe", probe_of).start();
    let page = daemon.get("/probe?target=voron").body;
    assert_eq!(value(&page, "klipper_up", &[]), Some(0.0), "{page}");
    let labels = [("module", "server_info"), ("reason", "tls")];
    assert_eq!(value(&page, "klipper_module_failure_info", &labels), Some(1.0), "{page}");
}

#[test]
fn the_list_of_objects_is_remembered_until_klipper_restarts() {
    let (daemon, printer) = (prober(), Moonraker::new());
    let ask = || probe(&daemon, printer.addr(), "printer_objects");
    let lists = || printer.asked("/printer/objects/list");
    for _ in 0..3 {
        ask();
    }
    assert_eq!(lists(), 1);
    assert!(printer.exporter.connections() <= 2, "kept alive");
    // A micro-controller that was sent less than before has been connected to anew.
    let before = file("printer_objects_query_all.idle");
    let at = before.find("\"bytes_write\":").unwrap();
    let fewer = format!("{}\"bytes_write\":1,\"x\":{}", &before[..at], &before[at + 14..]);
    printer.answer("/printer/objects/query", 200, &fewer);
    ask();
    ask();
    assert_eq!(lists(), 2, "restarted");
    let not_ready = before.replacen("\"ready\"", "\"startup\"", 1);
    printer.answer("/printer/objects/query", 200, &not_ready);
    ask();
    ask();
    assert_eq!(lists(), 3, "was not ready");
    printer.answer("/printer/objects/list", 503, &file("printer_objects_list.klippy_disconnected"));
    let page = ask();
    assert_eq!(value(&page, "klipper_up", &[]), Some(1.0), "{page}");
    let labels = [("module", "printer_objects"), ("reason", "klippy_disconnected")];
    assert_eq!(value(&page, "klipper_module_failure_info", &labels), Some(1.0), "{page}");
    assert_eq!(value(&page, "fanin_probe_success", &[]), Some(0.0));
}

#[test]
fn klipper_may_be_down_and_moonraker_not() {
    let (daemon, printer) = (prober(), Moonraker::new());
    for path in ["/printer/objects/list", "/printer/objects/query"] {
        printer.answer(path, 503, &file("printer_objects_list.klippy_disconnected"));
    }
    printer.answer("/server/info", 200, &file("server_info.klippy_disconnected"));
    let page = probe(&daemon, printer.addr(), "default,printer_objects");
    assert_eq!(value(&page, "klipper_klippy_state_info", &[("state", "disconnected")]), Some(1.0));
    assert_eq!(value(&page, "klipper_module_success", &[("module", "system_info")]), Some(1.0));
    assert_eq!(value(&page, "klipper_module_success", &[("module", "printer_objects")]), Some(0.0));
}

#[test]
fn a_printer_that_is_off_is_no_error() {
    let daemon = prober();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for _ in 0..3 {
        let page = probe(&daemon, &gone, "default");
        assert_eq!(value(&page, "klipper_up", &[]), Some(0.0), "{page}");
        assert_eq!(value(&page, "fanin_probe_success", &[]), Some(0.0), "{page}");
        let labels = [("module", "server_info"), ("reason", "connect")];
        assert_eq!(value(&page, "klipper_module_failure_info", &labels), Some(1.0), "{page}");
    }
    let line = format!("printer {gone}: connect {gone}: connection refused");
    assert_eq!(daemon.log.lines_with(&line).len(), 1, "{}", daemon.log.text());
}

#[test]
fn one_that_hangs_gives_what_it_has_by_the_deadline() {
    let daemon = prober();
    let printer = Exporter::talking(|conversation| {
        while let Some(head) = conversation.request() {
            if !head.starts_with("GET /server/info ") {
                return conversation.until_closed();
            }
            let body = file("server_info.idle");
            conversation.send(&common::exporter::ok("application/json", &body));
        }
    });
    let path = format!("/probe?target={}&modules=server_info,process_stats", printer.addr);
    let reply = daemon.get_with(&path, &[("X-Prometheus-Scrape-Timeout-Seconds", "1")]);
    assert_eq!(reply.status, 200);
    assert_eq!(value(&reply.body, "klipper_up", &[]), Some(1.0), "{}", reply.body);
    assert_eq!(value(&reply.body, "klipper_klippy_connected", &[]), Some(1.0), "{}", reply.body);
    let labels = [("module", "process_stats"), ("reason", "timeout")];
    assert_eq!(value(&reply.body, "klipper_module_failure_info", &labels), Some(1.0));
}

#[test]
fn strangers_and_nonsense_are_refused() {
    let printer = Moonraker::new();
    let daemon = Setup::new()
        .source_of(
            "voron",
            &format!("{{klipper: {{target: \"{}\", api_key: own}}}}", printer.addr()),
        )
        .route("/probe", "{probe: {}}")
        .start();
    let port = printer.addr().rsplit(':').next().unwrap();
    for (query, status, told) in [
        ("", 400, "'target' parameter must be specified once"),
        ("target=a&target=b", 400, "must be specified once"),
        ("target=voron&modules=server_inf", 400, "did you mean"),
        ("target=voron&modules=temperature", 400, "printer_objects has its metrics"),
        ("target=http://me:pw@10.0.0.7", 400, "holds a user"),
        ("target=10.0.0.7/x", 400, "has a path"),
        ("target=http://10.0.0.7:7125/x", 400, "has a path"),
        ("target=127.0.0.1:1", 403, "neither configured"),
        ("target=192.0.2.1", 403, "neither configured"),
        ("target=[::ffff:192.0.2.1]", 403, "neither configured"),
        ("target=0.0.0.0", 403, "neither configured"),
        ("target=169.254.169.254:80", 403, "neither configured"),
        ("target=unix:///run/x.sock", 403, "neither configured"),
        (&format!("target=localhost:{port}"), 403, "neither configured"),
    ] {
        let reply = daemon.get(&format!("/probe?{query}"));
        assert_eq!(reply.status, status, "{query}: {}", reply.body);
        assert!(reply.body.contains(told), "{query}: {}", reply.body);
    }
    assert_eq!(printer.exporter.requests(), 0);
    // By its name and by its place it is the configured one, and gets its own key.
    for target in ["voron", printer.addr()] {
        let path = format!("/probe?target={target}&modules=server_info");
        let reply = daemon.get_with(&path, &[("Authorization", "APIKEY other")]);
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(printer.exporter.header("x-api-key").as_deref(), Some("own"), "{target}");
    }
}

#[test]
fn a_configured_key_goes_nowhere_else_and_a_login_is_none() {
    let (own, other) = (Moonraker::new(), Moonraker::new());
    let daemon = Setup::new()
        .source_of("voron", &format!("{{klipper: {{target: \"{}\", api_key: own}}}}", own.addr()))
        .route("/probe", &format!("{{probe: {{targets: \"{}\"}}}}", other.addr()))
        .start();
    let path = format!("/probe?target={}&modules=server_info", other.addr());
    for (fields, want) in [
        (&[][..], None),
        (&[("Authorization", "APIKEY k1")][..], Some("k1")),
        (&[("X-Api-Key", "k2")], Some("k2")),
        (&[("Authorization", "Bearer k3")], None),
    ] {
        assert_eq!(daemon.get_with(&path, fields).status, 200);
        assert_eq!(other.exporter.header("x-api-key").as_deref(), want, "{fields:?}");
        assert_eq!(other.exporter.header("authorization"), None);
    }
    let daemon = Setup::new()
        .server_key("auth: {bearer_token: secret}")
        .route("/probe", &format!("{{probe: {{targets: \"{}\"}}}}", other.addr()))
        .start();
    let login = ("Authorization", "Bearer secret");
    assert_eq!(daemon.get_with(&path, &[login, ("X-Api-Key", "k4")]).status, 200);
    assert_eq!(other.exporter.header("x-api-key").as_deref(), Some("k4"));
    assert_eq!(daemon.get_with(&path, &[("Authorization", "APIKEY k5")]).status, 401);
}

#[test]
fn a_redirect_is_not_followed() {
    let daemon = prober();
    let elsewhere = Moonraker::new();
    let location = format!("http://{}/server/info", elsewhere.addr());
    let printer =
        Exporter::answering(common::exporter::reply("302 Found", &[("Location", &location)], ""));
    let page = probe(&daemon, &printer.addr, "server_info");
    assert_eq!(value(&page, "klipper_up", &[]), Some(0.0), "{page}");
    assert_eq!(elsewhere.exporter.requests(), 0);
}

#[test]
fn a_configured_printer_is_a_source_like_any_other() {
    let printer = Moonraker::new();
    let keys = format!("target: \"{}\", modules: [server_info, printer_objects]", printer.addr());
    let daemon = Setup::new()
        .source_of("voron", &format!("{{klipper: {{{keys}}}, labels: {{room: cellar}}}}"))
        .route("/merged", "{merge: {sources: voron, label: printer}}")
        .start();
    let page = daemon.get("/merged").body;
    let labels = [("printer", "voron"), ("room", "cellar")];
    assert!(value(&page, "klipper_extruder_temperature", &labels).is_some(), "{page}");
    assert_eq!(daemon.own("fanin_source_up", &[("source", "voron")]), Some(1.0));
    drop(printer);
    let reply = daemon.get("/merged");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(value(&reply.body, "klipper_up", &labels), Some(0.0), "{}", reply.body);
    assert_eq!(daemon.own("fanin_source_up", &[("source", "voron")]), Some(0.0));
    assert!(daemon.log_contains("source \"voron\": "), "{}", daemon.log.text());
}

#[test]
fn hostile_replies_are_survived() {
    let (daemon, printer) = (prober(), Moonraker::new());
    let whole = file("printer_objects_query_all.printing");
    let deep = format!("{{\"result\":{{\"status\":{}1{}}}}}", "[".repeat(200), "]".repeat(200));
    let large = whole.replacen(
        "{\"webhooks\"",
        &format!("{{\"x\":\"{}\",\"webhooks\"", "y".repeat(5 << 20)),
        1,
    );
    let many: Vec<String> =
        (0..10_000).map(|n| format!("\"output_pin p{n}\":{{\"value\":{n}}}")).collect();
    let many = format!("{{\"result\":{{\"status\":{{{}}}}}}}", many.join(","));
    for (name, body, success) in [
        ("5 MB", large, 1.0),
        ("200 deep", deep, 1.0),
        ("10,000 objects", many, 1.0),
        ("cut", whole[..whole.len() / 2].to_owned(), 0.0),
        ("no JSON", file("printer_objects_query_all.printing").replace('{', "<"), 0.0),
        ("a list", "[1,2,3]".to_owned(), 0.0),
        ("nothing", String::new(), 0.0),
    ] {
        printer.answer("/printer/objects/query", 200, &body);
        let page = probe(&daemon, printer.addr(), "printer_objects");
        assert_eq!(value(&page, "klipper_module_success", &[]), Some(success), "{name}: {page}");
    }
    printer.answer("/printer/objects/query", 200, &whole);
    let page = probe(&daemon, printer.addr(), "printer_objects");
    assert_eq!(value(&page, "klipper_printing", &[]), Some(1.0), "{page}");
    let gzip = Exporter::answering(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}".as_slice(),
    );
    let page = probe(&daemon, &gzip.addr, "server_info");
    assert_eq!(value(&page, "klipper_module_failure_info", &[("reason", "encoding")]), Some(1.0));
}

#[test]
fn the_command_prints_one_probe() {
    let printer = Moonraker::new();
    let done = fanin(&["probe", printer.addr(), "--modules", "server_info"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(value(&done.out, "klipper_up", &[]), Some(1.0), "{}", done.out);
    let address = printer.addr().to_owned();
    drop(printer);
    let gone = fanin(&["probe", &address]);
    assert_eq!(gone.code, Some(1), "{}", gone.out);
    assert_eq!(value(&gone.out, "klipper_up", &[]), Some(0.0), "{}", gone.out);
    let wrong = fanin(&["probe", "a b"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
}

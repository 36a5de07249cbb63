use super::*;
use crate::limits::{BLOCK, KLIPPER_OBJECTS};
use crate::memory::Pool;
use crate::source::klipper::Sheet;

/// Those that the tests below name.
fn modules() -> Modules {
    let mut modules = Modules::NONE;
    ["printer_objects", "mmu"].into_iter().for_each(|name| modules.add(name).unwrap());
    modules
}

/// The page that `doc` gives, read in pieces that end at each of `cuts`.
fn page(doc: Doc, reply: &[u8], cuts: &[usize]) -> Result<String, WalkError> {
    let pool = Pool::new(64 * BLOCK, 0);
    let budget = pool.lent();
    let mut sheet = Sheet::new(modules(), &budget);
    let mut walker = Walker::new(doc, modules());
    let mut at = 0;
    for cut in cuts.iter().copied().chain([reply.len()]) {
        walker.read(reply.get(at..cut).unwrap_or_default(), &mut sheet.facts)?;
        at = cut;
    }
    walker.finish()?;
    let text = sheet.page(1 << 20).unwrap();
    let bytes: Vec<u8> = text.blocks().iter().flat_map(|block| block.filled().to_vec()).collect();
    Ok(String::from_utf8(bytes).unwrap())
}

fn objects(status: &str) -> String {
    format!(r#"{{"result":{{"eventtime":1.5,"status":{status}}}}}"#)
}

/// The samples alone.
fn samples(page: &str) -> Vec<&str> {
    page.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_page_is_the_same_wherever_the_reply_is_cut() {
    let status = r#"{"temperature_sensor Kühl-1":{"temperature":1.5e1,"measured_min_temp":-2},
        "tmc2209 stepper_x":{"drv_status":{"stst":1},"run_current":0.8},"mcu é":null,
        "toolhead":{"homed_axes":"x\u0079"},"mmu":{"num_gates":2,"gate_status":[1,0,2]}}"#;
    let reply = objects(status).into_bytes();
    let whole = page(Doc::Objects, &reply, &[]).unwrap();
    assert_eq!(samples(&whole).len(), 11, "{whole}");
    for cut in 0..=reply.len() {
        assert_eq!(page(Doc::Objects, &reply, &[cut]).as_ref(), Ok(&whole), "{cut}");
    }
    for cut in 1..reply.len() {
        assert!(page(Doc::Objects, reply.get(..cut).unwrap(), &[]).is_err(), "{cut}");
    }
}

#[test]
fn a_wrong_field_costs_itself_alone() {
    let cases = [
        (r#"{"fan":{"speed":"fast","rpm":5}}"#, &["klipper_fan_rpm 5"][..]),
        (r#"{"fan":{"speed":"0.5","rpm":[5]}}"#, &["klipper_fan_speed 0.5"]),
        (r#"{"fan":{"speed":true,"rpm":null}}"#, &["klipper_fan_speed 1"]),
        (r#"{"fan":{"speed":1e999,"rpm":"NaN"}}"#, &[]),
        (r#"{"fan":{"speed":{"speed":1}}}"#, &[]),
        (r#"{"fan":[1,2],"x":{"fan":{"speed":1}}}"#, &[]),
        (r#"{"fan":{"speed":1},"fan":{"speed":2}}"#, &["klipper_fan_speed 1"]),
        (r#"{"fan":{"speed":1,"speed":2}}"#, &["klipper_fan_speed 1"]),
        (r#"{"webhooks":{"state":7}}"#, &[]),
        (
            r#"{"output_pin a-b":{"value":1},"output_pin a_b":{"value":2},"output_pin 温":{"value":3}}"#,
            &[
                "klipper_output_pin_value{pin=\"a_b\"} 1",
                "klipper_output_pin_value{pin=\"a_b_2\"} 2",
                "klipper_output_pin_value{pin=\"温\"} 3",
            ],
        ),
    ];
    for (status, want) in cases {
        let page = page(Doc::Objects, objects(status).as_bytes(), &[]).unwrap();
        assert_eq!(samples(&page), want, "{status}");
    }
}

#[test]
fn a_long_deep_or_crowded_reply_is_survived() {
    let long = "x".repeat(1 << 20);
    let text = objects(&format!(r#"{{"webhooks":{{"state":"{long}"}},"{long}":{{"a":1}}}}"#));
    let page_of = |reply: &str| page(Doc::Objects, reply.as_bytes(), &[]);
    let got = page_of(&text).unwrap();
    assert_eq!(
        samples(&got),
        [format!("klipper_webhooks_state_info{{state=\"{}\"}} 1", &long[..KLIPPER_TEXT])]
    );
    let (open, close) = ("[".repeat(200), "]".repeat(200));
    let deep = objects(&format!(r#"{{"fan":{{"speed":{open}1{close},"rpm":1}}}}"#));
    assert_eq!(samples(&page_of(&deep).unwrap()), ["klipper_fan_rpm 1"]);
    let many: Vec<String> = (0..10_000)
        .map(|n| format!(r#""temperature_sensor s{n}":{{"temperature":{n}}}"#))
        .collect();
    let got = page_of(&objects(&format!("{{{}}}", many.join(",")))).unwrap();
    assert_eq!(samples(&got).len(), KLIPPER_OBJECTS);
}

#[test]
fn what_is_no_answer_is_told() {
    let cases = [
        (r#"{"error":{"code":401,"message":"Unauthorized"}}"#, Ok(false)),
        (r#"{"result":{}}"#, Ok(false)),
        (r#"{"result":{"status":{}}}"#, Ok(true)),
        ("[1,2,3]", Ok(false)),
    ];
    let pool = Pool::new(64 * BLOCK, 0);
    for (reply, want) in cases {
        let mut sheet = Sheet::new(modules(), &pool.lent());
        assert_eq!(sheet.read(Doc::Objects, reply.as_bytes()), want, "{reply}");
    }
    let mut sheet = Sheet::new(modules(), &pool.lent());
    assert!(sheet.read(Doc::Objects, b"<html>").is_err());
}

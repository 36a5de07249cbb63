//! End stops: as the last query found them, or, where the operator has asked for it, as they are.
//!
//! The live query waits for what Klipper does and halts it: asked once a second it stretches a print by
//! a third. A Klipper that starts is shut down by it. So it is asked only after Klipper has said, within
//! the same probe, that it is ready, that nothing is printed, and that it does nothing else.

use super::Sheet;
use super::facts::Facts;
use super::write::{Seen, Writer, cleaned};
use crate::config::Module;

/// What a live query calls an end stop that is triggered; others are `open`.
const TRIGGERED: &str = "TRIGGERED";

/// Whether a live query disturbs nothing, by what Klipper has just said. What it has not said is no yes.
pub(super) fn may_be_asked(sheet: &Sheet) -> bool {
    let state = |path| sheet.core(path).and_then(|object| object.word("state"));
    sheet.is_ready()
        && state("print_stats").is_some_and(|state| !matches!(state, "printing" | "paused"))
        && state("idle_timeout").is_some_and(|state| state != "Printing")
}

/// Each end stop; of a live query if there was one.
pub(super) fn write(facts: &Facts, out: &mut Writer) {
    let live = facts.of(Module::QueryEndstops, "").map(|found| (found, "*"));
    let last = || facts.of(Module::QueryEndstops, "query_endstops");
    let Some((found, field)) = live.or_else(|| Some((last()?, "last_query.*"))) else { return };
    out.gauge("endstop_triggered", "Whether an end stop was triggered when it was last asked.");
    let mut seen = Seen::new();
    for value in found.fields(field) {
        let triggered = value.word().map(|word| if word == TRIGGERED { "1" } else { "0" });
        let mut name = String::new();
        cleaned(value.sub, &mut name);
        if let Some(triggered) = triggered.or_else(|| value.number())
            && seen.number(&mut name)
        {
            out.label("endstop", &name).sample(triggered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Doc;
    use super::*;
    use crate::config::Modules;
    use crate::limits::BLOCK;
    use crate::memory::Pool;

    #[test]
    fn a_live_query_is_asked_only_where_it_disturbs_nothing() {
        let cases = [
            (("ready", "standby", "Idle"), true),
            (("ready", "complete", "Ready"), true),
            (("ready", "cancelled", "Ready"), true),
            (("startup", "standby", "Idle"), false),
            (("shutdown", "standby", "Idle"), false),
            (("error", "standby", "Idle"), false),
            (("ready", "printing", "Ready"), false),
            (("ready", "paused", "Idle"), false),
            // A macro, a homing or a heating that waits.
            (("ready", "standby", "Printing"), false),
            // Nothing said.
            (("", "standby", "Idle"), false),
            (("ready", "", "Idle"), false),
            (("ready", "standby", ""), false),
        ];
        for ((klipper, print, idle), want) in cases {
            let pool = Pool::new(16 * BLOCK, 0);
            let mut sheet = Sheet::new(Modules::NONE.with_core(), &pool.lent());
            let states = [("webhooks", klipper), ("print_stats", print), ("idle_timeout", idle)];
            let objects: Vec<String> = states
                .iter()
                .filter(|(_, state)| !state.is_empty())
                .map(|(name, state)| format!(r#""{name}":{{"state":"{state}"}}"#))
                .collect();
            let reply = format!(r#"{{"result":{{"status":{{{}}}}}}}"#, objects.join(","));
            sheet.read(Doc::Objects, reply.as_bytes()).unwrap();
            assert_eq!(may_be_asked(&sheet), want, "{klipper} {print} {idle}");
        }
    }
}

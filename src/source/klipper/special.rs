//! What the table's rows cannot say.

use super::end_stops;
use super::facts::{Facts, Seen as Element};
use super::table;
use super::write::{Writer, cleaned};
use crate::config::{Module, Modules};

/// Gates of an MMU that are looked at.
const GATES: u32 = 256;

/// The slots of a CFS unit.
const SLOTS: [&str; 4] = ["A", "B", "C", "D"];

/// All of it, for those of `modules` that have it.
pub(super) fn write(facts: &Facts, modules: Modules, out: &mut Writer) {
    type Of = fn(&Facts, &mut Writer);
    let all: [(Module, Of); 8] = [
        (Module::ProcessStats, process),
        (Module::ServerInfo, api_version),
        (Module::SystemInfo, services),
        (Module::History, job),
        (Module::QueryEndstops, end_stops::write),
        (Module::Mmu, gates),
        (Module::Cfs, slots),
        (Module::Spoolman, spool),
    ];
    for (module, of) in all {
        if modules.has(module) {
            of(facts, out);
        }
    }
}

/// Of Moonraker's samples of itself the last.
fn process(facts: &Facts, out: &mut Writer) {
    const CPU: &str = "moonraker_stats.#.cpu_usage";
    const MEMORY: &str = "moonraker_stats.#.memory";
    const UNITS: &str = "moonraker_stats.#.mem_units";
    let Some(all) = facts.one("", MEMORY) else { return };
    let numbers = [CPU, MEMORY, UNITS]
        .map(|field| all.fields(field).last().and_then(|value| value.sub.parse::<u32>().ok()));
    let Some(last) = numbers.into_iter().max().flatten() else { return };
    let of_last = |field| all.fields(field).find(|value| value.sub.parse() == Ok(last));
    let units = of_last(UNITS).and_then(|value| value.word());
    out.gauge("moonraker_memory_kb", "Memory of Moonraker in kB.");
    if let Some(memory) =
        of_last(MEMORY).and_then(|value| value.number()).filter(|_| units == Some("kB"))
    {
        out.sample(memory);
    }
    out.gauge("moonraker_cpu_usage", "Processor time that Moonraker takes, in percent of a core.");
    if let Some(cpu) = of_last(CPU).and_then(|value| value.number()) {
        out.sample(cpu);
    }
}

/// `[1, 5, 0]` as `1.5.0`.
fn api_version(facts: &Facts, out: &mut Writer) {
    let Some(all) = facts.one("", "api_version.#") else { return };
    let parts: Vec<&str> = all.fields("api_version.#").filter_map(|value| value.number()).collect();
    if !parts.is_empty() {
        out.gauge("api_version_info", "Version of Moonraker's interface.");
        out.label("version", &parts.join(".")).sample(1);
    }
}

/// How the services are that Moonraker may control.
fn services(facts: &Facts, out: &mut Writer) {
    let Some(all) = facts.one("system_info", "available_services.#") else { return };
    let families = [
        ("service_state_info", "state", "service_state.*.active_state", "How a service is."),
        (
            "service_sub_state_info",
            "sub_state",
            "service_state.*.sub_state",
            "How a service is, more closely.",
        ),
    ];
    for (name, label, field, help) in families {
        out.gauge(name, help);
        for service in all.fields("available_services.#").filter_map(|value| value.word()) {
            let state = all.fields(field).find(|value| value.sub == service);
            let Some(state) = state.map_or(Some("unknown"), |state| state.word()) else { continue };
            let mut clean = String::new();
            cleaned(service, &mut clean);
            out.label("service", &clean).label(label, state).sample(1);
        }
    }
}

/// The job under way; zeros where the last one has ended.
fn job(facts: &Facts, out: &mut Writer) {
    let Some(job) = facts.one("jobs/0", "status").filter(|job| !job.is_empty()) else { return };
    let runs = job.word("status") == Some("in_progress");
    // The history is written as a job begins and ends, and not in between.
    let print = facts.of(Module::History, "print_stats");
    let print = print.filter(|print| print.field("total_duration").is_some());
    let families = [
        (
            "current_print_object_height",
            job,
            "metadata.object_height",
            "Height of the object in mm.",
        ),
        (
            "current_print_first_layer_height",
            job,
            "metadata.first_layer_height",
            "Height of the first layer in mm.",
        ),
        (
            "current_print_layer_height",
            job,
            "metadata.layer_height",
            "Height of the other layers in mm.",
        ),
        (
            "current_print_total_duration",
            print.unwrap_or(job),
            "total_duration",
            "Seconds since the print began.",
        ),
    ];
    for (name, from, field, help) in families {
        let value =
            if runs { from.field(field).and_then(|value| value.number()) } else { Some("0") };
        if let Some(value) = value {
            out.gauge(name, help);
            out.sample(value);
        }
    }
}

/// What each gate of an MMU holds.
fn gates(facts: &Facts, out: &mut Writer) {
    let Some(mmu) = facts.one("mmu", "num_gates") else { return };
    out.gauge("mmu_gate_info", "The filament of a gate.");
    let gates = mmu.field("num_gates").and_then(|value| value.number()?.parse::<u32>().ok());
    for gate in 0..gates.unwrap_or_default().min(GATES) {
        let gate = gate.to_string();
        out.label("gate", &gate);
        for (label, field) in [
            ("material", "gate_material.#"),
            ("color", "gate_color.#"),
            ("filament_name", "gate_filament_name.#"),
        ] {
            out.label(label, at(mmu, field, &gate).unwrap_or_default());
        }
        out.sample(1);
    }
}

/// The text of a list's element.
fn at<'a>(element: Element<'a>, field: &str, number: &str) -> Option<&'a str> {
    element.fields(field).find(|value| value.sub == number).and_then(|value| value.word())
}

/// The slots of each CFS unit that is there.
fn slots(facts: &Facts, out: &mut Writer) {
    let Some(units) = table::objects().find(|(_, object)| object.paths == ["box/T#"]) else {
        return;
    };
    let units = || facts.elements(units).filter(|unit| unit.word("state").is_some());
    let active =
        |unit: Element<'_>| SLOTS.iter().position(|slot| unit.word("filament") == Some(*slot));
    let color = |unit: Element<'_>, number: &str, out: &mut Writer| {
        out.label("material", at(unit, "material_type.#", number).unwrap_or_default());
        out.label("color", at(unit, "color_value.#", number).unwrap_or_default());
    };
    out.gauge("cfs_active_slot", "The slot in use, A to D as 0 to 3; -1 for none.");
    for unit in units() {
        out.label("unit", unit.key());
        match active(unit) {
            Some(slot) => out.sample(slot),
            None => out.sample(-1),
        }
    }
    out.gauge("cfs_active_slot_info", "The slot in use and its filament.");
    for unit in units() {
        let Some((number, slot)) = active(unit).and_then(|at| Some((at, SLOTS.get(at)?))) else {
            continue;
        };
        out.label("unit", unit.key()).label("slot", slot);
        color(unit, &number.to_string(), out);
        out.sample(1);
    }
    out.gauge("cfs_slot_info", "The filament of a slot.");
    for unit in units() {
        for (number, slot) in SLOTS.iter().enumerate() {
            let number = number.to_string();
            out.label("unit", unit.key()).label("slot", slot);
            color(unit, &number, out);
            out.label("vendor", at(unit, "vender.#", &number).unwrap_or_default()).sample(1);
        }
    }
    out.gauge("cfs_slot_remaining", "Filament left in a slot, in percent most likely.");
    for unit in units() {
        for value in unit.fields("remain_len.#") {
            let slot = value.sub.parse().ok().and_then(|at: usize| SLOTS.get(at));
            if let (Some(slot), Some(number)) = (slot, value.number()) {
                out.label("unit", unit.key()).label("slot", slot).sample(number);
            }
        }
    }
}

/// The spool in use; -1 for none.
fn spool(facts: &Facts, out: &mut Writer) {
    let Some(status) = facts.one("", "spool_id") else { return };
    out.gauge("spoolman_active_spool_id", "The spool in use; -1 for none.");
    out.sample(status.field("spool_id").and_then(|value| value.number()).unwrap_or("-1"));
}

//! Creality's filament system, as printers of the K2 class have it.
//!
//! `-1`, `None` and empty texts stand for nothing there, and are taken so.

use super::{Doc, Key, Metric, Module, Object, Part, Take, gauge, keep, metric, part, text};

const fn object(
    paths: &'static [&'static str],
    key: Key,
    label: &'static str,
    metrics: &'static [Metric],
) -> Object {
    Object { doc: Doc::Objects, module: Module::Cfs, paths, key, label, metrics }
}

/// A unit that is not there has no state.
const fn of_unit(field: &'static str, name: &'static str, help: &'static str) -> Metric {
    Metric { take: Take::With("state"), ..gauge(field, name, help) }
}

pub(super) const OBJECTS: &[Object] = &[
    object(
        &["box"],
        Key::One,
        "",
        &[
            gauge("enable", "cfs_enabled", "Whether the CFS is on."),
            gauge(
                "auto_refill",
                "cfs_auto_refill_enabled",
                "Whether the next spool follows by itself.",
            ),
            gauge("filament_useup", "cfs_filament_useup", "Whether the filament is used up."),
            text("state", "cfs_state_info", "state", "How the CFS is."),
            gauge("filament", "cfs_active_unit", "The unit in use, most likely."),
        ],
    ),
    object(
        &["box/T#"],
        Key::Whole,
        "unit",
        &[
            text("state", "cfs_unit_state_info", "state", "How a unit is."),
            metric(
                "state",
                "cfs_unit_info",
                Take::Record(&[part("version", "version"), part("sn", "sn"), part("mode", "mode")]),
                ("", "A unit."),
            ),
            keep("version"),
            keep("sn"),
            keep("mode"),
            of_unit("temperature", "cfs_unit_temperature_celsius", "Temperature in a unit in °C."),
            of_unit(
                "dry_and_humidity",
                "cfs_unit_humidity_percent",
                "Relative humidity in a unit in percent.",
            ),
            // The slots are written in `special.rs`.
            keep("filament"),
            keep("material_type.#"),
            keep("color_value.#"),
            keep("vender.#"),
            keep("remain_len.#"),
        ],
    ),
    object(
        &["filament_rack"],
        Key::One,
        "",
        &[
            metric(
                "remain_material_type",
                "cfs_rack_loaded_info",
                Take::Record(&[
                    part("material", "remain_material_type"),
                    Part { needed: true, ..part("color", "remain_material_color") },
                ]),
                ("", "The filament at the toolhead."),
            ),
            keep("remain_material_color"),
            gauge(
                "remain_material_velocity",
                "cfs_rack_velocity",
                "Its speed, in mm/min most likely.",
            ),
        ],
    ),
];

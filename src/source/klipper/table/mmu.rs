//! Happy Hare's multi-material unit, its versions 3 and 4.

use super::{Doc, Key, Metric, Module, Object, Take, each, gauge, keep, metric, part, text};

const fn object(
    paths: &'static [&'static str],
    key: Key,
    label: &'static str,
    metrics: &'static [Metric],
) -> Object {
    Object { doc: Doc::Objects, module: Module::Mmu, paths, key, label, metrics }
}

/// One of each gate; as many as there are gates.
const fn gate(
    field: &'static str,
    name: &'static str,
    label: &'static str,
    help: &'static str,
) -> Metric {
    Metric { take: Take::Below("num_gates"), ..each(field, name, label, help) }
}

pub(super) const OBJECTS: &[Object] = &[
    object(
        &["mmu"],
        Key::One,
        "",
        &[
            gauge("enabled", "mmu_enabled", "Whether the MMU is on."),
            gauge("is_homed", "mmu_homed", "Whether its selector is homed."),
            gauge("num_gates", "mmu_num_gates", "Its gates."),
            gauge("has_bypass", "mmu_has_bypass", "Whether it has a bypass."),
            gauge("unit", "mmu_current_unit", "The unit that is selected."),
            gauge("tool", "mmu_current_tool", "The tool that is selected; -1 unknown, -2 bypass."),
            gauge("gate", "mmu_current_gate", "The gate that is selected; -1 unknown, -2 bypass."),
            text(
                "print_state",
                "mmu_print_state_info",
                "state",
                "How the print is, as the MMU sees it.",
            ),
            text("action", "mmu_action_info", "action", "What the MMU does."),
            text(
                "operation",
                "mmu_operation_info",
                "operation",
                "The operation that moved the toolhead.",
            ),
            metric(
                "filament",
                "mmu_filament_loaded",
                Take::Is("Loaded"),
                ("", "Whether filament is loaded."),
            ),
            gauge(
                "filament_position",
                "mmu_filament_position_mm",
                "Position of the filament in mm.",
            ),
            gauge(
                "filament_pos",
                "mmu_filament_pos_state",
                "Position of the filament as a state, -1 unknown to 10 loaded.",
            ),
            gauge(
                "filament_direction",
                "mmu_filament_direction",
                "Where the filament goes: 1 in, -1 out, 0 nowhere.",
            ),
            gauge("num_toolchanges", "mmu_toolchanges_total", "Tool changes of this print."),
            gauge("last_tool", "mmu_last_tool", "The tool before this one."),
            gauge("next_tool", "mmu_next_tool", "The tool that comes next; -1 for none."),
            gauge(
                "toolchange_purge_volume",
                "mmu_toolchange_purge_volume_mm3",
                "Volume to purge in mm³.",
            ),
            gauge("runout", "mmu_runout", "Whether a runout is being handled."),
            // Not in prometheus-klipper-exporter.
            gate("sensors.*", "mmu_sensor_triggered", "sensor", "Whether a sensor sees filament."),
            gauge(
                "extruder_filament_remaining",
                "mmu_extruder_filament_remaining_mm",
                "Filament left between extruder and nozzle after an unload, in mm.",
            ),
            gauge(
                "sync_feedback_bias_raw",
                "mmu_sync_feedback_bias_raw",
                "Tension (-1) to compression (1) of the filament, as measured.",
            ),
            gauge(
                "sync_feedback_bias_modelled",
                "mmu_sync_feedback_bias_modelled",
                "The same as the MMU reckons.",
            ),
            gauge(
                "sync_feedback_flow_rate",
                "mmu_sync_feedback_flow_rate",
                "Flow that the feedback measures, in percent.",
            ),
            gauge(
                "clog_detection_enabled",
                "mmu_clog_detection_mode",
                "Clog detection: 0 off, 1 manual, 2 automatic.",
            ),
            gauge(
                "endless_spool_enabled",
                "mmu_endless_spool_enabled",
                "Endless spool: 0 off, 1 on, 2 with pre-gate sensors.",
            ),
            gauge(
                "sync_drive",
                "mmu_sync_drive_enabled",
                "Whether the gear motor follows the extruder.",
            ),
            text(
                "sync_feedback_state",
                "mmu_sync_feedback_state_info",
                "state",
                "What the sync feedback sensor says.",
            ),
            text("servo", "mmu_servo_position_info", "position", "Where the servo is."),
            gauge(
                "bowden_progress",
                "mmu_bowden_progress_percent",
                "Progress through the bowden tube in percent; -1 when idle.",
            ),
            gauge(
                "encoder.encoder_pos",
                "mmu_encoder_position_mm",
                "Position of the encoder in mm.",
            ),
            gauge(
                "encoder.detection_length",
                "mmu_encoder_detection_length_mm",
                "Length within which a clog is detected, in mm.",
            ),
            gauge("encoder.headroom", "mmu_encoder_headroom_mm", "What is left of it, in mm."),
            gauge(
                "encoder.min_headroom",
                "mmu_encoder_min_headroom_mm",
                "The least that was left, in mm.",
            ),
            gauge(
                "encoder.desired_headroom",
                "mmu_encoder_desired_headroom_mm",
                "What is to be left, in mm.",
            ),
            gauge("encoder.flow_rate", "mmu_encoder_flow_rate_percent", "Flow rate in percent."),
            gauge("encoder.enabled", "mmu_encoder_enabled", "Whether the encoder detects clogs."),
            gate(
                "gate_status.#",
                "mmu_gate_status",
                "gate",
                "A gate: -1 unknown, 0 empty, 1 available, 2 available from the buffer.",
            ),
            gate(
                "gate_temperature.#",
                "mmu_gate_temperature",
                "gate",
                "Temperature for a gate's filament in °C.",
            ),
            gate(
                "gate_speed_override.#",
                "mmu_gate_speed_override_percent",
                "gate",
                "Factor on a gate's speed in percent.",
            ),
            gate(
                "ttg_map.#",
                "mmu_gate_ttg_map",
                "gate",
                "The gate that a tool is mapped to; the label is the tool.",
            ),
            gate(
                "endless_spool_groups.#",
                "mmu_gate_endless_spool_group",
                "gate",
                "The endless spool group of a gate.",
            ),
            gate(
                "gate_spool_id.#",
                "mmu_gate_spool_id",
                "gate",
                "The spool of a gate; -1 for none.",
            ),
            // Joined in `special.rs`.
            keep("gate_material.#"),
            keep("gate_color.#"),
            keep("gate_filament_name.#"),
            gate(
                "tool_extrusion_multipliers.#",
                "mmu_tool_extrusion_multiplier",
                "tool",
                "Factor on a tool's extrusion (M221).",
            ),
            gate(
                "tool_speed_multipliers.#",
                "mmu_tool_speed_multiplier",
                "tool",
                "Factor on a tool's speed (M220).",
            ),
            gauge(
                "slicer_tool_map.total_toolchanges",
                "mmu_slicer_total_toolchanges",
                "Tool changes that the slicer expects.",
            ),
            gauge("slicer_tool_map.initial_tool", "mmu_slicer_initial_tool", "The first tool."),
        ],
    ),
    object(
        &["filament_switch_sensor mmu_pre_gate_#", "filament_switch_sensor mmu_entry_#"],
        Key::Part,
        "gate",
        &[
            gauge(
                "filament_detected",
                "mmu_pre_gate_sensor_detected",
                "Whether there is filament in front of a gate.",
            ),
            gauge("enabled", "mmu_pre_gate_sensor_enabled", "Whether that sensor is heeded."),
        ],
    ),
    object(
        &["mmu_machine"],
        Key::One,
        "",
        &[gauge("num_units", "mmu_num_units", "Units of the MMU.")],
    ),
    object(
        &["mmu_machine/unit_#"],
        Key::Plain,
        "",
        &[
            metric(
                "name",
                "mmu_machine_info",
                Take::Record(&[
                    part("name", "name"),
                    part("vendor", "vendor"),
                    part("version", "version"),
                    part("selector_type", "selector_type"),
                ]),
                ("", "A unit of the MMU."),
            ),
            keep("vendor"),
            keep("version"),
            keep("selector_type"),
        ],
    ),
    object(
        &["mmu/active_filament"],
        Key::One,
        "",
        &[
            metric(
                "filament_name",
                "mmu_active_filament_info",
                Take::Record(&[
                    part("name", "filament_name"),
                    part("material", "material"),
                    part("color", "color"),
                ]),
                ("", "The filament in use."),
            ),
            keep("material"),
            keep("color"),
            Metric {
                take: Take::With("filament_name"),
                ..gauge("temperature", "mmu_active_filament_temperature", "Its temperature in °C.")
            },
            Metric {
                take: Take::With("filament_name"),
                ..gauge("spool_id", "mmu_active_filament_spool_id", "Its spool.")
            },
        ],
    ),
];

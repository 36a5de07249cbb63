//! Klipper's objects that every printer may have.

use super::{Doc, Key, Metric, Module, Object, Take, counter, gauge, keep, metric, text};

const fn one(paths: &'static [&'static str], metrics: &'static [Metric]) -> Object {
    kind(paths, (Key::One, ""), metrics)
}

/// Objects of a kind, told apart by their names.
const fn named(
    paths: &'static [&'static str],
    label: &'static str,
    metrics: &'static [Metric],
) -> Object {
    kind(paths, (Key::Part, label), metrics)
}

const fn kind(
    paths: &'static [&'static str],
    (key, label): (Key, &'static str),
    metrics: &'static [Metric],
) -> Object {
    Object { doc: Doc::Objects, module: Module::PrinterObjects, paths, key, label, metrics }
}

const fn reading(field: &'static str, name: &'static str, help: &'static str) -> Metric {
    metric(field, name, Take::Reading, ("", help))
}

pub(super) const OBJECTS: &[Object] = &[
    one(
        &["gcode_move"],
        &[
            gauge("speed_factor", "gcode_speed_factor", "Factor on speeds (M220)."),
            gauge("speed", "gcode_speed", "Speed that was last asked for, in mm/min."),
            gauge("extrude_factor", "gcode_extrude_factor", "Factor on extrusion (M221)."),
            gauge("gcode_position.0", "gcode_position_x", "Position on the X axis in mm."),
            gauge("gcode_position.1", "gcode_position_y", "Position on the Y axis in mm."),
            gauge("gcode_position.2", "gcode_position_z", "Position on the Z axis in mm."),
            gauge("gcode_position.3", "gcode_position_e", "Position of the extruder in mm."),
        ],
    ),
    one(
        &["toolhead"],
        &[
            gauge(
                "print_time",
                "toolhead_print_time",
                "The micro-controller's clock up to which moves are planned, in seconds.",
            ),
            gauge(
                "estimated_print_time",
                "toolhead_estimated_print_time",
                "The micro-controller's clock, in seconds. How long a print takes is another matter.",
            ),
            gauge("max_velocity", "toolhead_max_velocity", "Highest speed in mm/s."),
            gauge("max_accel", "toolhead_max_accel", "Highest acceleration in mm/s²."),
            gauge(
                "max_accel_to_decel",
                "toolhead_max_accel_to_decel",
                "Highest acceleration of short moves in mm/s²; old Klipper only.",
            ),
            gauge(
                "square_corner_velocity",
                "toolhead_square_corner_velocity",
                "Speed through a right angle in mm/s.",
            ),
            metric(
                "homed_axes",
                "toolhead_homed_axes_info",
                Take::Letters,
                ("axis", "An axis that is homed."),
            ),
            counter(
                "stalls",
                "toolhead_stalls_total",
                "Times that the toolhead had to wait for the host.",
            ),
        ],
    ),
    one(
        &["extruder"],
        &[
            gauge(
                "temperature",
                "extruder_temperature",
                "Temperature of the first extruder in °C.",
            ),
            gauge("target", "extruder_target", "Temperature it is to have in °C."),
            gauge("power", "extruder_power", "Share of time that its heater is on."),
            gauge(
                "pressure_advance",
                "extruder_pressure_advance",
                "Its pressure advance in seconds.",
            ),
            gauge(
                "smooth_time",
                "extruder_smooth_time",
                "Time over which pressure advance is smoothed, in seconds.",
            ),
        ],
    ),
    one(
        &["heater_bed"],
        &[
            gauge("temperature", "heater_bed_temperature", "Temperature of the bed in °C."),
            gauge("target", "heater_bed_target", "Temperature it is to have in °C."),
            gauge("power", "heater_bed_power", "Share of time that its heater is on."),
        ],
    ),
    one(
        &["fan"],
        &[
            gauge("speed", "fan_speed", "Speed of the part cooling fan, 0 to 1."),
            gauge("rpm", "fan_rpm", "Its revolutions per minute."),
        ],
    ),
    one(
        &["idle_timeout"],
        &[
            counter("printing_time", "printing_time", "Seconds in the state Printing."),
            text("state", "idle_timeout_state_info", "state", "Whether the printer is busy."),
        ],
    ),
    one(
        &["virtual_sdcard"],
        &[
            counter("progress", "print_file_progress", "Share of the file that was read, 0 to 1."),
            counter("file_position", "print_file_position", "Bytes of the file that were read."),
            gauge("is_active", "sdcard_active", "Whether a file is being read."),
        ],
    ),
    one(
        &["print_stats"],
        &[
            counter("total_duration", "print_total_duration", "Seconds since the print began."),
            counter(
                "print_duration",
                "print_print_duration",
                "Seconds of it without pauses and heating up.",
            ),
            counter("filament_used", "print_filament_used", "Filament that it used, in mm."),
            text("state", "print_state_info", "state", "How the print is."),
            metric(
                "state",
                "printing",
                Take::Is("printing"),
                ("", "Whether a print is under way."),
            ),
        ],
    ),
    one(&["webhooks"], &[text("state", "webhooks_state_info", "state", "How Klipper is.")]),
    one(
        &["pause_resume"],
        &[gauge("is_paused", "pause_resume_is_paused", "Whether the print is paused.")],
    ),
    one(
        &["display_status"],
        &[counter(
            "progress",
            "print_gcode_progress",
            "Progress as the slicer tells it (M73), 0 to 1; else as the file was read.",
        )],
    ),
    one(
        &["input_shaper"],
        &[
            gauge("frequency_x", "input_shaper_frequency_x", "Frequency for the X axis in Hz."),
            gauge("frequency_y", "input_shaper_frequency_y", "Frequency for the Y axis in Hz."),
            gauge(
                "damping_ratio_x",
                "input_shaper_damping_ratio_x",
                "Damping ratio for the X axis.",
            ),
            gauge(
                "damping_ratio_y",
                "input_shaper_damping_ratio_y",
                "Damping ratio for the Y axis.",
            ),
            metric(
                "shaper_type_*",
                "input_shaper_type_info",
                Take::TextOf("axis"),
                ("type", "Kind of input shaper."),
            ),
        ],
    ),
    one(
        &["firmware_retraction"],
        &[
            gauge("retract_length", "firmware_retract_length", "Filament to retract, in mm."),
            gauge("retract_speed", "firmware_retract_speed", "Speed to retract with, in mm/s."),
            gauge(
                "unretract_extra_length",
                "firmware_unretract_extra_length",
                "Filament to add when it goes on, in mm.",
            ),
            gauge("unretract_speed", "firmware_unretract_speed", "Speed to go on with, in mm/s."),
        ],
    ),
    named(
        &["mcu", "mcu *"],
        "mcu",
        &[
            gauge(
                "last_stats.mcu_awake",
                "mcu_awake",
                "Share of time that a micro-controller was busy.",
            ),
            gauge("last_stats.mcu_task_avg", "mcu_task_avg", "Mean time of a task in seconds."),
            gauge(
                "last_stats.mcu_task_stddev",
                "mcu_task_stddev",
                "Its standard deviation in seconds.",
            ),
            gauge("last_stats.bytes_write", "mcu_write_bytes", "Bytes sent to it."),
            gauge("last_stats.bytes_read", "mcu_read_bytes", "Bytes received from it."),
            gauge("last_stats.bytes_retransmit", "mcu_retransmit_bytes", "Bytes sent to it again."),
            gauge(
                "last_stats.bytes_invalid",
                "mcu_invalid_bytes",
                "Damaged bytes received from it.",
            ),
            gauge("last_stats.send_seq", "mcu_send_seq", "Sequence number of what was sent."),
            gauge(
                "last_stats.receive_seq",
                "mcu_receive_seq",
                "Sequence number of what was received.",
            ),
            gauge(
                "last_stats.retransmit_seq",
                "mcu_retransmit_seq",
                "Sequence number of what was sent again.",
            ),
            gauge("last_stats.srtt", "mcu_srtt", "Smoothed round trip time in seconds."),
            gauge("last_stats.rttvar", "mcu_rttvar", "Its variation in seconds."),
            gauge("last_stats.rto", "mcu_rto", "Time before something is sent again, in seconds."),
            gauge("last_stats.ready_bytes", "mcu_ready_bytes", "Bytes that can be sent."),
            gauge(
                "last_stats.stalled_bytes",
                "mcu_stalled_bytes",
                "Bytes that wait; old Klipper only.",
            ),
            gauge("last_stats.freq", "mcu_clock_frequency", "Measured clock frequency in Hz."),
        ],
    ),
    named(
        &["temperature_sensor *"],
        "sensor",
        &[
            reading("temperature", "temperature_sensor_temperature", "Temperature in °C."),
            reading(
                "measured_min_temp",
                "temperature_sensor_measured_min_temp",
                "Lowest temperature seen in °C.",
            ),
            reading(
                "measured_max_temp",
                "temperature_sensor_measured_max_temp",
                "Highest temperature seen in °C.",
            ),
        ],
    ),
    named(
        &["temperature_fan *"],
        "fan",
        &[
            gauge(
                "speed",
                "temperature_fan_speed",
                "Speed of a fan that follows a temperature, 0 to 1.",
            ),
            gauge("temperature", "temperature_fan_temperature", "That temperature in °C."),
            gauge("target", "temperature_fan_target", "Temperature it is to hold in °C."),
            gauge("rpm", "temperature_fan_rpm", "Its revolutions per minute."),
        ],
    ),
    named(
        &["temperature_probe *"],
        "sensor",
        &[
            reading(
                "temperature",
                "temperature_probe_temperature",
                "Temperature of a probe in °C.",
            ),
            reading(
                "measured_min_temp",
                "temperature_probe_measured_min_temp",
                "Lowest temperature seen in °C.",
            ),
            reading(
                "measured_max_temp",
                "temperature_probe_measured_max_temp",
                "Highest temperature seen in °C.",
            ),
            gauge(
                "estimated_expansion",
                "temperature_probe_estimated_expansion",
                "Estimated expansion in mm.",
            ),
        ],
    ),
    named(&["output_pin *"], "pin", &[gauge("value", "output_pin_value", "What a pin is set to.")]),
    named(
        &["fan_generic *"],
        "fan",
        &[
            gauge("speed", "generic_fan_speed", "Speed of a fan that is set by hand, 0 to 1."),
            gauge("rpm", "generic_fan_rpm", "Its revolutions per minute."),
        ],
    ),
    named(
        &["controller_fan *"],
        "fan",
        &[
            gauge("speed", "controller_fan_speed", "Speed of a fan of the electronics, 0 to 1."),
            gauge("rpm", "controller_fan_rpm", "Its revolutions per minute."),
        ],
    ),
    named(
        &["heater_fan *"],
        "fan",
        &[
            gauge("speed", "heater_fan_speed", "Speed of a fan that runs with a heater, 0 to 1."),
            gauge("rpm", "heater_fan_rpm", "Its revolutions per minute."),
        ],
    ),
    named(
        &["filament_switch_sensor *", "filament_motion_sensor *"],
        "sensor",
        &[
            gauge("filament_detected", "filament_sensor_detected", "Whether there is filament."),
            gauge("enabled", "filament_sensor_enabled", "Whether a filament sensor is heeded."),
        ],
    ),
    named(
        &["heater_generic *"],
        "heater",
        &[
            gauge("temperature", "generic_heater_temperature", "Temperature in °C."),
            gauge("target", "generic_heater_target", "Temperature it is to have in °C."),
            gauge("power", "generic_heater_power", "Share of time that it is on."),
        ],
    ),
    kind(
        &["tmc*"],
        (Key::Whole, "sensor"),
        &[
            gauge(
                "temperature",
                "tmc_sensor_temperature",
                "Temperature of a stepper driver in °C.",
            ),
            gauge("run_current", "tmc_sensor_run_current", "Current of a stepper driver in A."),
            metric(
                "drv_status",
                "tmc_sensor_enabled",
                Take::Present,
                ("", "Whether a stepper driver is on."),
            ),
        ],
    ),
    // What the last query found, and where it is allowed a live one: see `end_stops.rs`.
    Object {
        doc: Doc::Objects,
        module: Module::QueryEndstops,
        paths: &["query_endstops"],
        key: Key::One,
        label: "",
        metrics: &[keep("last_query.*")],
    },
    Object {
        doc: Doc::EndStops,
        module: Module::QueryEndstops,
        paths: &[""],
        key: Key::One,
        label: "",
        metrics: &[keep("*")],
    },
];

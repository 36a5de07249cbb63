//! What prometheus-klipper-exporter does not show. Units are in the names, and texts stay as they are.

use super::{
    Doc, Key, Metric, Module, Object, Take, counter, each, gauge, keep, metric, part, text,
};

const fn one(module: Module, paths: &'static [&'static str], metrics: &'static [Metric]) -> Object {
    many(module, paths, (Key::One, ""), metrics)
}

const fn many(
    module: Module,
    paths: &'static [&'static str],
    (key, label): (Key, &'static str),
    metrics: &'static [Metric],
) -> Object {
    Object { doc: Doc::Objects, module, paths, key, label, metrics }
}

const fn of(
    doc: Doc,
    module: Module,
    path: &'static [&'static str],
    metrics: &'static [Metric],
) -> Object {
    Object { doc, ..one(module, path, metrics) }
}

/// Which of several states it is in: 1 for that, 0 for the others.
const fn states(
    field: &'static str,
    name: &'static str,
    all: &'static [&'static str],
    help: &'static str,
) -> Metric {
    metric(field, name, Take::OneOf(all), ("state", help))
}

const fn length(field: &'static str, name: &'static str, help: &'static str) -> Metric {
    metric(field, name, Take::Length, ("", help))
}

const KLIPPY: &[&str] = &["ready", "startup", "shutdown", "error", "disconnected"];
const PRINT: &[&str] = &["standby", "printing", "paused", "complete", "cancelled", "error"];

pub(super) const OBJECTS: &[Object] = &[
    // states
    one(
        Module::States,
        &["webhooks"],
        &[
            states("state", "state", &["ready", "startup", "shutdown", "error"], "How Klipper is."),
            keep("state_message"),
        ],
    ),
    one(
        Module::States,
        &["print_stats"],
        &[states("state", "print_state", PRINT, "How the print is.")],
    ),
    one(
        Module::States,
        &["idle_timeout"],
        &[states(
            "state",
            "idle_state",
            &["Idle", "Ready", "Printing"],
            "Whether the printer is busy.",
        )],
    ),
    of(
        Doc::ServerInfo,
        Module::States,
        &[""],
        &[states("klippy_state", "klippy_state", KLIPPY, "How Klipper is, as Moonraker sees it.")],
    ),
    // print: the rest is in `derived.rs`
    one(
        Module::Print,
        &["print_stats"],
        &[
            keep("state"),
            keep("filename"),
            keep("print_duration"),
            gauge(
                "info.current_layer",
                "print_layer",
                "The layer that is printed, where the slicer says so.",
            ),
            gauge(
                "info.total_layer",
                "print_layers",
                "Layers of the print, where the slicer says so.",
            ),
        ],
    ),
    one(
        Module::Print,
        &["virtual_sdcard"],
        &[
            keep("progress"),
            keep("file_position"),
            gauge("file_size", "print_file_size_bytes", "Size of the file that is printed."),
        ],
    ),
    one(Module::Print, &["display_status"], &[keep("progress")]),
    one(
        Module::Print,
        &["exclude_object"],
        &[
            length("objects", "print_objects", "Objects of the print."),
            length(
                "excluded_objects",
                "print_excluded_objects",
                "Objects that were excluded from it.",
            ),
        ],
    ),
    of(
        Doc::Metadata,
        Module::Print,
        &[""],
        &[
            keep("gcode_start_byte"),
            keep("gcode_end_byte"),
            gauge(
                "estimated_time",
                "print_slicer_estimate_seconds",
                "Time that the print takes, by the slicer.",
            ),
            gauge("object_height", "print_object_height_millimeters", "Height of the print."),
            gauge("layer_count", "print_slicer_layers", "Layers of the print, by the slicer."),
            gauge(
                "filament_total",
                "print_slicer_filament_millimeters",
                "Filament that the print takes, by the slicer.",
            ),
            gauge("filament_weight_total", "print_slicer_filament_grams", "The same by weight."),
        ],
    ),
    // extruders
    many(
        Module::Extruders,
        &["extruder", "extruder#"],
        (Key::All, "extruder"),
        &[
            gauge("temperature", "extruder_temperature_celsius", "Temperature of an extruder."),
            gauge("target", "extruder_target_celsius", "Temperature it is to have."),
            gauge("power", "extruder_power_ratio", "Share of time that its heater is on."),
            gauge("pressure_advance", "extruder_pressure_advance_seconds", "Its pressure advance."),
            gauge(
                "smooth_time",
                "extruder_smooth_time_seconds",
                "Time over which that is smoothed.",
            ),
            gauge("can_extrude", "extruder_can_extrude", "Whether it is hot enough."),
        ],
    ),
    one(
        Module::Extruders,
        &["toolhead"],
        &[text("extruder", "extruder_active_info", "extruder", "The extruder in use.")],
    ),
    many(
        Module::Extruders,
        &["extruder_stepper *"],
        (Key::Plain, "stepper"),
        &[
            gauge(
                "pressure_advance",
                "extruder_stepper_pressure_advance_seconds",
                "Pressure advance of an extruder's further stepper.",
            ),
            gauge(
                "smooth_time",
                "extruder_stepper_smooth_time_seconds",
                "Time over which that is smoothed.",
            ),
            text(
                "motion_queue",
                "extruder_stepper_motion_queue_info",
                "extruder",
                "The extruder that it follows.",
            ),
        ],
    ),
    // motion
    one(
        Module::Motion,
        &["motion_report"],
        &[
            gauge(
                "live_velocity",
                "live_velocity_millimeters_per_second",
                "Speed of the toolhead at this moment.",
            ),
            gauge(
                "live_extruder_velocity",
                "live_extruder_velocity_millimeters_per_second",
                "Speed of the filament at this moment.",
            ),
            each(
                "live_position.#",
                "live_position_millimeters",
                "axis",
                "Where the toolhead is at this moment.",
            ),
        ],
    ),
    one(
        Module::Motion,
        &["toolhead"],
        &[
            gauge(
                "minimum_cruise_ratio",
                "toolhead_minimum_cruise_ratio",
                "Share of a move at constant speed at least.",
            ),
            each("axis_minimum.#", "axis_minimum_millimeters", "axis", "Where an axis begins."),
            each("axis_maximum.#", "axis_maximum_millimeters", "axis", "Where an axis ends."),
        ],
    ),
    one(
        Module::Motion,
        &["gcode_move"],
        &[each(
            "homing_origin.#",
            "gcode_offset_millimeters",
            "axis",
            "Offset of an axis; that of z is what baby steps change.",
        )],
    ),
    one(
        Module::Motion,
        &["stepper_enable"],
        &[each("steppers.*", "stepper_enabled", "stepper", "Whether a stepper is on.")],
    ),
    // bed: the mesh is in `derived.rs`
    one(
        Module::Bed,
        &["bed_mesh"],
        &[
            keep("probed_matrix.#.#"),
            text("profile_name", "bed_mesh_profile_info", "profile", "The mesh in use."),
        ],
    ),
    one(
        Module::Bed,
        &["z_tilt"],
        &[gauge("applied", "z_tilt_applied", "Whether Z tilt was corrected.")],
    ),
    one(
        Module::Bed,
        &["quad_gantry_level"],
        &[gauge("applied", "quad_gantry_level_applied", "Whether the gantry was levelled.")],
    ),
    one(
        Module::Bed,
        &["screws_tilt_adjust"],
        &[
            gauge("error", "screws_tilt_error", "Whether screws are off by more than they may be."),
            gauge(
                "max_deviation",
                "screws_tilt_max_deviation_millimeters",
                "By how much they may be off.",
            ),
            each("results.*.z", "screws_tilt_millimeters", "screw", "Height at a screw."),
        ],
    ),
    one(
        Module::Bed,
        &["probe"],
        &[
            gauge("last_z_result", "probe_last_z_millimeters", "What the probe measured last."),
            gauge(
                "last_query",
                "probe_triggered",
                "Whether the probe was triggered when it was last asked.",
            ),
        ],
    ),
    one(
        Module::Bed,
        &["skew_correction"],
        &[text(
            "current_profile_name",
            "skew_correction_info",
            "profile",
            "The skew correction in use.",
        )],
    ),
    one(
        Module::Bed,
        &["z_thermal_adjust"],
        &[
            gauge(
                "current_z_adjust",
                "z_thermal_adjust_millimeters",
                "By how much Z is adjusted to the frame's temperature.",
            ),
            gauge("enabled", "z_thermal_adjust_enabled", "Whether it is."),
        ],
    ),
    // mcus: mismatches are in `derived.rs`
    many(
        Module::Mcus,
        &["mcu", "mcu *"],
        (Key::Plain, "mcu"),
        &[
            metric(
                "mcu_version",
                "mcu_info",
                Take::Record(&[part("version", "mcu_version"), part("chip", "mcu_constants.MCU")]),
                ("", "A micro-controller and its firmware."),
            ),
            keep("mcu_constants.MCU"),
            keep("last_stats.freq"),
            gauge(
                "mcu_constants.CLOCK_FREQ",
                "mcu_nominal_frequency_hertz",
                "Its clock as it should be.",
            ),
            counter("last_stats.bytes_write", "mcu_sent_bytes_total", "Bytes sent to it."),
            counter("last_stats.bytes_read", "mcu_received_bytes_total", "Bytes received from it."),
            counter(
                "last_stats.bytes_retransmit",
                "mcu_retransmitted_bytes_total",
                "Bytes sent to it again.",
            ),
            counter(
                "last_stats.bytes_invalid",
                "mcu_invalid_bytes_total",
                "Damaged bytes received from it.",
            ),
            gauge(
                "last_stats.upcoming_bytes",
                "mcu_upcoming_bytes",
                "Bytes that wait for their time.",
            ),
        ],
    ),
    of(
        Doc::PrinterInfo,
        Module::Mcus,
        &[""],
        &[text(
            "software_version",
            "host_version_info",
            "version",
            "Klipper's version on the host.",
        )],
    ),
    many(
        Module::Mcus,
        &["canbus_stats mcu", "canbus_stats mcu *"],
        (Key::Plain, "mcu"),
        &[
            counter(
                "rx_error",
                "canbus_receive_errors_total",
                "Errors while receiving on a CAN bus.",
            ),
            counter("tx_error", "canbus_transmit_errors_total", "Errors while sending."),
            counter("tx_retries", "canbus_transmit_retries_total", "Frames sent again."),
            states(
                "bus_state",
                "canbus_state",
                &["active", "warn", "passive", "off"],
                "How a CAN bus is.",
            ),
        ],
    ),
    // drivers: flags are in `derived.rs`
    many(
        Module::Drivers,
        &["tmc*"],
        (Key::All, "driver"),
        &[
            metric(
                "drv_status",
                "driver_enabled",
                Take::Present,
                ("", "Whether a stepper driver is on."),
            ),
            keep("drv_status.*"),
            gauge("run_current", "driver_run_current_amperes", "Current while it moves."),
            gauge("hold_current", "driver_hold_current_amperes", "Current while it holds."),
            gauge("temperature", "driver_temperature_celsius", "Its temperature."),
            gauge(
                "drv_status.cs_actual",
                "driver_current_scale",
                "Its current as the scale of the chip has it.",
            ),
            gauge(
                "drv_status.sg_result",
                "driver_stallguard_result",
                "Load as StallGuard measures it.",
            ),
        ],
    ),
    // sensors
    many(
        Module::Sensors,
        &[
            "temperature_sensor *",
            "temperature_fan *",
            "temperature_probe *",
            "temperature_host *",
            "temperature_combined *",
            "heater_generic *",
            "heater_bed",
            "bme280 *",
            "htu21d *",
            "aht10 *",
            "sht3x *",
            "lm75 *",
            "ds18b20 *",
        ],
        (Key::All, "sensor"),
        &[
            metric(
                "temperature",
                "sensor_temperature_celsius",
                Take::Reading,
                ("", "Temperature of any sensor."),
            ),
            keep("measured_min_temp"),
            gauge("humidity", "sensor_humidity_percent", "Relative humidity."),
            gauge("pressure", "sensor_pressure_hectopascals", "Air pressure."),
            gauge("gas", "sensor_gas", "Gas resistance as the sensor has it."),
        ],
    ),
    one(
        Module::Sensors,
        &["hall_filament_width_sensor"],
        &[gauge(
            "Diameter",
            "filament_diameter_millimeters",
            "Diameter of the filament as it is measured.",
        )],
    ),
    one(
        Module::Sensors,
        &["load_cell"],
        &[gauge("force_g", "load_cell_force_grams", "Force on the load cell.")],
    ),
    many(
        Module::Sensors,
        &["pwm_tool *", "pwm_cycle_time *", "servo *", "output_pin *"],
        (Key::All, "pin"),
        &[gauge("value", "pin_value", "What a pin of any kind is set to.")],
    ),
    many(
        Module::Sensors,
        &["gcode_button *"],
        (Key::Plain, "button"),
        &[metric(
            "state",
            "button_pressed",
            Take::Is("PRESSED"),
            ("", "Whether a button is pressed."),
        )],
    ),
    many(
        Module::Sensors,
        &["led *", "neopixel *", "dotstar *", "pca9533 *", "pca9632 *"],
        (Key::All, "led"),
        &[each(
            "color_data.0.#",
            "led_brightness_ratio",
            "color",
            "Brightness of the first light of a chain.",
        )],
    ),
    Object {
        doc: Doc::Sensors,
        ..many(
            Module::Sensors,
            &["sensors/*"],
            (Key::Plain, "sensor"),
            &[each(
                "values.*",
                "moonraker_sensor_value",
                "parameter",
                "What a sensor of Moonraker measures.",
            )],
        )
    },
    // jobs: counted in `derived.rs`
    Object {
        doc: Doc::Results,
        ..many(Module::Jobs, &["jobs/#"], (Key::Plain, ""), &[keep("status"), keep("end_time")])
    },
    Object {
        doc: Doc::Totals,
        ..many(
            Module::Jobs,
            &["auxiliary_totals/#"],
            (Key::Field("provider"), ""),
            &[keep("provider"), keep("field"), keep("total"), keep("maximum")],
        )
    },
    of(Doc::JobQueue, Module::Jobs, &[""], &[keep("queued_jobs.#.time_in_queue")]),
    // updates
    of(
        Doc::Updates,
        Module::Updates,
        &[""],
        &[gauge("busy", "update_running", "Whether an update runs.")],
    ),
    Object {
        doc: Doc::Updates,
        ..many(
            Module::Updates,
            &["version_info/*"],
            (Key::Plain, "component"),
            &[
                metric(
                    "version",
                    "update_version_info",
                    Take::Record(&[
                        part("version", "version"),
                        part("remote_version", "remote_version"),
                    ]),
                    ("", "A component, its version and the newest."),
                ),
                keep("remote_version"),
                gauge(
                    "commits_behind_count",
                    "update_commits_behind",
                    "Commits that a component lacks.",
                ),
                gauge(
                    "package_count",
                    "update_packages",
                    "Packages of the system that can be updated.",
                ),
                gauge("is_valid", "update_valid", "Whether a component can be updated."),
                gauge("is_dirty", "update_dirty", "Whether its files were changed."),
                gauge("corrupt", "update_corrupt", "Whether its repository is damaged."),
                gauge("detached", "update_detached", "Whether it follows no branch."),
                length("warnings", "update_warnings", "Warnings about it."),
                length("anomalies", "update_anomalies", "What is odd about it."),
            ],
        )
    },
    // host
    one(
        Module::Host,
        &["system_stats"],
        &[
            gauge("sysload", "host_load1", "Load of the host, as Klipper sees it."),
            counter("cputime", "host_cpu_seconds_total", "Processor time of Klipper."),
            gauge("memavail", "host_available_memory_kilobytes", "Available memory of the host."),
        ],
    ),
    one(
        Module::Host,
        &["configfile"],
        &[
            gauge(
                "save_config_pending",
                "config_save_pending",
                "Whether changes of the configuration are not saved.",
            ),
            length("warnings", "config_warnings", "Warnings about the configuration."),
        ],
    ),
    of(
        Doc::ServerInfo,
        Module::Host,
        &[""],
        &[
            length("warnings", "moonraker_warnings", "Warnings of Moonraker."),
            length(
                "failed_components",
                "moonraker_failed_components",
                "Components of it that failed to load.",
            ),
            length(
                "missing_klippy_requirements",
                "moonraker_missing_requirements",
                "Sections that it misses in Klipper's configuration.",
            ),
            gauge("websocket_count", "moonraker_websockets", "Open websockets."),
        ],
    ),
    of(
        Doc::ProcStats,
        Module::Host,
        &[""],
        &[each(
            "system_cpu_usage.cpu#",
            "host_core_usage_percent",
            "core",
            "Processor time in use on a core.",
        )],
    ),
    of(
        Doc::SystemInfo,
        Module::Host,
        &["system_info"],
        &[
            metric(
                "distribution.name",
                "host_info",
                Take::Record(&[
                    part("os", "distribution.name"),
                    part("kernel", "distribution.kernel_version"),
                    part("processor", "cpu_info.model"),
                ]),
                ("", "The host."),
            ),
            keep("distribution.kernel_version"),
            keep("cpu_info.model"),
            metric(
                "sd_info.product_name",
                "host_sd_card_info",
                Take::Record(&[
                    part("manufacturer", "sd_info.manufacturer"),
                    part("product", "sd_info.product_name"),
                    part("made", "sd_info.manufacturer_date"),
                ]),
                ("", "The host's SD card."),
            ),
            keep("sd_info.manufacturer"),
            keep("sd_info.manufacturer_date"),
            gauge("sd_info.total_bytes", "host_sd_card_size_bytes", "Size of the SD card."),
        ],
    ),
    Object {
        doc: Doc::Devices,
        ..many(
            Module::Host,
            &["devices/#"],
            (Key::Field("device"), "device"),
            &[
                keep("device"),
                gauge(
                    "locked_while_printing",
                    "power_device_locked_while_printing",
                    "Whether a power device cannot be switched during a print.",
                ),
                gauge(
                    "is_shutdown",
                    "power_device_shutdown",
                    "Whether Klipper is shut down, and with it the device that it switches.",
                ),
            ],
        )
    },
    Object {
        doc: Doc::Announcements,
        ..many(
            Module::Host,
            &["entries/#"],
            (Key::Plain, ""),
            &[keep("priority"), keep("dismissed")],
        )
    },
    // variables
    many(
        Module::Variables,
        &["gcode_macro *"],
        (Key::Plain, "macro"),
        &[each("*", "macro_variable", "variable", "A variable of a macro, where it is a number.")],
    ),
    one(
        Module::Variables,
        &["save_variables"],
        &[each(
            "variables.*",
            "saved_variable",
            "variable",
            "A saved variable, where it is a number.",
        )],
    ),
];

//! What Moonraker itself knows: the host, the queue, the history, power devices, spools.

use super::{
    Doc, Key, Metric, Module, Object, Part, Take, clean, counter, gauge, keep, metric, text,
};

/// There is one of it.
const fn one(
    doc: Doc,
    module: Module,
    path: &'static [&'static str],
    metrics: &'static [Metric],
) -> Object {
    Object { doc, module, paths: path, key: Key::One, label: "", metrics }
}

pub(super) const OBJECTS: &[Object] = &[
    one(
        Doc::ProcStats,
        Module::ProcessStats,
        &[""],
        &[
            // Of the 30 samples that there may be, the last counts: see `special.rs`.
            keep("moonraker_stats.#.memory"),
            keep("moonraker_stats.#.mem_units"),
            keep("moonraker_stats.#.cpu_usage"),
            gauge("websocket_connections", "moonraker_websocket_connections", "Open websockets."),
            gauge("cpu_temp", "system_cpu_temp", "Temperature of the host's processor in °C."),
            gauge(
                "system_cpu_usage.cpu",
                "system_cpu",
                "Processor time in use on the host, in percent.",
            ),
            gauge("system_memory.total", "system_memory_total", "Memory of the host in kB."),
            gauge(
                "system_memory.available",
                "system_memory_available",
                "Available memory of the host in kB.",
            ),
            gauge("system_memory.used", "system_memory_used", "Used memory of the host in kB."),
            counter("system_uptime", "system_uptime", "Seconds since the host was started."),
            gauge(
                "throttled_state.bits",
                "system_throttled_bits",
                "Why a Raspberry Pi is throttled, as bits.",
            ),
            text(
                "throttled_state.flags.#",
                "system_throttled_flag_info",
                "flag",
                "Why a Raspberry Pi is or was throttled.",
            ),
        ],
    ),
    Object {
        doc: Doc::ProcStats,
        module: Module::NetworkStats,
        paths: &["network/*"],
        key: Key::Part,
        label: "interface",
        metrics: &[
            counter("rx_bytes", "network_rx_bytes", "Bytes received."),
            counter("tx_bytes", "network_tx_bytes", "Bytes sent."),
            counter("rx_packets", "network_rx_packets", "Packets received."),
            counter("tx_packets", "network_tx_packets", "Packets sent."),
            counter("rx_errs", "network_rx_errs", "Errors while receiving."),
            counter("tx_errs", "network_tx_errs", "Errors while sending."),
            counter("rx_drop", "network_rx_drop", "Received packets that were dropped."),
            counter("tx_drop", "network_tx_drop", "Packets that were dropped instead of sent."),
            gauge(
                "bandwidth",
                "network_bandwidth",
                "Bytes received and sent within the last second.",
            ),
        ],
    },
    one(
        Doc::Directory,
        Module::DirectoryInfo,
        &["disk_usage"],
        &[
            gauge("total", "disk_usage_total", "Bytes of the file system with the G-code files."),
            gauge("used", "disk_usage_used", "Used bytes of that file system."),
            gauge("free", "disk_usage_available", "Free bytes of that file system."),
        ],
    ),
    one(
        Doc::JobQueue,
        Module::JobQueue,
        &[""],
        &[
            metric("queued_jobs", "job_queue_length", Take::Length, ("", "Jobs that wait.")),
            text("queue_state", "job_queue_state_info", "state", "What the queue does."),
        ],
    ),
    one(
        Doc::Totals,
        Module::History,
        &["job_totals"],
        &[
            gauge("total_jobs", "total_jobs", "Jobs that have ended, in whatever way."),
            gauge("total_time", "total_time", "Seconds that all jobs took."),
            gauge("total_print_time", "total_print_time", "Seconds that all jobs printed."),
            gauge(
                "total_filament_used",
                "total_filament_used",
                "Filament that all jobs used, in mm.",
            ),
            gauge("longest_job", "longest_job", "Seconds that the longest job took."),
            gauge("longest_print", "longest_print", "Seconds that the longest job printed."),
        ],
    ),
    // Those that are zero without a job are written in `special.rs`.
    one(
        Doc::Jobs,
        Module::History,
        &["jobs/0"],
        &[
            keep("status"),
            keep("total_duration"),
            keep("metadata.object_height"),
            keep("metadata.first_layer_height"),
            keep("metadata.layer_height"),
        ],
    ),
    one(
        Doc::ServerInfo,
        Module::ServerInfo,
        &[""],
        &[
            gauge(
                "klippy_connected",
                "klippy_connected",
                "Whether Moonraker is connected to Klipper.",
            ),
            text(
                "klippy_state",
                "klippy_state_info",
                "state",
                "How Klipper is, as Moonraker sees it.",
            ),
            text(
                "components.#",
                "component_info",
                "component",
                "A component of Moonraker that is loaded.",
            ),
            text(
                "failed_components.#",
                "component_failed_info",
                "failed_component",
                "A component of Moonraker that failed to load.",
            ),
            text("moonraker_version", "moonraker_version_info", "version", "Moonraker's version."),
            keep("api_version.#"),
        ],
    ),
    one(
        Doc::SystemInfo,
        Module::SystemInfo,
        &["system_info"],
        &[
            gauge("cpu_info.cpu_count", "system_cpu_count", "Cores of the host's processor."),
            metric(
                "available_services.#",
                "service_available",
                Take::Clean,
                ("service", "A service that Moonraker may control."),
            ),
            // Joined with the services in `special.rs`.
            keep("service_state.*.active_state"),
            keep("service_state.*.sub_state"),
        ],
    ),
    Object {
        doc: Doc::Devices,
        module: Module::DevicePower,
        paths: &["devices/#"],
        key: Key::Clean("device"),
        label: "device",
        metrics: &[
            keep("device"),
            metric(
                "type",
                "power_device_info",
                Take::Text,
                ("type", "A power device and its kind."),
            ),
            metric(
                "status",
                "power_device_status",
                Take::Is("on"),
                ("", "Whether a power device is on."),
            ),
            text("status", "power_device_state_info", "state", "How a power device is."),
        ],
    },
    one(
        Doc::SpoolStatus,
        Module::Spoolman,
        &[""],
        &[
            gauge(
                "spoolman_connected",
                "spoolman_connected",
                "Whether Moonraker is connected to Spoolman.",
            ),
            metric(
                "pending_reports",
                "spoolman_pending_reports",
                Take::Length,
                ("", "Reports of use that were not sent yet."),
            ),
            // Without one it is -1: see `special.rs`.
            keep("spool_id"),
        ],
    ),
    Object {
        doc: Doc::Spools,
        module: Module::Spoolman,
        paths: &["response/#", "#"],
        key: Key::Field("id"),
        label: "spool_id",
        metrics: &[
            metric(
                "id",
                "spoolman_spool_info",
                Take::Record(&[
                    clean("filament_name", "filament.name"),
                    clean("material", "filament.material"),
                    clean("color", "filament.color_hex"),
                    Part { missing: "unknown", ..clean("vendor", "filament.vendor.name") },
                ]),
                ("", "A spool."),
            ),
            keep("filament.name"),
            keep("filament.material"),
            keep("filament.color_hex"),
            keep("filament.vendor.name"),
            gauge(
                "remaining_weight",
                "spoolman_remaining_weight",
                "Filament left on a spool, in g.",
            ),
            gauge("used_weight", "spoolman_used_weight", "Filament used of a spool, in g."),
            gauge(
                "remaining_length",
                "spoolman_remaining_length",
                "Filament left on a spool, in mm.",
            ),
            gauge("used_length", "spoolman_used_length", "Filament used of a spool, in mm."),
        ],
    },
];

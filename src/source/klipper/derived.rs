//! What is worked out from several fields, beyond prometheus-klipper-exporter.

use super::Settings;
use super::facts::{Facts, Seen as Element};
use super::write::Writer;
use crate::config::{Module, Modules};
use crate::limits::KLIPPER_FIELDS;

/// Bytes of the reason of a shutdown that its label has.
const REASON: usize = 80;

/// Flags of a stepper driver that tell of trouble; its status holds those that are set.
const FLAGS: [&str; 9] = ["otpw", "ot", "s2ga", "s2gb", "s2vsa", "s2vsb", "ola", "olb", "uv_cp"];

/// How jobs end, by Moonraker.
const RESULTS: [&str; 8] = [
    "completed",
    "cancelled",
    "error",
    "klippy_shutdown",
    "klippy_disconnect",
    "server_exit",
    "interrupted",
    "in_progress",
];

/// All of it, for those of `modules` that have it.
pub(super) fn write(facts: &Facts, modules: Modules, settings: &Settings, out: &mut Writer) {
    type Of = fn(&Facts, &mut Writer);
    let all: [(Module, Of); 9] = [
        (Module::States, reason),
        (Module::Print, print),
        (Module::Bed, mesh),
        (Module::Mcus, micro_controllers),
        (Module::Drivers, flags),
        (Module::Jobs, results),
        (Module::Jobs, waiting),
        (Module::Jobs, auxiliary_totals),
        (Module::Host, announcements),
    ];
    for (module, of) in all {
        if modules.has(module) {
            of(facts, out);
        }
    }
    if modules.has(Module::Updates) {
        updates(facts, out);
    }
    if modules.has(Module::Motion) {
        flow(facts, settings.diameter, out);
        shaper(settings, out);
    }
}

/// The first line of what Klipper says of its state, where that is no good one.
fn reason(facts: &Facts, out: &mut Writer) {
    let Some(klipper) = facts.of(Module::States, "webhooks") else { return };
    let state = klipper.word("state").unwrap_or_default();
    if !matches!(state, "shutdown" | "error") {
        return;
    }
    let line = klipper.word("state_message").and_then(|text| text.lines().next());
    out.gauge("state_reason_info", "Why Klipper is not ready, in short.");
    let reason = super::facts::shortened(line.unwrap_or_default(), REASON);
    out.label("state", state).label("reason", reason).sample(1);
}

/// How far the print is and how long it will take, by what has been read of the file, by the slicer's
/// estimate, and by what the file itself says (M73).
fn print(facts: &Facts, out: &mut Writer) {
    let Some(stats) = facts.of(Module::Print, "print_stats") else { return };
    if !matches!(stats.word("state"), Some("printing" | "paused")) {
        return;
    }
    let number = |path, field| facts.of(Module::Print, path).and_then(|it| it.number(field));
    let of_file = |field| facts.of(Module::Print, "").and_then(|file| file.number(field));
    let read = number("virtual_sdcard", "progress");
    // Header and thumbnails take no time.
    let position = number("virtual_sdcard", "file_position");
    let moves = of_file("gcode_start_byte").zip(of_file("gcode_end_byte"));
    let by_file = position.zip(moves).filter(|(_, (start, end))| end > start);
    let by_file = by_file.map(|(at, (start, end))| ((at - start) / (end - start)).clamp(0.0, 1.0));
    let by_file = by_file.or(read);
    let by_m73 = number("display_status", "progress");
    out.gauge("print_progress_ratio", "How far the print is, 0 to 1.");
    for (method, progress) in [("file", by_file), ("m73", by_m73)] {
        if let Some(progress) = progress {
            out.label("method", method).sample(progress);
        }
    }
    let Some(printed) = stats.number("print_duration") else { return };
    let left = |progress: f64| (progress > 0.0).then(|| printed / progress - printed);
    let by_slicer = of_file("estimated_time").map(|whole| (whole - printed).max(0.0));
    out.gauge("print_remaining_seconds", "How long the print will take from now.");
    for (method, left) in
        [("file", by_file.and_then(left)), ("slicer", by_slicer), ("m73", by_m73.and_then(left))]
    {
        if let Some(left) = left.filter(|left| left.is_finite()) {
            out.label("method", method).sample(left);
        }
    }
}

/// What the filament's speed is in volume.
fn flow(facts: &Facts, diameter: Option<f64>, out: &mut Writer) {
    let report = facts.of(Module::Motion, "motion_report");
    let speed = report.and_then(|report| report.number("live_extruder_velocity"));
    if let Some((speed, diameter)) = speed.zip(diameter) {
        let area = std::f64::consts::PI * diameter * diameter / 4.0;
        out.gauge("live_flow_cubic_millimeters_per_second", "Flow of the filament at this moment.");
        out.sample(speed * area);
    }
}

/// What the input shaper is set to.
fn shaper(settings: &Settings, out: &mut Writer) {
    out.gauge("input_shaper_frequency_hertz", "Vibrations that the input shaper damps.");
    for (axis, frequency) in ["x", "y"].into_iter().zip(settings.shaped) {
        if let Some(frequency) = frequency {
            out.label("axis", axis).sample(frequency);
        }
    }
}

/// The heights of the bed mesh.
fn mesh(facts: &Facts, out: &mut Writer) {
    let Some(mesh) = facts.of(Module::Bed, "bed_mesh") else { return };
    let heights =
        || mesh.fields("probed_matrix.#.#").filter_map(|it| it.number()?.parse::<f64>().ok());
    let count = heights().count();
    // Of a mesh that is too large only a part is known.
    if count == 0 || mesh.values().count() >= KLIPPER_FIELDS {
        return;
    }
    let (least, most) = (heights().fold(f64::MAX, f64::min), heights().fold(f64::MIN, f64::max));
    let mean = u32::try_from(count).map(|count| heights().sum::<f64>() / f64::from(count));
    for (name, help, value) in [
        ("bed_mesh_min_millimeters", "Lowest point of the bed mesh.", least),
        ("bed_mesh_max_millimeters", "Highest point of the bed mesh.", most),
        ("bed_mesh_range_millimeters", "Difference of the two.", most - least),
        ("bed_mesh_mean_millimeters", "Mean height of the bed mesh.", mean.unwrap_or_default()),
    ] {
        out.gauge(name, help);
        // Differences of decimal fractions have long tails.
        out.sample((value * 1e6).round() / 1e6);
    }
}

/// Whether firmware and host are of one version, and how right the clocks are.
fn micro_controllers(facts: &Facts, out: &mut Writer) {
    let host = facts.of(Module::Mcus, "").and_then(|host| host.word("software_version"));
    let all = || facts.all(Module::Mcus, "mcu");
    out.gauge(
        "mcu_firmware_mismatch",
        "Whether a micro-controller has another version than the host.",
    );
    for mcu in all() {
        if let Some((host, own)) = host.zip(mcu.word("mcu_version")) {
            // Behind the version there may be where it was built.
            let same =
                own == host || own.strip_prefix(host).is_some_and(|rest| rest.starts_with('-'));
            out.label("mcu", mcu.key()).sample(u8::from(!same));
        }
    }
    out.gauge("mcu_frequency_error_ratio", "By how much a micro-controller's clock is off.");
    for mcu in all() {
        let frequencies = mcu.number("last_stats.freq").zip(mcu.number("mcu_constants.CLOCK_FREQ"));
        if let Some((measured, nominal)) = frequencies.filter(|(_, nominal)| *nominal > 0.0) {
            out.label("mcu", mcu.key()).sample(measured / nominal - 1.0);
        }
    }
}

/// The flags of stepper drivers that are on.
fn flags(facts: &Facts, out: &mut Writer) {
    out.gauge("driver_flag", "Whether a stepper driver that is on tells of this trouble.");
    for driver in facts.all(Module::Drivers, "tmc*") {
        if driver.number("drv_status") != Some(1.0) {
            continue;
        }
        for flag in FLAGS {
            let set = driver.fields("drv_status.*").find(|value| value.sub == flag);
            let set = set.and_then(|value| value.number()).is_some_and(|number| number != "0");
            out.label("driver", driver.key()).label("flag", flag).sample(u8::from(set));
        }
    }
}

/// How the last jobs ended.
fn results(facts: &Facts, out: &mut Writer) {
    let jobs = || facts.all(Module::Jobs, "jobs/#");
    if jobs().next().is_none() {
        return;
    }
    out.gauge("recent_jobs", "How the last 50 jobs ended.");
    for result in RESULTS {
        let count = jobs().filter(|job| job.word("status") == Some(result)).count();
        out.label("status", result).sample(count);
    }
    out.gauge("last_job_end_timestamp_seconds", "When the last job ended.");
    if let Some(end) = jobs().find_map(|job| job.field("end_time").and_then(|end| end.number())) {
        out.sample(end);
    }
}

/// How long the job has waited that has waited longest.
fn waiting(facts: &Facts, out: &mut Writer) {
    let Some(queue) = facts.of(Module::Jobs, "") else { return };
    let waits = queue.fields("queued_jobs.#.time_in_queue");
    let waits = waits.filter_map(|value| value.number()?.parse::<f64>().ok());
    out.gauge("job_queue_oldest_wait_seconds", "How long the oldest job waits that does.");
    if let Some(longest) = waits.reduce(f64::max) {
        out.sample(longest);
    }
}

/// What Moonraker's sensors have measured over all jobs, such as energy.
fn auxiliary_totals(facts: &Facts, out: &mut Writer) {
    let families = [
        ("total", "job_auxiliary_total", "What a sensor has measured over all jobs."),
        ("maximum", "job_auxiliary_maximum", "The most that it has measured of one job."),
    ];
    for (field, name, help) in families {
        out.gauge(name, help);
        for total in facts.all(Module::Jobs, "auxiliary_totals/#") {
            let Some(number) = total.field(field).and_then(|value| value.number()) else {
                continue;
            };
            out.label("provider", total.key());
            out.label("field", total.word("field").unwrap_or_default()).sample(number);
        }
    }
}

/// Announcements that nobody has dismissed.
fn announcements(facts: &Facts, out: &mut Writer) {
    let entries = || facts.all(Module::Host, "entries/#");
    if entries().next().is_none() {
        return;
    }
    out.gauge("announcements", "Announcements that nobody has dismissed.");
    for priority in ["normal", "high"] {
        let open = |entry: &Element<'_>| {
            entry.word("priority") == Some(priority) && entry.number("dismissed") == Some(0.0)
        };
        out.label("priority", priority).sample(entries().filter(open).count());
    }
}

/// Components of which there is a newer version.
fn updates(facts: &Facts, out: &mut Writer) {
    out.gauge("update_available", "Whether there is something newer of a component.");
    for component in facts.all(Module::Updates, "version_info/*") {
        let own = component.word("version").filter(|version| *version != "?");
        let remote = component.word("remote_version").filter(|version| *version != "?");
        let newer = match (own.zip(remote), component.number("package_count")) {
            (Some((own, remote)), _) => own != remote,
            (None, Some(packages)) => packages > 0.0,
            (None, None) => continue,
        };
        out.label("component", component.key()).sample(u8::from(newer));
    }
}

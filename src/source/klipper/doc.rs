//! The replies that metrics are read from.

/// One of Moonraker's replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`path` says which each of them is")]
pub enum Doc {
    /// Asked for first, since it takes longest: Klipper answers four times a second.
    Objects,
    ServerInfo,
    ProcStats,
    SystemInfo,
    JobQueue,
    Devices,
    Directory,
    Totals,
    Jobs,
    SpoolStatus,
    Spools,
    PrinterInfo,
    Results,
    Updates,
    Sensors,
    Announcements,
    /// Of the file that is printed; asked for once its name is known.
    Metadata,
    /// Of Klipper's configuration; asked for once after each start.
    Settings,
    /// A live query, which halts what Klipper does: asked for only as `end_stops.rs` says.
    EndStops,
}

impl Doc {
    /// Those that can be asked for at once, in this order.
    pub const ALL: [Self; 16] = [
        Self::Objects,
        Self::ServerInfo,
        Self::ProcStats,
        Self::SystemInfo,
        Self::JobQueue,
        Self::Devices,
        Self::Directory,
        Self::Totals,
        Self::Jobs,
        Self::SpoolStatus,
        Self::Spools,
        Self::PrinterInfo,
        Self::Results,
        Self::Updates,
        Self::Sensors,
        Self::Announcements,
    ];

    /// Where it is asked for.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Objects | Self::Settings => "/printer/objects/query",
            Self::ServerInfo => "/server/info",
            Self::ProcStats => "/machine/proc_stats",
            Self::SystemInfo => "/machine/system_info",
            Self::JobQueue => "/server/job_queue/status",
            Self::Devices => "/machine/device_power/devices",
            Self::Directory => "/server/files/directory?path=gcodes&extended=false",
            Self::Totals => "/server/history/totals",
            Self::Jobs => "/server/history/list?limit=1&start=0&since=1&order=desc",
            Self::SpoolStatus => "/server/spoolman/status",
            Self::Spools => "/server/spoolman/proxy",
            Self::PrinterInfo => "/printer/info",
            Self::Results => "/server/history/list?limit=50&order=desc",
            Self::Updates => "/machine/update/status",
            Self::Sensors => "/server/sensors/list",
            Self::Announcements => "/server/announcements/list",
            Self::Metadata => "/server/files/metadata",
            Self::EndStops => "/printer/query_endstops/status",
        }
    }

    /// Whether Klipper has to be there for it, and not only Moonraker.
    #[must_use]
    pub const fn is_of_klipper(self) -> bool {
        matches!(self, Self::Objects | Self::PrinterInfo | Self::EndStops)
    }

    /// The way down to what the table's paths start at.
    pub(super) const fn base(self) -> &'static [&'static str] {
        match self {
            Self::Objects | Self::Settings => &["result", "status"],
            _ => &["result"],
        }
    }
}

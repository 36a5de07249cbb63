//! Modules: groups of metrics that are asked for by name.

use super::doc::Doc;
use super::table::objects;

/// A group of metrics that can be asked for or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it; the README has a table")]
pub enum Module {
    ProcessStats,
    NetworkStats,
    DirectoryInfo,
    JobQueue,
    History,
    ServerInfo,
    SystemInfo,
    PrinterObjects,
    QueryEndstops,
    Mmu,
    Cfs,
    DevicePower,
    Spoolman,
}

impl Module {
    /// All of them, in the order of their metrics.
    pub const ALL: [Self; 13] = [
        Self::ProcessStats,
        Self::NetworkStats,
        Self::DirectoryInfo,
        Self::JobQueue,
        Self::History,
        Self::ServerInfo,
        Self::SystemInfo,
        Self::PrinterObjects,
        Self::QueryEndstops,
        Self::Mmu,
        Self::Cfs,
        Self::DevicePower,
        Self::Spoolman,
    ];

    /// As it is asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcessStats => "process_stats",
            Self::NetworkStats => "network_stats",
            Self::DirectoryInfo => "directory_info",
            Self::JobQueue => "job_queue",
            Self::History => "history",
            Self::ServerInfo => "server_info",
            Self::SystemInfo => "system_info",
            Self::PrinterObjects => "printer_objects",
            Self::QueryEndstops => "query_endstops",
            Self::Mmu => "mmu",
            Self::Cfs => "cfs",
            Self::DevicePower => "device_power",
            Self::Spoolman => "spoolman",
        }
    }

    fn bit(self) -> u32 {
        let number = Self::ALL.into_iter().position(|module| module == self);
        number.and_then(|number| 1_u32.checked_shl(u32::try_from(number).ok()?)).unwrap_or_default()
    }
}

/// A set of modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modules(u32);

/// A name that is no module's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoModule;

impl Default for Modules {
    /// Those of prometheus-klipper-exporter.
    fn default() -> Self {
        let modules = [
            Module::ServerInfo,
            Module::ProcessStats,
            Module::JobQueue,
            Module::SystemInfo,
            Module::QueryEndstops,
            Module::DevicePower,
        ];
        Self(modules.into_iter().fold(0, |all, module| all | module.bit()))
    }
}

impl Modules {
    /// None.
    pub const NONE: Self = Self(0);

    /// All there are.
    #[must_use]
    pub fn all() -> Self {
        Self(Module::ALL.into_iter().fold(0, |all, module| all | module.bit()))
    }

    /// Adds the module of this name; `all` and `default` are several.
    ///
    /// # Errors
    ///
    /// [`NoModule`] for a name that is none of these.
    pub fn add(&mut self, name: &str) -> Result<(), NoModule> {
        let module = Module::ALL.into_iter().find(|module| module.name() == name);
        self.0 |= match name {
            "all" => Self::all().0,
            "default" => Self::default().0,
            _ => module.ok_or(NoModule)?.bit(),
        };
        Ok(())
    }

    /// Whether `module` is among them.
    #[must_use]
    pub fn has(self, module: Module) -> bool {
        self.0 & module.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Module> {
        Module::ALL.into_iter().filter(move |module| self.has(*module))
    }

    /// Whether one of them needs `doc`.
    #[must_use]
    pub fn need(self, doc: Doc) -> bool {
        objects().any(|(_, object)| object.doc == doc && self.has(object.module))
    }
}

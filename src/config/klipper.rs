//! Klipper printers: `klipper` of a source, and the modules that they are asked for.

use std::fmt;

use super::at::At;
use super::build::{Context, at_least_one, at_most, each};
use super::error::Fault;
use super::file::{KlipperKeys, ProbeKeys};
use super::near::{DidYouMean, nearest};
use super::plan::{Kind, Klipper, Member, Probe, Source};
use super::secret::Secret;
use super::shape::{OneOrMany, Text};
use super::source::secret;
use super::targets::Targets;
use super::value::{self, BadValue};
use crate::http::url::Target;
use crate::limits;

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
    States,
    Print,
    Extruders,
    Motion,
    Bed,
    Mcus,
    Drivers,
    Sensors,
    Jobs,
    Updates,
    Host,
    Variables,
    /// What fanin itself wants to know of Klipper, for no metric.
    Core,
}

/// The bit of [`Module::Core`].
const CORE: u32 = 1 << 31;

impl Module {
    /// All of them, in the order of their metrics.
    pub const ALL: [Self; 25] = [
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
        Self::States,
        Self::Print,
        Self::Extruders,
        Self::Motion,
        Self::Bed,
        Self::Mcus,
        Self::Drivers,
        Self::Sensors,
        Self::Jobs,
        Self::Updates,
        Self::Host,
        Self::Variables,
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
            Self::States => "states",
            Self::Print => "print",
            Self::Extruders => "extruders",
            Self::Motion => "motion",
            Self::Bed => "bed",
            Self::Mcus => "mcus",
            Self::Drivers => "drivers",
            Self::Sensors => "sensors",
            Self::Jobs => "jobs",
            Self::Updates => "updates",
            Self::Host => "host",
            Self::Variables => "variables",
            Self::Core => "core",
        }
    }

    fn bit(self) -> u32 {
        let number = Self::ALL.into_iter().position(|module| module == self);
        number.and_then(|number| 1_u32.checked_shl(u32::try_from(number).ok()?)).unwrap_or(CORE)
    }
}

/// A set of modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modules(u32);

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
    /// The rule that a name breaks which is none of these.
    pub fn add(&mut self, name: &str) -> Result<(), BadValue> {
        let module = Module::ALL.into_iter().find(|module| module.name() == name);
        let unknown = || {
            let names = Module::ALL.into_iter().map(Module::name).chain(["all", "default"]);
            let hint = DidYouMean(nearest(name, names));
            BadValue::new(format!("is no module of a printer{hint}"))
        };
        self.0 |= match name {
            "all" => Self::all().0,
            "default" => Self::default().0,
            "temperature" => {
                return Err(BadValue::new("has gone: printer_objects has its metrics"));
            }
            _ => module.ok_or_else(unknown)?.bit(),
        };
        Ok(())
    }

    /// One alone.
    #[must_use]
    pub fn only(module: Module) -> Self {
        Self(module.bit())
    }

    /// These with what fanin itself wants to know.
    #[must_use]
    pub const fn with_core(self) -> Self {
        Self(self.0 | CORE)
    }

    /// Whether all of `others` are among them.
    #[must_use]
    pub const fn have(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// These and `others`.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
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
}

/// As a list: `server_info,printer_objects`.
impl fmt::Display for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, module) in self.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{}", module.name())?;
        }
        Ok(())
    }
}

/// How a printer is asked, beyond what it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ways {
    /// Its end stops may be asked live, where that disturbs nothing.
    pub live_endstops: bool,
    /// What Klipper says counts only while it is ready: after a shutdown it goes on telling what was.
    pub only_ready: bool,
}

/// The port that Moonraker listens on.
pub(super) const MOONRAKER: u16 = 7125;

/// The URL of a printer, without a slash behind it: `HOST`, `HOST:PORT`, either with `@NAME` behind it,
/// `http://…`, or `unix://SOCKET`.
///
/// # Errors
///
/// The rule that `text` breaks.
pub fn printer(text: &str) -> Result<Target, BadValue> {
    if text.len() > limits::URL {
        return Err(BadValue::new(format!("has more than {} bytes", limits::URL)));
    }
    let text = text.trim_end_matches('/');
    let url = match text.split_once("://") {
        Some(("unix", socket)) => format!("unix://{socket}:/"),
        Some(_) => format!("{text}/"),
        None => {
            let place = text.split_once('@').map_or(text, |(place, _)| place);
            if place.contains('/') {
                return Err(BadValue::new("has a path; write http:// in front of it"));
            }
            let has_port = !place.ends_with(']') && place.contains(':');
            let port = if has_port { String::new() } else { format!(":{MOONRAKER}") };
            format!("http://{place}{port}/")
        }
    };
    let target = Target::parse(&url).map_err(|fault| BadValue::new(fault.rule().to_string()))?;
    match target.query() {
        None => Ok(target),
        Some(_) => Err(BadValue::new("has a query; a printer is HOST:PORT")),
    }
}

/// `probe` of a route.
pub(super) fn probe(
    at: &At<'_>,
    file: &ProbeKeys,
    sources: &[Source],
    context: &Context<'_>,
) -> Result<Probe, Fault> {
    let all = sources.iter().enumerate();
    let printers = all.filter(|(_, source)| matches!(source.kind, Kind::Klipper(_)));
    let members = printers.map(|(number, _)| Member::Source(number)).collect();
    let modules = modules(&at.key("modules"), file.modules.as_ref(), context)?;
    let ways = ways(at, (file.live_endstops.as_ref(), file.only_ready.as_ref()), context)?;
    let mut targets = Targets::default();
    let at = at.key("targets");
    let listed = each(&at, file.targets.as_ref());
    at_most(&at, listed.len(), limits::NETWORKS, "targets")?;
    for (at, text) in listed {
        let text = context.text(&at, text)?;
        targets.add(&text).map_err(|rule| Fault::value(&at, &text, rule))?;
    }
    Ok(Probe { members, modules, targets, ways })
}

/// `sources.NAME.klipper`; a text is its target.
pub(super) fn klipper(
    at: &At<'_>,
    file: &KlipperKeys,
    context: &Context<'_>,
) -> Result<Klipper, Fault> {
    let target = context.value(&at.key("target"), file.target.as_ref(), printer)?;
    let target = target.ok_or_else(|| Fault::rule(&at.key("target"), "a target is missing"))?;
    let modules = modules(&at.key("modules"), file.modules.as_ref(), context)?;
    let texts = (file.api_key.as_ref(), file.api_key_file.as_ref());
    let api_key = match texts {
        (None, None) => None,
        _ => {
            let (at, key) = secret(at, ["api_key", "api_key_file"], texts, context)?;
            if !is_key(&key) {
                return Err(Fault::secret(&at, "is empty, or holds more than printable ASCII"));
            }
            Some(Secret::new(&key))
        }
    };
    #[cfg(feature = "tls")]
    let tls = {
        let spoken = target.authority().is_tls();
        super::tls::client(at, file.tls.as_ref(), (spoken, "target"), context)?
    };
    Ok(Klipper {
        target,
        api_key,
        modules,
        ways: ways(at, (file.live_endstops.as_ref(), file.only_ready.as_ref()), context)?,
        #[cfg(feature = "tls")]
        tls,
    })
}

/// `live_endstops` and `only_ready` of a printer or a probe.
fn ways(
    at: &At<'_>,
    (live_endstops, only_ready): (Option<&Text>, Option<&Text>),
    context: &Context<'_>,
) -> Result<Ways, Fault> {
    let switch = |key: &str, text| context.value(&at.key(key), text, value::switch);
    Ok(Ways {
        live_endstops: switch("live_endstops", live_endstops)?.unwrap_or_default(),
        only_ready: switch("only_ready", only_ready)?.unwrap_or_default(),
    })
}

/// Whether this can be an API key.
#[must_use]
pub fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// `modules` of a printer or a probe.
pub(super) fn modules(
    at: &At<'_>,
    names: Option<&OneOrMany<Text>>,
    context: &Context<'_>,
) -> Result<Modules, Fault> {
    if names.is_none() {
        return Ok(Modules::default());
    }
    let names = each(at, names);
    at_least_one(at, names.len(), "a module")?;
    let mut modules = Modules::NONE;
    for (at, text) in names {
        let name = context.text(&at, text)?;
        modules.add(&name).map_err(|rule| Fault::value(&at, &name, rule))?;
    }
    Ok(modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printers_are_written_in_several_ways() {
        let cases = [
            ("voron", Ok("http://voron:7125/")),
            ("voron:7126", Ok("http://voron:7126/")),
            ("10.0.0.7@Voron", Ok("http://10.0.0.7:7125/")),
            ("10.0.0.7:80@Voron", Ok("http://10.0.0.7:80/")),
            ("[::1]", Ok("http://[::1]:7125/")),
            ("[::1]:80", Ok("http://[::1]:80/")),
            ("http://voron", Ok("http://voron:80/")),
            ("http://voron/moonraker/", Ok("http://voron:80/moonraker/")),
            ("unix:///run/moonraker.sock", Ok("unix:///run/moonraker.sock:/")),
            ("http://me:pw@voron", Err("holds a user; it belongs to auth, under basic")),
            ("voron/printer", Err("x")),
            ("", Err("x")),
            ("http://voron/?a", Err("x")),
        ];
        for (text, want) in cases {
            let got = printer(text).map(|target| target.to_string());
            assert_eq!(got.as_deref().ok(), want.ok(), "{text}: {got:?}");
        }
    }

    #[test]
    fn modules_have_names() {
        let mut modules = Modules::NONE;
        assert_eq!((modules.add("mmu"), modules.add("cfs")), (Ok(()), Ok(())));
        assert_eq!(modules.to_string(), "mmu,cfs");
        assert!(
            modules.has(Module::Mmu) && !modules.has(Module::History) && !modules.has(Module::Core)
        );
        assert!(modules.with_core().has(Module::Core));
        let told = modules.add("printer_object").unwrap_err().to_string();
        assert!(told.contains("printer_objects"), "{told}");
        assert!(modules.add("temperature").is_err());
        for module in Module::ALL {
            assert_eq!(modules.add(module.name()), Ok(()), "{}", module.name());
        }
    }
}

//! The `probe` outlet: a Klipper printer that the request names, as `?target=HOST:PORT&modules=a,b`.
//!
//! Whoever may ask this can have fanin connect somewhere, so only some places are: configured
//! printers, this machine and private addresses at Moonraker's own port, and what `targets` lists.
//! The address is judged that is connected to, not the name. A configured API key goes to its own
//! printer alone; others are shown the one that came with the request.

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use super::{Body, Refusal, admitted};
use crate::config::{self, Modules, Targets, Ways};
use crate::exposition::Watch;
use crate::http::fetch::FetchError;
use crate::http::fields::Fields;
use crate::http::outgoing::Reply;
use crate::http::target::pairs;
use crate::http::url::{Endpoint, Target};
use crate::limits::{DEFAULT_BODY, DEFAULT_FAMILIES, KLIPPER_TARGETS};
use crate::memory::{Admission, Want};
use crate::source::klipper::{Answer, Ask, Printer};
use crate::source::{Engine, ScrapeError, Source};
use crate::telemetry::throttle::Throttle;

/// The parameter that names the printer, as in prometheus-klipper-exporter.
pub(super) const TARGET: &str = "target";

/// The scheme of Authorization that carries an API key, as in prometheus-klipper-exporter.
const SCHEME: &str = "APIKEY ";

/// A probe as configured.
pub struct ProbeOutlet {
    printers: Vec<Rc<Source>>,
    modules: Modules,
    targets: Targets,
    ways: Ways,
    /// Others that were asked for, the newest last.
    known: RefCell<Vec<Rc<Printer>>>,
    /// Whoever asks can name any number of printers that are not there.
    throttle: Throttle,
}

/// The printer that a request means.
enum Meant {
    Configured(Rc<Source>),
    Other(Rc<Printer>),
}

impl Meant {
    fn printer(&self) -> Option<(&Printer, Option<Modules>)> {
        match self {
            Self::Configured(source) => source.printer().map(|(printer, own)| (printer, Some(own))),
            Self::Other(printer) => Some((printer, None)),
        }
    }
}

/// The API key that a request carries. Where logins are asked for, Authorization is fanin's own.
pub(super) fn api_key<'a>(fields: &Fields<'a>, has_logins: bool) -> Option<Cow<'a, str>> {
    let own = fields.text("X-Api-Key");
    let shown = fields.text("Authorization").filter(|_| !has_logins);
    let key = own.or_else(|| shown.and_then(|value| value.strip_prefix(SCHEME)))?.trim();
    config::is_key(key).then_some(Cow::Borrowed(key))
}

impl ProbeOutlet {
    /// The outlet that `plan` describes, with the printers among these sources.
    #[must_use]
    pub fn new(plan: &config::Probe, sources: &[Rc<Source>]) -> Self {
        let printer = |member: &config::Member| match *member {
            config::Member::Own => None,
            config::Member::Source(number) => sources.get(number).cloned(),
        };
        Self {
            printers: plan.members.iter().filter_map(printer).collect(),
            modules: plan.modules,
            targets: plan.targets.clone(),
            ways: plan.ways,
            known: RefCell::default(),
            throttle: Throttle::default(),
        }
    }

    /// Answers a request with this query and API key, by `deadline`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] says what the scraper is answered instead. A printer that is off is none.
    pub async fn answer(
        &self,
        engine: &Engine,
        (query, api_key): (&str, Option<&str>),
        deadline: Instant,
    ) -> Result<Reply<Body>, Refusal> {
        let (target, modules) = asked(query)?;
        let meant = self.meant(&target)?;
        let (printer, own) = meant.printer().ok_or_else(|| Refusal::memory(engine))?;
        let named = self.targets.names(printer.target());
        let port = match printer.target().authority().endpoint() {
            Endpoint::Host(_, port) => port,
            Endpoint::Unix(_) if own.is_some() || named => 0,
            Endpoint::Unix(_) => return Err(stranger(&target)),
        };
        let allowed = |address: IpAddr| self.targets.allows(address, port);
        let ask = Ask {
            modules: modules.or(own).unwrap_or(self.modules),
            api_key,
            reach: if own.is_some() || named { None } else { Some(&allowed) },
            deadline,
            limit: DEFAULT_BODY,
            families: DEFAULT_FAMILIES,
            watch: &Watch::new(None::<&str>),
        };
        for _ in 0..2 {
            let want = Want { blocks: printer.expects(), guessed: false };
            let Admission { budget, .. } = admitted(engine, want, deadline).await?;
            let answer = Box::pin(printer.ask(engine, &budget, &ask)).await;
            printer.note(&budget, &answer, &self.throttle);
            budget.settle();
            match answer {
                Ok(Answer {
                    down: Some(ScrapeError::Fetch(FetchError::OutOfReach(_))), ..
                }) => {
                    return Err(stranger(&target));
                }
                Ok(Answer { page, .. }) => {
                    let content_type = page.content_type();
                    return Ok(Reply::new(200, content_type, Body::indexed(Rc::new(page))));
                }
                Err(_) => {}
            }
        }
        Err(Refusal::memory(engine))
    }

    /// The printer that a request means: one of the configuration, by its name or its place, or else
    /// whatever is there.
    fn meant(&self, text: &str) -> Result<Meant, Refusal> {
        if let Some(source) = self.printers.iter().find(|source| source.name() == text) {
            return Ok(Meant::Configured(Rc::clone(source)));
        }
        let target = config::printer(text)
            .map_err(|rule| Refusal::new(400, format!("target {text:?} {rule}")))?;
        let is_there = |source: &&Rc<Source>| {
            source.printer().is_some_and(|(printer, _)| *printer.target() == target)
        };
        if let Some(source) = self.printers.iter().find(is_there) {
            return Ok(Meant::Configured(Rc::clone(source)));
        }
        if target.path() != "/" {
            return Err(Refusal::new(400, format!("target {text:?} has a path")));
        }
        Ok(Meant::Other(self.other(target)))
    }

    /// A printer that no configuration names, as it is remembered.
    fn other(&self, target: Target) -> Rc<Printer> {
        let mut known = self.known.borrow_mut();
        let at = known.iter().position(|printer| *printer.target() == target);
        let printer = match at {
            Some(at) => known.remove(at),
            None => Rc::new(Printer::at(target, None, self.ways)),
        };
        if known.len() >= KLIPPER_TARGETS {
            known.remove(0);
        }
        known.push(Rc::clone(&printer));
        printer
    }
}

/// What a query asks for: one target, and modules if it names some, in lists or one by one.
fn asked(query: &str) -> Result<(String, Option<Modules>), Refusal> {
    let mut targets =
        pairs(query).filter(|(key, _)| key == TARGET).map(|(_, value)| value.to_string());
    let target = targets.next().filter(|target| !target.is_empty() && targets.next().is_none());
    let once = || Refusal::new(400, "'target' parameter must be specified once".into());
    let target = target.ok_or_else(once)?;
    let mut modules = None;
    for (_, names) in pairs(query).filter(|(key, _)| key == "modules") {
        let names = names.to_string();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            // An empty list is none: it would say of any printer that it is up.
            let listed: &mut Modules = modules.get_or_insert(Modules::NONE);
            let added = listed.add(name);
            added.map_err(|rule| Refusal::new(400, format!("module {name:?} {rule}")))?;
        }
    }
    Ok((target, modules))
}

fn stranger(target: &str) -> Refusal {
    let rule =
        "neither configured, nor private and at port 7125, nor among the targets of this route";
    Refusal::new(403, format!("target {target:?} is {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_one_target_and_modules_in_any_way() {
        let cases = [
            ("target=a", Some(("a", None))),
            (
                "target=a%3A80&modules=mmu,cfs&modules=history",
                Some(("a:80", Some("history,mmu,cfs"))),
            ),
            ("target=a&modules=", Some(("a", None))),
            ("target=a&modules=,&modules=%20", Some(("a", None))),
            ("target=a&x=1", Some(("a", None))),
            ("", None),
            ("target=", None),
            ("target=a&target=b", None),
            ("target=a&modules=mmu,nothing", None),
        ];
        for (query, want) in cases {
            let got = asked(query).ok();
            let got = got.map(|(target, modules)| (target, modules.map(|all| all.to_string())));
            let want = want.map(|(target, all)| (target.to_owned(), all.map(str::to_owned)));
            assert_eq!(got, want, "{query}");
        }
    }

    #[test]
    fn a_login_is_no_api_key() {
        let cases = [
            ("Authorization: APIKEY k1\r\n", false, Some("k1")),
            ("Authorization: APIKEY k1\r\n", true, None),
            ("Authorization: Bearer k1\r\n", false, None),
            ("X-Api-Key: k2\r\nAuthorization: Bearer x\r\n", true, Some("k2")),
            ("X-Api-Key: a b\r\n", false, None),
            ("", false, None),
        ];
        for (lines, has_logins, want) in cases {
            let fields = Fields::new(lines.as_bytes());
            assert_eq!(api_key(&fields, has_logins).as_deref(), want, "{lines}");
        }
    }
}

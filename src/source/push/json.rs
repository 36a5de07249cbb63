//! Pages in JSON: `{"app": "text", "other": ["line", "line"]}`, any number of such objects one after
//! another, read as they come. `[]` between them asks what became of those before.

use std::rc::Rc;

use super::Arrival;
use super::group::Group;
use super::incoming::Incoming;
use super::refusal::PushError;
use super::tally::Tally;
use crate::json::{Bracket, Reader, Token};

/// What has been read of a stream of objects.
pub(super) struct Json {
    reader: Box<Reader>,
    /// Objects and lists that are open.
    depth: usize,
    /// The list that is open is a question.
    asks: bool,
    app: App,
    tally: Tally,
}

/// The value that is being read.
enum App {
    /// None, or one that is passed over.
    None,
    Taken(Group, Incoming),
}

impl Json {
    pub(super) fn new() -> Self {
        Self {
            reader: Box::new(Reader::new()),
            depth: 0,
            asks: false,
            app: App::None,
            tally: Tally::default(),
        }
    }

    /// Whether nothing is under way.
    pub(super) fn is_between(&self) -> bool {
        self.reader.finish().is_ok()
    }

    /// Reads on, up to the end of `input` or behind the next question; the answer to that.
    ///
    /// # Errors
    ///
    /// What makes the rest unreadable.
    pub(super) async fn feed(
        &mut self,
        arrival: &Arrival,
        input: &mut &[u8],
    ) -> Result<Option<String>, PushError> {
        let Self { reader, depth, asks, app, tally } = self;
        while let Some(token) = reader.next(input).map_err(PushError::Json)? {
            match (token, *depth) {
                (Token::Close(_), _) if *asks => {
                    *asks = false;
                    return Ok(Some(tally.answer()));
                }
                _ if *asks => return Err(PushError::Shape),
                (Token::Open(Bracket::Object), 0) => *depth = 1,
                (Token::Open(Bracket::Array), 0) => *asks = true,
                (Token::Open(Bracket::Array), 1) => *depth = 2,
                (Token::Open(_), _) => {
                    *depth = depth.saturating_add(1);
                    app.fail();
                }
                (Token::Name(name), 1) => *app = App::begin((arrival, tally), name),
                (Token::Text { piece, last }, 1) => {
                    app.write(piece).await;
                    if last {
                        app.end((arrival, tally)).await;
                    }
                }
                (Token::Text { piece, last }, 2) => {
                    app.write(piece).await;
                    if last {
                        app.end_line().await;
                    }
                }
                (Token::Close(_), _) => {
                    *depth = depth.saturating_sub(1);
                    if *depth == 1 {
                        app.end((arrival, tally)).await;
                    }
                }
                (Token::Number(_) | Token::Bool(_) | Token::Null, 1) => {
                    app.fail();
                    app.end((arrival, tally)).await;
                }
                (Token::Number(_) | Token::Bool(_) | Token::Null, _) => app.fail(),
                (Token::Name(_) | Token::Text { .. }, _) => {}
            }
        }
        Ok(None)
    }
}

impl App {
    /// Begins the value of `name`, if it is one that may come.
    fn begin((arrival, tally): (&Arrival, &mut Tally), name: Option<&str>) -> Self {
        match name.map_or(Err(super::BadGroup::Long), Group::app) {
            Err(fault) => {
                let error = fault.into();
                arrival.refused(None, &error);
                tally.refused(&error);
                Self::None
            }
            Ok(group) => match arrival.begin(&group) {
                Ok(incoming) => Self::Taken(group, incoming),
                Err(error) => {
                    arrival.refused(Some(&group), &error);
                    tally.refused(&format_args!("{group}: {error}"));
                    Self::None
                }
            },
        }
    }

    /// A value of another shape.
    fn fail(&mut self) {
        if let Self::Taken(_, incoming) = self {
            incoming.fail(PushError::Shape);
        }
    }

    async fn write(&mut self, piece: &str) {
        if let Self::Taken(_, incoming) = self {
            incoming.write(piece.as_bytes()).await;
        }
    }

    async fn end_line(&mut self) {
        if let Self::Taken(_, incoming) = self {
            incoming.end_line().await;
        }
    }

    async fn end(&mut self, (arrival, tally): (&Arrival, &mut Tally)) {
        if let Self::Taken(group, incoming) = std::mem::replace(self, Self::None) {
            let source = Rc::clone(arrival.source());
            let finished = incoming.finish((&source, &group), None).await;
            match arrival.end(group.clone(), finished, None) {
                Ok(()) => tally.accepted(),
                Err(error) => tally.refused(&format_args!("{group}: {error}")),
            }
        }
    }
}

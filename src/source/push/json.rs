//! Pages in JSON: `{"app": "text", "other": ["line", "line"]}`, any number of such objects one after
//! another, read as they come.

use std::rc::Rc;

use super::Arrival;
use super::group::Group;
use super::incoming::Incoming;
use super::refusal::PushError;
use crate::json::{Bracket, Reader, Token};

/// What has been read of a stream of objects.
pub(super) struct Json {
    reader: Box<Reader>,
    /// Objects and lists that are open.
    depth: usize,
    app: App,
}

/// The value that is being read.
enum App {
    /// None, or one that is passed over.
    None,
    Taken(Group, Incoming),
}

impl Json {
    pub(super) fn new() -> Self {
        Self { reader: Box::new(Reader::new()), depth: 0, app: App::None }
    }

    /// Whether nothing is under way.
    pub(super) fn is_between(&self) -> bool {
        self.reader.finish().is_ok()
    }

    /// Reads on.
    ///
    /// # Errors
    ///
    /// What makes the rest unreadable.
    pub(super) async fn feed(
        &mut self,
        arrival: &Arrival,
        mut input: &[u8],
    ) -> Result<(), PushError> {
        let Self { reader, depth, app } = self;
        while let Some(token) = reader.next(&mut input).map_err(PushError::Json)? {
            match (token, *depth) {
                (Token::Open(Bracket::Object), 0) => *depth = 1,
                (Token::Open(_), 0) => return Err(PushError::Shape),
                (Token::Open(Bracket::Array), 1) => *depth = 2,
                (Token::Open(_), _) => {
                    *depth = depth.saturating_add(1);
                    app.fail();
                }
                (Token::Name(name), 1) => *app = App::begin(arrival, name),
                (Token::Text { piece, last }, 1) => {
                    app.write(piece).await;
                    if last {
                        app.end(arrival).await;
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
                        app.end(arrival).await;
                    }
                }
                (Token::Number(_) | Token::Bool(_) | Token::Null, 1) => {
                    app.fail();
                    app.end(arrival).await;
                }
                (Token::Number(_) | Token::Bool(_) | Token::Null, _) => app.fail(),
                (Token::Name(_) | Token::Text { .. }, _) => {}
            }
        }
        Ok(())
    }
}

impl App {
    /// Begins the value of `name`, if it is one that may come.
    fn begin(arrival: &Arrival, name: Option<&str>) -> Self {
        match name.map_or(Err(super::BadGroup::Long), Group::app) {
            Err(fault) => {
                arrival.refused(None, &fault.into());
                Self::None
            }
            Ok(group) => match arrival.begin(&group) {
                Ok(incoming) => Self::Taken(group, incoming),
                Err(error) => {
                    arrival.refused(Some(&group), &error);
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

    async fn end(&mut self, arrival: &Arrival) {
        if let Self::Taken(group, incoming) = std::mem::replace(self, Self::None) {
            let source = Rc::clone(arrival.source());
            let finished = incoming.finish((&source, &group), None).await;
            // The sender is told nothing: the protocol has no answers.
            let _ = arrival.end(group, finished, None);
        }
    }
}

//! What an answer to a page that was sent says: one line, and only the beginning of it.

use crate::http::response::Response;
use crate::limits::{PIPE_ANSWER, PIPE_REFUSAL};

impl Response {
    /// Reads the body, so that its connection can be kept; returns how its first line begins.
    pub async fn says(&mut self) -> heapless::String<PIPE_REFUSAL> {
        let mut says = heapless::String::new();
        let mut piece = [0; 256];
        let (mut first, mut read) = (true, 0_usize);
        while read < PIPE_ANSWER {
            let Ok(n @ 1..) = self.read(&mut piece).await else { break };
            read = read.saturating_add(n);
            if first {
                let piece = piece.get(..n).unwrap_or_default();
                let line = piece.split(|byte| matches!(byte, b'\n' | b'\r'));
                let line = line.into_iter().next().unwrap_or_default();
                let text = line.utf8_chunks().map(|chunk| chunk.valid());
                for letter in text.flat_map(str::chars).filter(|letter| !letter.is_control()) {
                    if says.push(letter).is_err() {
                        break;
                    }
                }
                first = false;
            }
        }
        says
    }
}

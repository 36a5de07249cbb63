//! Where bodies live: a fixed number of blocks, who may take them, and pages made of them.
//!
//! ```text
//!   Pool ──admit──> Budget ──take──> Block ──> PageWriter ──finish──> Text
//!     ^                 └────take──> Lease ──> Table<T> (indexes)       │
//!     └──────────────── blocks come back as they are dropped ───────────┘
//! ```
//!
//! Nothing here grows past the pool: who asks for more than it has gets [`Full`].

mod admission;
mod page;
#[cfg(feature = "push")]
mod partial;
mod pool;
mod table;
mod write;

pub use admission::{Admission, Want};
pub use page::{PageError, PageWriter, Place, Text};
#[cfg(feature = "push")]
pub(crate) use partial::pack;
pub use pool::{Block, Budget, Counters, Full, Kept, Lease, Pool, blocks_for};
pub use table::Table;
pub use write::TextWriter;

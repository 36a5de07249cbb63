//! Blocks that are not full, sharing their room: a page that stays takes what it has bytes for, and
//! not a block for each of its tables.

use super::pool::Lease;
use crate::limits::BLOCK;

/// What is left of a block that was given back to the system in part.
pub(crate) struct Partial<'a> {
    /// Bytes that are still held.
    pub(super) bytes: usize,
    pub(super) lease: &'a mut Lease,
}

/// Pays for `parts` together: those whose bytes fit into the block of another shed their own.
pub(crate) fn pack<'a>(parts: impl Iterator<Item = Partial<'a>>) {
    let mut room = 0_usize;
    for part in parts {
        if part.bytes <= room {
            room = room.saturating_sub(part.bytes);
            part.lease.shed();
        } else {
            // A block that is paid for has room for what comes behind it.
            room = room.max(BLOCK.saturating_sub(part.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Pool, Table};

    #[test]
    fn parts_that_fit_together_are_one_block() {
        let cases: [(&str, &[usize], usize); 5] = [
            ("three small ones", &[200, 640, 96], 1),
            ("two of three", &[16000, 640, 96], 2),
            ("none", &[16000, 16000, 16000], 3),
            ("all of it", &[16384, 8192, 8192], 2),
            ("nothing", &[], 0),
        ];
        for (name, sizes, want) in cases {
            let pool = Pool::new(8 * BLOCK, 8 * BLOCK);
            let budget = pool.store();
            let mut tables: Vec<Table<u8>> = Vec::new();
            for size in sizes {
                let mut table = Table::default();
                for _ in 0..*size {
                    table.push(0, &budget).unwrap();
                }
                tables.push(table);
            }
            pack(tables.iter_mut().filter_map(Table::trim));
            let counters = pool.counters();
            assert_eq!((counters.used, counters.kept), (want, want), "{name}");
            drop(tables);
            let counters = pool.counters();
            assert_eq!((counters.used, counters.kept, counters.free), (0, 0, 8), "{name}");
        }
    }

    #[test]
    fn what_comes_to_stay_takes_no_more_than_may_be_kept() {
        let pool = Pool::new(8 * BLOCK, 2 * BLOCK);
        let (one, other) = (pool.store(), pool.store());
        let block = one.block().unwrap();
        let leases = other.lease().unwrap();
        assert!(one.block().is_err() && other.block().is_err());
        assert!(pool.lent().block().is_ok(), "scrapes have the rest");
        let mut told = pool.freed();
        drop(block);
        assert!(smol::block_on(smol::future::poll_once(&mut told)).is_some());
        assert!(other.block().is_ok());
        drop(leases);
        assert_eq!(pool.counters().kept, 0);
    }
}

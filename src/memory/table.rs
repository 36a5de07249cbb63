//! A list of small records that grows a block at a time and counts against a budget.
//!
//! Records never move, so growing copies nothing, and a table that may hold 65 536 of them costs
//! one block while it holds ten.

#[cfg(feature = "push")]
use super::partial::Partial;
use super::pool::{Budget, Full, Lease};
use crate::limits::BLOCK;

/// Records of one kind, numbered from 0 in the order they were pushed.
pub struct Table<T> {
    chunks: Vec<(Vec<T>, Lease)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Records in a block.
    const CHUNK: usize = BLOCK / size_of::<T>();

    /// Records pushed.
    #[must_use]
    pub fn len(&self) -> usize {
        let Some((last, _)) = self.chunks.last() else { return 0 };
        self.chunks.len().saturating_sub(1).saturating_mul(Self::CHUNK).saturating_add(last.len())
    }

    /// Whether nothing was pushed yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Appends a record.
    ///
    /// # Errors
    ///
    /// [`Full`] when it needs another block and `budget` has none; the table stays as it was.
    pub fn push(&mut self, record: T, budget: &Budget) -> Result<(), Full> {
        if let Some((last, _)) = self.chunks.last_mut()
            && last.len() < Self::CHUNK
        {
            last.push(record);
            return Ok(());
        }
        let lease = budget.lease()?;
        let mut chunk = Vec::with_capacity(Self::CHUNK);
        chunk.push(record);
        self.chunks.push((chunk, lease));
        Ok(())
    }

    /// Record number `at`.
    #[must_use]
    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "CHUNK is a constant above zero")]
    pub fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / Self::CHUNK)?.0.get(at % Self::CHUNK)
    }

    /// Record number `at`, to change it.
    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "CHUNK is a constant above zero")]
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.chunks.get_mut(at / Self::CHUNK)?.0.get_mut(at % Self::CHUNK)
    }

    /// Gives the memory behind the last record back to the system; what is left of its block, in
    /// bytes, and what pays for that.
    #[cfg(feature = "push")]
    pub(crate) fn trim(&mut self) -> Option<Partial<'_>> {
        let (last, lease) = self.chunks.last_mut()?;
        last.shrink_to_fit();
        Some(Partial { bytes: size_of_val(last.as_slice()), lease })
    }

    /// All records, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|(chunk, _)| chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Pool;

    #[test]
    fn a_table_takes_a_block_at_a_time_and_stops_at_the_pool() {
        let pool = Pool::new(BLOCK * 2, 0);
        let budget = pool.reserve();
        budget.correct(0);
        let mut table = Table::<u64>::default();
        for n in 0..4096 {
            assert_eq!(table.push(n, &budget), Ok(()), "{n}");
        }
        assert_eq!(pool.counters().used, 2);
        assert_eq!(table.push(4096, &budget), Err(Full));
        assert_eq!((table.len(), table.get(4095), table.get(4096)), (4096, Some(&4095), None));
        assert!(table.iter().copied().eq(0..4096));
        drop(table);
        assert_eq!(pool.counters().used, 0);
    }
}

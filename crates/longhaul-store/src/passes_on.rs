//! For stores that stand before another and change a little: what they leave alone is passed on.

/// Writes those methods of [`Tx`](longhaul_core::port::Tx) that pass on what they are asked, as it is, to
/// the field `inner`. Whoever names all but its own cannot forget one that is new.
#[macro_export]
macro_rules! tx_passes_on {
    (@ load) => {
        fn load(
            &mut self,
            table: ::longhaul_core::port::Table,
            id: &str,
        ) -> Result<Option<::longhaul_core::port::Row>, ::longhaul_core::port::StoreError> {
            self.inner.load(table, id)
        }
    };
    (@ save) => {
        fn save(
            &mut self,
            table: ::longhaul_core::port::Table,
            row: &::longhaul_core::port::Row,
            new: bool,
        ) -> Result<(), ::longhaul_core::port::StoreError> {
            self.inner.save(table, row, new)
        }
    };
    (@ remove) => {
        fn remove(
            &mut self,
            table: ::longhaul_core::port::Table,
            id: &str,
        ) -> Result<(), ::longhaul_core::port::StoreError> {
            self.inner.remove(table, id)
        }
    };
    (@ head) => {
        fn head(
            &mut self,
        ) -> Result<::longhaul_core::port::Position, ::longhaul_core::port::StoreError> {
            self.inner.head()
        }
    };
    (@ append) => {
        fn append(
            &mut self,
            events: &[::longhaul_core::event::NewEvent],
        ) -> Result<::longhaul_core::port::Position, ::longhaul_core::port::StoreError> {
            self.inner.append(events)
        }
    };
    (@ forget) => {
        fn forget(&mut self, job: &str) -> Result<(), ::longhaul_core::port::StoreError> {
            self.inner.forget(job)
        }
    };
    (@ trim_general) => {
        fn trim_general(&mut self, keep: u32) -> Result<(), ::longhaul_core::port::StoreError> {
            self.inner.trim_general(keep)
        }
    };
    (@ due) => {
        fn due(
            &mut self,
            me: &::longhaul_core::id::HostId,
            now: ::longhaul_core::time::Timestamp,
            limit: u32,
        ) -> Result<Vec<(::longhaul_core::port::Table, String)>, ::longhaul_core::port::StoreError> {
            self.inner.due(me, now, limit)
        }
    };
    (@ next_due) => {
        fn next_due(
            &mut self,
            me: &::longhaul_core::id::HostId,
        ) -> Result<Option<::longhaul_core::time::Timestamp>, ::longhaul_core::port::StoreError> {
            self.inner.next_due(me)
        }
    };
    (@ runnable) => {
        fn runnable(
            &mut self,
            pool: &str,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.runnable(pool, limit)
        }
    };
    (@ occupied) => {
        fn occupied(&mut self, pool: &str) -> Result<u32, ::longhaul_core::port::StoreError> {
            self.inner.occupied(pool)
        }
    };
    (@ lane_head) => {
        fn lane_head(
            &mut self,
            lane: &str,
        ) -> Result<Option<String>, ::longhaul_core::port::StoreError> {
            self.inner.lane_head(lane)
        }
    };
    (@ active_on) => {
        fn active_on(
            &mut self,
            table: ::longhaul_core::port::Table,
            host: &::longhaul_core::id::HostId,
            after: &str,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.active_on(table, host, after, limit)
        }
    };
    (@ children) => {
        fn children(
            &mut self,
            table: ::longhaul_core::port::Table,
            parent: &str,
            after: &str,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.children(table, parent, after, limit)
        }
    };
    (@ ids) => {
        fn ids(
            &mut self,
            table: ::longhaul_core::port::Table,
            after: &str,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.ids(table, after, limit)
        }
    };
    (@ by_key) => {
        fn by_key(
            &mut self,
            key: &str,
        ) -> Result<Option<String>, ::longhaul_core::port::StoreError> {
            self.inner.by_key(key)
        }
    };
    (@ oldest_ended) => {
        fn oldest_ended(
            &mut self,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.oldest_ended(limit)
        }
    };
    (@ ended_totals) => {
        fn ended_totals(&mut self) -> Result<(u64, u64), ::longhaul_core::port::StoreError> {
            self.inner.ended_totals()
        }
    };
    (@ next_in_lanes) => {
        fn next_in_lanes(
            &mut self,
            pool: &str,
            after: &str,
            limit: u32,
        ) -> Result<Vec<(String, String)>, ::longhaul_core::port::StoreError> {
            self.inner.next_in_lanes(pool, after, limit)
        }
    };
    (@ waiting_in_lane) => {
        fn waiting_in_lane(
            &mut self,
            lane: &str,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.waiting_in_lane(lane, limit)
        }
    };
    (@ open_in_lane) => {
        fn open_in_lane(
            &mut self,
            lane: &str,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.open_in_lane(lane, limit)
        }
    };
    (@ active_in_pool) => {
        fn active_in_pool(&mut self, pool: &str) -> Result<u32, ::longhaul_core::port::StoreError> {
            self.inner.active_in_pool(pool)
        }
    };
    (@ active_in_lane) => {
        fn active_in_lane(&mut self, lane: &str) -> Result<u32, ::longhaul_core::port::StoreError> {
            self.inner.active_in_lane(lane)
        }
    };
    (@ unread) => {
        fn unread(
            &mut self,
            mailbox: &str,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.unread(mailbox, limit)
        }
    };
    (@ unread_count) => {
        fn unread_count(
            &mut self,
            mailbox: &str,
        ) -> Result<u64, ::longhaul_core::port::StoreError> {
            self.inner.unread_count(mailbox)
        }
    };
    (@ oldest_ended_mail) => {
        fn oldest_ended_mail(
            &mut self,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.oldest_ended_mail(limit)
        }
    };
    (@ ended_mail_count) => {
        fn ended_mail_count(&mut self) -> Result<u64, ::longhaul_core::port::StoreError> {
            self.inner.ended_mail_count()
        }
    };
    (@ open_jobs_in_lane) => {
        fn open_jobs_in_lane(
            &mut self,
            lane: &str,
            limit: u32,
        ) -> Result<Vec<String>, ::longhaul_core::port::StoreError> {
            self.inner.open_jobs_in_lane(lane, limit)
        }
    };
    (@ commit) => {
        fn commit(self: Box<Self>) -> Result<(), ::longhaul_core::port::StoreError> {
            self.inner.commit()
        }
    };
    ($($name:ident),+ $(,)?) => { $($crate::tx_passes_on!(@ $name);)+ };
}

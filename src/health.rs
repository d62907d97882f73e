//! What this process knows of itself: whether its workers run, and whether customers were ever read.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// One worker's state as `/readyz` and the metrics show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// It has not come so far yet; the process is not ready.
    Starting,
    Running,
    /// It died and is started again; why.
    Down(String),
}

#[derive(Debug, Default)]
pub struct Health {
    workers: Mutex<BTreeMap<String, WorkerState>>,
    first_sync_pending: AtomicBool,
}

impl Health {
    pub fn set_worker(&self, name: &str, state: WorkerState) {
        let up = if state == WorkerState::Running { 1.0 } else { 0.0 };
        metrics::gauge!("latchkey_worker_up", "worker" => name.to_owned()).set(up);
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), state);
    }

    /// Empty in a process without workers.
    pub fn workers(&self) -> BTreeMap<String, WorkerState> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// While there is no customer at all and the first sync is under way, nobody can be asked for.
    pub fn set_first_sync_pending(&self, pending: bool) {
        self.first_sync_pending.store(pending, Ordering::Relaxed);
    }

    pub fn first_sync_pending(&self) -> bool {
        self.first_sync_pending.load(Ordering::Relaxed)
    }
}

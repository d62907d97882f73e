//! Keeping the customers in step with the company's database.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, stream};
use latchkey::{
    domain::customer::Labels,
    store::CustomerLookup,
    workflow::{SourceRow, SyncError, Synced},
};

use crate::harness::{
    databases::TestDb,
    office::{Office, hours, minutes, morning},
};

fn row(id: &str, name: &str, plan: &str) -> SourceRow {
    let labels = Labels::from([("plan".to_owned(), plan.to_owned())]);
    SourceRow { id: id.to_owned(), name: name.to_owned(), labels }
}

fn ten() -> Vec<SourceRow> {
    (0..10).map(|n| row(&n.to_string(), &format!("Customer {n}"), "free")).collect()
}

/// One sync over these rows, with the usual limit.
async fn sync(office: &Office, rows: &[SourceRow]) -> Result<Synced, SyncError> {
    let rows = stream::iter(rows.to_vec()).map(Ok);
    office.workflow.sync_customers(rows, 20.0, |_| {}).await
}

fn synced(read: u64, changed: u64, vanished: u64) -> Synced {
    Synced { read, changed, vanished }
}

/// Every customer that can be asked for.
async fn all(office: &Office) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for n in 0..12 {
        if let Some(customer) = office.store.customer(&n.to_string()).await.unwrap() {
            all.push((customer.id.to_string(), customer.name, customer.labels["plan"].clone()));
        }
    }
    all
}

both_databases! {
    async fn a_sync_follows_the_source(db: TestDb) {
        let office = Office::new(&db).await;
        let mut rows = ten();
        assert_eq!(sync(&office, &rows).await.unwrap(), synced(10, 10, 0));
        assert_eq!(all(&office).await.len(), 10);
        assert_eq!(office.record().await.len(), 1);
        assert_eq!(sync(&office, &rows).await.unwrap(), synced(10, 0, 0));
        assert_eq!(office.record().await.len(), 1, "nothing changed, nothing to record");
        rows[1].name = "Renamed GmbH".to_owned();
        rows[2] = row("2", "Customer 2", "enterprise");
        rows.push(row("10", "New", "free"));
        rows.remove(0);
        assert_eq!(sync(&office, &rows).await.unwrap(), synced(10, 3, 1));
        let now = all(&office).await;
        assert_eq!((now.len(), now[0].1.as_str(), now[1].2.as_str()), (10, "Renamed GmbH", "enterprise"));
        assert!(matches!(office.store.look_up_customer("renamed-gmbh").await.unwrap(), CustomerLookup::One(_)));
        assert!(office.store.customer("0").await.unwrap().is_none());
        rows.push(row("0", "Customer 0", "free"));
        assert_eq!(sync(&office, &rows).await.unwrap(), synced(11, 1, 0), "it is back, as it was");
        assert!(office.store.customer("0").await.unwrap().is_some());
        assert_eq!(sync(&office, &rows).await.unwrap(), synced(11, 0, 0));
    }

    async fn a_vanished_customers_leases_run_on(db: TestDb) {
        let office = Office::new(&db).await;
        sync(&office, &ten()).await.unwrap();
        let (petition, until) = office.grant("ana", "0", hours(4)).await;
        assert_eq!(sync(&office, &ten()[1..]).await.unwrap().vanished, 1);
        assert!(office.may("ana", "0").await);
        let lease = office.store.lease_of(&petition.name).await.unwrap().unwrap();
        assert_eq!((lease.ended, lease.expires_at), (None, until));
    }

    async fn a_source_that_lacks_too_many_changes_nothing(db: TestDb) {
        let office = Office::new(&db).await;
        sync(&office, &ten()).await.unwrap();
        let before = all(&office).await;
        let mut rows = ten()[3..].to_vec();
        rows[0].name = "Renamed".to_owned();
        rows.push(row("11", "New", "free"));
        let error = sync(&office, &rows).await.unwrap_err();
        assert!(matches!(error, SyncError::TooManyGone { missing: 3, had: 10, .. }), "{error}");
        assert!(error.to_string().contains("CUSTOMERS_MAX_REMOVALS"), "{error}");
        assert_eq!(all(&office).await, before);
        assert!(matches!(sync(&office, &[]).await, Err(SyncError::TooManyGone { missing: 10, .. })));
        assert_eq!(office.store.customer_count().await.unwrap(), 10);
        assert_eq!(office.record().await.len(), 1);
        assert_eq!(sync(&office, &ten()[2..]).await.unwrap(), synced(8, 0, 2), "a fifth may go");
        assert!(office.store.customer("11").await.unwrap().is_none(), "nothing is left over from the sync that failed");
    }

    async fn a_source_that_fails_halfway_changes_nothing(db: TestDb) {
        let office = Office::new(&db).await;
        sync(&office, &ten()).await.unwrap();
        let before = all(&office).await;
        let many = (0..5_000).map(|n| Ok(row(&n.to_string(), "Renamed", "free")));
        let failing = stream::iter(many.chain([Err(SyncError::Source("it is gone".to_owned()))]));
        let error = office.workflow.sync_customers(failing, 20.0, |_| {}).await.unwrap_err();
        assert!(matches!(error, SyncError::Source(_)), "{error}");
        assert_eq!(all(&office).await, before);
        assert_eq!(office.store.customer_count().await.unwrap(), 10);
        assert_eq!(sync(&office, &ten()).await.unwrap(), synced(10, 0, 0), "and the next may run at once");
    }

    async fn a_large_source_goes_through_in_parts(db: TestDb) {
        let office = Office::new(&db).await;
        let rows = || stream::iter((0..5_001).map(|n| Ok(row(&n.to_string(), &format!("Customer {n}"), "free"))));
        let last = AtomicU64::new(0);
        let result = office.workflow.sync_customers(rows(), 20.0, |read| last.store(read, Ordering::SeqCst)).await;
        assert_eq!(result.unwrap(), synced(5_001, 5_001, 0));
        assert_eq!((office.store.customer_count().await.unwrap(), last.load(Ordering::SeqCst)), (5_001, 5_001));
        let again = office.workflow.sync_customers(rows(), 20.0, |_| {}).await.unwrap();
        assert_eq!(again, synced(5_001, 0, 0));
    }

    async fn one_sync_runs_at_a_time(db: TestDb) {
        let office = Office::new(&db).await;
        // The second comes while the first reads its first row.
        let rows = stream::once(async {
            let second = sync(&office, &ten()).await;
            assert!(matches!(second, Err(SyncError::Busy)), "{second:?}");
            Ok(row("0", "Customer 0", "free"))
        });
        assert_eq!(office.workflow.sync_customers(rows, 20.0, |_| {}).await.unwrap(), synced(1, 1, 0));
        assert_eq!(sync(&office, &ten()).await.unwrap(), synced(10, 9, 0));
    }

    async fn a_sync_that_stands_still_is_overtaken_and_changes_nothing_more(db: TestDb) {
        let office = Office::new(&db).await;
        let rows = stream::once(async {
            office.clock.advance(minutes(3));
            assert_eq!(sync(&office, &ten()).await.unwrap(), synced(10, 10, 0));
            Ok(row("0", "Old news", "free"))
        });
        let first = office.workflow.sync_customers(rows, 100.0, |_| {}).await;
        assert!(matches!(first, Err(SyncError::Busy)), "{first:?}");
        assert_eq!(all(&office).await[0].1, "Customer 0");
        assert_eq!(office.store.customer_count().await.unwrap(), 10);
        assert!(office.now() > morning());
        assert_eq!(sync(&office, &ten()).await.unwrap(), synced(10, 0, 0));
    }
}

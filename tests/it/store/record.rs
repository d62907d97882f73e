//! The record: chained in order, exported as it was, and no row of it can be altered unseen.

use latchkey::{
    audit::{AuditEntry, AuditEvent, StoredEntry, Via},
    domain::id::CustomerId,
    store::{ChainFault, Store},
};
use serde_json::{Value, json};

use crate::harness::{
    databases::{TestDb, raw},
    office::{email, minutes, morning},
};

async fn write(store: &Store, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let entry =
            AuditEntry::new(morning() + minutes(number), AuditEvent::ClaimMade, format!("actor {number}"), Via::Slack)
                .petition(format!("p{number}"))
                .about(&email("ana"), &CustomerId::new("123"))
                .details(json!({ "note": format!("“{number}”"), "number": number }));
        let tx = store.begin().await.unwrap();
        tx.commit(&[entry]).await.unwrap();
    }
}

/// The whole record, or where it breaks.
async fn verify(store: &Store) -> Result<Vec<StoredEntry>, ChainFault> {
    let (mut all, mut before): (Vec<StoredEntry>, String) = (Vec::new(), String::new());
    loop {
        let position = all.len() as i64;
        let page = store.audit_page(position, &before).await.unwrap()?;
        let Some(last) = page.last() else { return Ok(all) };
        before.clone_from(&last.hash);
        all.extend(page);
    }
}

both_databases! {
    async fn entries_are_chained_in_the_order_they_were_made(db: TestDb) {
        let store = db.store().await;
        write(&store, 0..3).await;
        assert!(verify(&store).await.unwrap().is_empty(), "an entry is exported once it is chained");
        store.chain_audit().await.unwrap();
        let first = verify(&store).await.unwrap();
        write(&store, 3..5).await;
        store.chain_audit().await.unwrap();
        store.chain_audit().await.unwrap();
        let all = verify(&store).await.unwrap();
        assert_eq!(all.iter().map(|entry| entry.position).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        let actors: Vec<&str> = all.iter().map(|entry| entry.actor.as_str()).collect();
        assert_eq!(actors, ["actor 0", "actor 1", "actor 2", "actor 3", "actor 4"]);
        assert_eq!(first[2].hash, all[2].hash, "what was chained stays as it was");
        let rest = store.audit_page(3, &all[2].hash).await.unwrap().unwrap();
        assert_eq!(rest.len(), 2, "reading may begin anywhere");
        assert!(store.audit_page(3, &all[1].hash).await.unwrap().is_err(), "but not on another chain");
    }

    async fn an_entry_is_exported_as_it_was_written(db: TestDb) {
        let store = db.store().await;
        write(&store, 7..8).await;
        let plain = AuditEntry::new(morning(), AuditEvent::CustomersSynced, "system", Via::Worker);
        store.begin().await.unwrap().commit(&[plain]).await.unwrap();
        store.chain_audit().await.unwrap();
        let lines: Vec<Value> = verify(&store)
            .await
            .unwrap()
            .iter()
            .map(|entry| {
                let line = entry.export_line();
                assert!(!line.contains('\n'));
                serde_json::from_str(&line).unwrap()
            })
            .collect();
        let mut wanted = json!({
            "position": 1, "at": "2026-03-02T09:07:00Z", "event": "claim.made", "actor": "actor 7", "via": "slack",
            "petition": "p7", "person": "ana@acme.test", "customer": "123", "details": {"note": "“7”", "number": 7},
        });
        wanted["hash"] = lines[0]["hash"].clone();
        assert_eq!(lines[0], wanted);
        assert_eq!((&lines[1]["petition"], &lines[1]["details"]), (&Value::Null, &json!({})));
    }

    async fn whatever_is_altered_is_found(db: TestDb) {
        let store = db.store().await;
        write(&store, 1..6).await;
        store.chain_audit().await.unwrap();
        assert_eq!(verify(&store).await.unwrap().len(), 5);
        for (set, reset) in [
            ("actor = 'system'", "actor = 'actor 3'"),
            ("at_us = at_us + 1", "at_us = at_us - 1"),
            ("event = 'claim.unmade'", "event = 'claim.made'"),
            ("via = 'webhook'", "via = 'slack'"),
            ("petition = NULL", "petition = 'p3'"),
            ("person = 'bo@acme.test'", "person = 'ana@acme.test'"),
            ("customer = ''", "customer = '123'"),
            ("details = details || ' '", "details = trim(details)"),
            ("hash = upper(hash)", "hash = lower(hash)"),
        ] {
            raw(&store, &format!("UPDATE audit SET {set} WHERE position = 3")).await;
            assert_eq!(verify(&store).await.unwrap_err(), ChainFault::Altered(3), "{set}");
            raw(&store, &format!("UPDATE audit SET {reset} WHERE position = 3")).await;
            assert_eq!(verify(&store).await.unwrap().len(), 5, "{reset}");
        }
    }

    async fn whatever_is_removed_or_slipped_in_is_found(db: TestDb) {
        let store = db.store().await;
        write(&store, 1..6).await;
        store.chain_audit().await.unwrap();
        raw(&store, "DELETE FROM audit WHERE position = 2").await;
        assert_eq!(verify(&store).await.unwrap_err(), ChainFault::Missing(2));
        // Closing the gap does not help: each hash covers its place.
        raw(&store, "UPDATE audit SET position = position - 1 WHERE position = 3").await;
        assert_eq!(verify(&store).await.unwrap_err(), ChainFault::Altered(2));
        raw(&store, "UPDATE audit SET position = 3 WHERE position = 2").await;
        raw(
            &store,
            "INSERT INTO audit (at_us, event, actor, via, details, position, hash) \
             SELECT at_us, event, 'bo', via, details, 2, hash FROM audit WHERE position = 1",
        )
        .await;
        assert_eq!(verify(&store).await.unwrap_err(), ChainFault::Altered(2));
    }

    async fn many_may_write_and_chain_at_once(db: TestDb) {
        let store = db.store().await;
        let working: Vec<_> = (0..4)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    for step in 0..5 {
                        write(&store, number * 100 + step..number * 100 + step + 1).await;
                        store.chain_audit().await.unwrap();
                    }
                })
            })
            .collect();
        for one in working {
            one.await.unwrap();
        }
        store.chain_audit().await.unwrap();
        assert_eq!(verify(&store).await.unwrap().len(), 20);
    }

    async fn a_long_record_is_read_page_by_page(db: TestDb) {
        let store = db.store().await;
        let entries: Vec<AuditEntry> =
            (0..1_200).map(|n| AuditEntry::new(morning(), AuditEvent::ClaimMade, n.to_string(), Via::Slack)).collect();
        store.begin().await.unwrap().commit(&entries).await.unwrap();
        store.chain_audit().await.unwrap();
        let all = verify(&store).await.unwrap();
        assert_eq!((all.len(), all[1_199].actor.as_str()), (1_200, "1199"));
        assert_eq!(store.audit_page(0, "").await.unwrap().unwrap().len(), 500);
    }
}

//! Customers: staged, moved into place, removed, looked up.

use latchkey::{
    domain::{
        customer::{Customer, Labels, name_key},
        id::CustomerId,
        resource::{Resource, Source},
    },
    store::{CustomerLookup, Db, RemovedCustomers, StagedCustomer, Store, StoredResource, statements},
};
use sqlx::AssertSqlSafe;

use super::commit;
use crate::harness::{databases::TestDb, office::morning};

fn staged(id: &str, name: &str, hash: i64) -> StagedCustomer {
    let labels = Labels::from([("plan".to_owned(), "“enterprise” 'x'".to_owned())]);
    StagedCustomer { id: id.to_owned(), name: name.to_owned(), name_key: name_key(name), labels, row_hash: hash }
}

fn customer(id: &str, name: &str) -> Customer {
    Customer { id: CustomerId::new(id), name: name.to_owned(), labels: staged(id, name, 0).labels }
}

/// Moves everything that is staged into place, a few rows at a time.
async fn apply(store: &Store) -> Vec<u64> {
    let mut moved = Vec::new();
    loop {
        let mut tx = store.begin().await.unwrap();
        let rows = tx.apply_stage(morning(), 2).await.unwrap();
        commit(tx).await;
        if rows == 0 {
            return moved;
        }
        moved.push(rows);
    }
}

async fn hashes(store: &Store) -> Vec<(String, i64, bool)> {
    let mut all = Vec::new();
    store.each_customer_hash(|row| all.push((row.id.clone(), row.row_hash, row.gone))).await.unwrap();
    all.sort();
    all
}

async fn offer(store: &Store, names: &[(&str, &str)]) {
    let rows: Vec<StagedCustomer> = names.iter().map(|(id, name)| staged(id, name, 1)).collect();
    store.stage_customers(&rows).await.unwrap();
    apply(store).await;
}

both_databases! {
    async fn what_is_staged_is_nowhere_until_it_is_moved_into_place(db: TestDb) {
        let store = db.store().await;
        store.stage_customers(&[staged("1", "AcmeCorp", i64::MIN), staged("2", "Bolt", 2)]).await.unwrap();
        store.stage_customers(&[staged("2", "Bolt & Co", i64::MAX), staged("3", "Crux", 3)]).await.unwrap();
        assert_eq!(store.customer("1").await.unwrap(), None);
        assert_eq!(apply(&store).await, [2, 1], "the later row of one id counts");
        assert_eq!(store.customer("1").await.unwrap(), Some(customer("1", "AcmeCorp")));
        assert_eq!(store.customer("2").await.unwrap(), Some(customer("2", "Bolt & Co")));
        assert_eq!(store.customer_count().await.unwrap(), 3);
        let wanted = [("1", i64::MIN, false), ("2", i64::MAX, false), ("3", 3, false)];
        assert_eq!(hashes(&store).await, wanted.map(|(id, hash, gone)| (id.to_owned(), hash, gone)));
        store.stage_customers(&[staged("4", "Dune", 4)]).await.unwrap();
        store.clear_stage().await.unwrap();
        assert!(apply(&store).await.is_empty());
    }

    async fn who_vanished_cannot_be_asked_for_and_may_come_back(db: TestDb) {
        let store = db.store().await;
        offer(&store, &[("1", "AcmeCorp"), ("2", "Bolt"), ("it's", "Crux")]).await;
        let mut tx = store.begin().await.unwrap();
        tx.remove_customers(&RemovedCustomers(vec!["1".to_owned(), "it's".to_owned()]), morning()).await.unwrap();
        commit(tx).await;
        assert_eq!(store.customer("1").await.unwrap(), None);
        assert_eq!(store.look_up_customer("AcmeCorp").await.unwrap(), CustomerLookup::Nobody(Vec::new()));
        assert_eq!(store.customer_count().await.unwrap(), 1);
        let gone: Vec<String> = hashes(&store).await.into_iter().filter(|row| row.2).map(|row| row.0).collect();
        assert_eq!(gone, ["1", "it's"]);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.customer_ever("1").await.unwrap(), Some(customer("1", "AcmeCorp")), "a grant of theirs may still run");
        assert_eq!(tx.customer_ever("9").await.unwrap(), None);
        drop(tx);
        offer(&store, &[("1", "AcmeCorp")]).await;
        assert_eq!(store.customer("1").await.unwrap(), Some(customer("1", "AcmeCorp")));
    }

    async fn a_sync_or_a_pull_takes_away_only_what_is_still_its_own(db: TestDb) {
        let store = db.store().await;
        let pull = Source::Pull("crm".to_owned());
        let vault = |name: &str, id: &str| StoredResource {
            name: name.to_owned(),
            resource: Resource { kind: "vault".to_owned(), id: id.to_owned(), ..Resource::default() },
        };
        offer(&store, &[("1", "AcmeCorp"), ("2", "Bolt")]).await;
        let mut tx = store.begin().await.unwrap();
        tx.put_customers(&[staged("3", "Crux", 1), staged("4", "Dune", 1)], &pull, morning()).await.unwrap();
        tx.put_resources(&[vault("res_a", "a"), vault("res_b", "b")], &pull, morning()).await.unwrap();
        commit(tx).await;
        // While they run, somebody uploads one of each.
        let mut tx = store.begin().await.unwrap();
        let uploaded = [staged("2", "Bolt", 1), staged("4", "Dune", 1)];
        tx.put_customers(&uploaded, &Source::Upload, morning()).await.unwrap();
        tx.put_resources(&[vault("res_c", "b")], &Source::Upload, morning()).await.unwrap();
        commit(tx).await;
        let gone = |ids: [&str; 2]| RemovedCustomers(ids.map(str::to_owned).to_vec());
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.remove_customers_of(&Source::Sync, &gone(["1", "2"]), morning()).await.unwrap(), ["1"]);
        assert_eq!(tx.remove_customers_of(&pull, &gone(["3", "4"]), morning()).await.unwrap(), ["3"]);
        assert!(tx.remove_resource_of(&pull, "res_a").await.unwrap());
        assert!(!tx.remove_resource_of(&pull, "res_b").await.unwrap());
        commit(tx).await;
        for (id, there) in [("1", false), ("2", true), ("3", false), ("4", true)] {
            assert_eq!(store.customer(id).await.unwrap().is_some(), there, "{id}");
        }
        for (name, there) in [("res_a", false), ("res_b", true)] {
            assert_eq!(store.resource(name).await.unwrap().is_some(), there, "{name}");
        }
    }

    async fn a_customer_is_found_by_id_and_by_any_spelling_of_the_name(db: TestDb) {
        let store = db.store().await;
        offer(&store, &[("123", "AcmeCorp"), ("124", "Acme Corp"), ("125", "Bolt GmbH"), ("Bolt GmbH", "Dune"), ("126", "Éclair")]).await;
        let one = |id, name| CustomerLookup::One(customer(id, name));
        let look = async |text: &str| store.look_up_customer(text).await.unwrap();
        assert_eq!(look("123").await, one("123", "AcmeCorp"));
        assert_eq!(look("Bolt GmbH").await, one("Bolt GmbH", "Dune"), "the id comes first");
        assert_eq!(look("bolt-gmbh.").await, one("125", "Bolt GmbH"));
        assert_eq!(look("éCLAIR").await, one("126", "Éclair"));
        assert_eq!(look("acme corp").await, one("124", "Acme Corp"), "of two, the one that is spelt so");
        let both = vec![customer("123", "AcmeCorp"), customer("124", "Acme Corp")];
        assert_eq!(look("acme-corp").await, CustomerLookup::Several(both.clone()));
        match look("acme").await {
            CustomerLookup::Nobody(mut like) => {
                like.sort_by(|a, b| a.id.cmp(&b.id));
                assert_eq!(like, both);
            }
            other => panic!("{other:?}"),
        }
        for nothing in ["", " ", "--", "%", "zebra"] {
            assert_eq!(look(nothing).await, CustomerLookup::Nobody(Vec::new()), "{nothing:?}");
        }
    }

    async fn no_more_than_a_few_are_offered(db: TestDb) {
        let store = db.store().await;
        let names: Vec<(String, String)> = (0..9).map(|n| (n.to_string(), format!("Acme {n}"))).collect();
        let names: Vec<(&str, &str)> = names.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
        offer(&store, &names).await;
        assert!(matches!(store.look_up_customer("acme").await.unwrap(), CustomerLookup::Nobody(like) if like.len() == 5));
    }

    async fn customers_of_nearly_the_same_name_are_known(db: TestDb) {
        let store = db.store().await;
        offer(&store, &[
            ("123", "AcmeCorp"), ("124", "Acme Corp Labs"), ("125", "ACME-Corp."), ("126", "Acme"), ("127", "Acne Corp"),
            ("128", "Ac"), ("129", "Acme Corp Laboratories of Europe"), ("130", "Éclair"), ("131", "éclair & Co"), ("132", "A"),
            ("133", "ac."), ("134", "--"), ("135", "Acme Corp Lost"),
        ]).await;
        let mut tx = store.begin().await.unwrap();
        tx.remove_customers(&RemovedCustomers(vec!["135".to_owned()]), morning()).await.unwrap();
        commit(tx).await;
        let alike = async |id: &str, name: &str| {
            let found = store.customers_alike(&customer(id, name), 3).await.unwrap();
            found.into_iter().map(|customer| customer.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(alike("123", "AcmeCorp").await, ["125", "124", "126"], "the nearest three, without itself");
        assert_eq!(alike("126", "Acme").await, ["123", "125", "124"]);
        assert_eq!(alike("124", "Acme Corp Labs").await, ["123", "125", "126"], "those with which it begins");
        assert_eq!(alike("130", "Éclair").await, ["131"]);
        assert_eq!(alike("128", "Ac").await, ["133"], "of a short name only the same");
        assert_eq!(alike("900", "Umbrella").await, [""; 0]);
        assert_eq!(alike("134", "--").await, [""; 0]);
    }

    /// Among a million nobody waits for it: the database finds them by its index.
    async fn nearly_the_same_name_is_found_by_an_index(db: TestDb) {
        let store = db.store().await;
        let rows = 20_000;
        for batch in 0..4 {
            let staged: Vec<StagedCustomer> =
                (0..rows / 4).map(|n| staged(&format!("{batch}-{n}"), &format!("Company {batch} {n}"), 1)).collect();
            store.stage_customers(&staged).await.unwrap();
            let mut tx = store.begin().await.unwrap();
            tx.apply_stage(morning(), rows).await.unwrap();
            commit(tx).await;
        }
        let key = name_key("Company 2 17");
        let keys = serde_json::json!([key, "company", "companyx"]).to_string();
        for (like, first) in [("ORDER BY name_key", key.as_str()), ("ORDER BY length(name_key)", &keys)] {
            let (_, all) = statements().into_iter().find(|(table, _)| *table == "customers").unwrap();
            let sql = all.iter().rfind(|sql| sql.sqlite.contains(like)).unwrap();
            let beyond = format!("{key}{}", char::MAX);
            let plan: Vec<String> = match store.db() {
                Db::Sqlite { read, .. } => {
                    let query = sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.sqlite))).bind(first);
                    let query = if like.contains("length") { query.bind(4) } else { query.bind(&beyond).bind(4) };
                    let rows: Vec<(i64, i64, i64, String)> = query.fetch_all(read).await.unwrap();
                    rows.into_iter().map(|row| row.3).collect()
                }
                Db::Postgres(pool) => {
                    sqlx::raw_sql("ANALYZE customers").execute(pool).await.unwrap();
                    let query = sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {}", sql.postgres))).bind(first);
                    let query = if like.contains("length") { query.bind(4_i64) } else { query.bind(&beyond).bind(4_i64) };
                    query.fetch_all(pool).await.unwrap()
                }
            };
            let plan = plan.join("\n");
            assert!(plan.contains("customers_by_key"), "{plan}");
            assert!(!plan.contains("Seq Scan on customers") && !plan.contains("SCAN customers"), "{plan}");
        }
    }
}

//! `?wait=30s`: answered when the petition is decided, not before, and by nobody's polling.

use std::time::Duration;

use latchkey::{
    app::{App, Role},
    http::auth::Scope,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::harness::{
    acts::{ONE_LEAD, file},
    api::{Program, name, phase},
    databases::{Kind, TestDb, run},
    house::{House, PATIENCE, Patience},
    office::{hours, seconds},
};

/// A thousand connections are a lot for a busy machine.
const MANY: Duration = PATIENCE.saturating_mul(3);

/// Somebody waits; answered with the petition.
fn wait(program: &Program, petition: &Value, waiting: &mut JoinSet<Value>) {
    wait_for(program, petition, "30s", waiting);
}

fn wait_for(program: &Program, petition: &Value, length: &str, waiting: &mut JoinSet<Value>) {
    let (program, path) = (program.clone(), format!("/petitions/{}?wait={length}", name(petition)));
    waiting.spawn(async move { program.get(&path).await.ok() });
}

async fn one_lead(db: TestDb) -> House {
    House::plan(db).file(&file(&["bo"], "", ONE_LEAD)).build().await
}

async fn answers(mut waiting: JoinSet<Value>, wanted: &str) {
    while let Some(answer) = tokio::time::timeout(MANY, waiting.join_next()).await.expect("all are answered") {
        assert_eq!(phase(&answer.unwrap()), wanted);
    }
}

/// So many more wait. Not all come at once: each is let in by the database, and what is tried here is the wait.
async fn crowd(house: &House, program: &Program, petition: &Value, count: usize, waiting: &mut JoinSet<Value>) {
    const AT_ONCE: usize = 50;
    let before = house.store().waiting();
    for number in 1..=count {
        wait(program, petition, waiting);
        if number % AT_ONCE == 0 || number == count {
            waiters(house, before + number).await;
        }
    }
}

/// Until so many requests wait in the house.
async fn waiters(house: &House, count: usize) {
    let mut patience = Patience::lasting("all wait", MANY);
    while house.store().waiting() < count {
        patience.tick().await;
    }
}

both_databases! {
    /// Each of many is told of the decision about its own petition, and the others go on waiting.
    async fn all_who_wait_are_answered_when_it_is_decided(db: TestDb) {
        let house = one_lead(db).await;
        let (ana, bo) = (house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await);
        let (approved, denied, open) = (ana.asks().await, ana.asks().await, ana.asks().await);
        let (mut yes, mut no, mut still) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        crowd(&house, &ana, &approved, 300, &mut yes).await;
        crowd(&house, &bo, &denied, 300, &mut no).await;
        crowd(&house, &ana, &open, 1, &mut still).await;
        bo.claims(&approved, "access/approve").await.ok();
        answers(yes, "granted").await;
        assert!(no.try_join_next().is_none(), "nobody has decided the other");
        bo.claims(&denied, "access/deny").await.ok();
        answers(no, "closed").await;
        assert_eq!(still.len(), 1);
        ana.claims(&open, "access/deny").await.ok();
        answers(still, "closed").await;
        assert_eq!(house.store().waiting(), 0, "nobody is remembered who does not wait any more");
        house.finish().await;
    }

    /// At once when it is decided; with its present state when the wait is over, or when nobody decides in time.
    async fn a_wait_ends_with_what_is_so(db: TestDb) {
        let house = one_lead(db).await;
        let (ana, bo) = (house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await);
        let asked = ana.asks().await;
        let mut waiting = JoinSet::new();
        wait(&ana, &asked, &mut waiting);
        waiters(&house, 1).await;
        house.clock.advance(jiff::SignedDuration::from_secs(30));
        answers(waiting, "open").await;
        let mut waiting = JoinSet::new();
        house.clock.advance(hours(24) - jiff::SignedDuration::from_secs(40));
        wait(&ana, &asked, &mut waiting);
        house.clock.advance(jiff::SignedDuration::from_secs(10));
        answers(waiting, "closed").await;
        let other = ana.asks().await;
        bo.claims(&other, "access/approve").await.ok();
        assert_eq!(phase(&ana.get(&format!("/petitions/{}?wait=30s", name(&other))).await.ok()), "granted");
        ana.get(&format!("/petitions/{}?wait=soon", name(&other))).await.refused(400, 3, "invalid_argument");
        bo.get("/petitions/nothing?wait=30s").await.refused(404, 5, "not_found");
        house.finish().await;
    }

    /// Who was told that it is open, a moment ago, spoils nothing for whoever waits until it closes itself.
    async fn each_is_told_how_it_stands_by_then(db: TestDb) {
        let house = one_lead(db).await;
        let ana = house.program("ana", &[Scope::Petition]).await;
        let asked = ana.asks().await;
        house.advance(hours(24) - seconds(50)).await;
        let (mut short, mut long) = (JoinSet::new(), JoinSet::new());
        wait(&ana, &asked, &mut short);
        wait_for(&ana, &asked, "60s", &mut long);
        waiters(&house, 2).await;
        house.clock.advance(seconds(30));
        answers(short, "open").await;
        house.clock.advance(seconds(20));
        answers(long, "closed").await;
        house.finish().await;
    }

    /// A server that stops answers everybody with what is so, and they ask the next one.
    async fn a_restart_answers_those_who_wait(db: TestDb) {
        let mut house = one_lead(db).await;
        let (ana, bo) = (house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await);
        let asked = ana.asks().await;
        let mut waiting = JoinSet::new();
        crowd(&house, &ana, &asked, 1000, &mut waiting).await;
        house.stop().await;
        answers(waiting, "open").await;
        house.start().await;
        let (mut ana, mut bo) = (ana, bo);
        (ana.bot, bo.bot) = (house.bot.clone(), house.bot.clone());
        let mut waiting = JoinSet::new();
        wait(&ana, &asked, &mut waiting);
        waiters(&house, 1).await;
        bo.claims(&asked, "access/approve").await.ok();
        answers(waiting, "granted").await;
        house.finish().await;
    }
}

/// Across replicas on PostgreSQL: who waits at one is told of what another one decides.
#[test]
fn a_decision_at_another_replica_is_heard() {
    run(Kind::Postgres, |db: TestDb| async move {
        let house = one_lead(db).await;
        let (ana, bo) = (house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await);
        let other = App::build(&house.config(), house.db.store().await, house.world()).await.unwrap();
        let (store, stop) = (other.workflow().store().clone(), CancellationToken::new());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let there = format!("http://{}", listener.local_addr().unwrap());
        let running = tokio::spawn(other.run(Some(listener), Role::Web, stop.clone()));
        let asked = ana.asks().await;
        let mut waiting = JoinSet::new();
        let elsewhere = Program { bot: there, ..ana.clone() };
        for _ in 0..100 {
            wait(&elsewhere, &asked, &mut waiting);
        }
        let mut patience = Patience::new("all wait");
        while store.waiting() < 100 {
            patience.tick().await;
        }
        bo.claims(&asked, "access/approve").await.ok();
        tokio::time::timeout(MANY, answers(waiting, "granted")).await.expect("they hear of it");
        stop.cancel();
        running.await.unwrap().unwrap();
        store.close().await;
        house.finish().await;
    });
}

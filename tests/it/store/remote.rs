//! What a remote space is owed: in order, by one process at a time, and never lost with the process that took it.

use latchkey::{
    domain::petition::ClaimKind,
    store::{Call, RemoteStream},
    workflow::{Attempt, Opened},
};

use crate::harness::{
    databases::TestDb,
    office::{Office, hours, minutes, seconds},
};

async fn asked(db: &TestDb) -> Office {
    let mut office = Office::new(db).await;
    office.workflow = office.workflow.decided_by("acme");
    let opened = office.workflow.open_petition(&office.ask("ana", "123", hours(1))).await.unwrap();
    assert!(matches!(opened, Opened::Open(_)));
    office
}

/// What is due, taken for a minute.
async fn take(office: &Office, attempt: &str) -> Option<RemoteStream> {
    let now = office.now();
    let mut due = office.store.claim_remote(now, attempt, now + minutes(1), 9).await.unwrap();
    assert!(due.len() <= 1);
    due.pop()
}

both_databases! {
    async fn what_a_dead_process_had_begun_may_have_been_heard(db: TestDb) {
        let office = asked(&db).await;
        let first = take(&office, "one").await.unwrap();
        assert!(!first.unsure, "nobody has tried before");
        assert_eq!(take(&office, "two").await, None, "it is somebody's");
        office.clock.advance(minutes(1));
        let second = take(&office, "two").await.unwrap();
        assert!(second.unsure && second.attempts == 2);
        // The first one wakes up, and is not believed any more.
        let call = office.store.first_call(&first.petition).await.unwrap().unwrap();
        office.workflow.remote_created(Attempt { stream: &first, id: "one" }, &call, "aaaa").await.unwrap();
        let truth = office.store.remote_truth(&first.petition).await.unwrap().unwrap();
        assert_eq!((truth.stream.remote_name, truth.owed.map(|owed| owed.call)), (None, Some(Call::Create)));
        office.workflow.remote_created(Attempt { stream: &second, id: "two" }, &call, "bbbb").await.unwrap();
        let truth = office.store.remote_truth(&first.petition).await.unwrap().unwrap();
        assert_eq!((truth.stream.remote_name.as_deref(), truth.owed, truth.stream.unsure), (Some("bbbb"), None, false));
        assert_eq!(office.record_of(&first.petition).await, ["petition.opened", "space.told"]);
    }

    async fn a_space_that_is_away_is_not_asked_sooner_because_more_is_owed(db: TestDb) {
        let office = asked(&db).await;
        let stream = take(&office, "one").await.unwrap();
        let failed = Attempt { stream: &stream, id: "one" };
        office.workflow.remote_failed(failed, "no answer in time", true, Some(seconds(30))).await.unwrap();
        office.workflow.approve(&office.review(&stream.petition, "bo")).await.unwrap();
        office.workflow.approve(&office.review(&stream.petition, "bo")).await.unwrap();
        assert_eq!(take(&office, "two").await, None);
        assert_eq!(office.store.space_away_since().await.unwrap(), Some(office.now()));
        office.clock.advance(seconds(30));
        let stream = take(&office, "two").await.unwrap();
        assert!(stream.unsure, "it may have heard");
        let call = office.store.first_call(&stream.petition).await.unwrap().unwrap();
        assert_eq!(call.call, Call::Create);
        office.workflow.remote_created(Attempt { stream: &stream, id: "two" }, &call, "aaaa").await.unwrap();
        assert_eq!(office.store.space_away_since().await.unwrap(), None);
        let stream = take(&office, "three").await.unwrap();
        let call = office.store.first_call(&stream.petition).await.unwrap().unwrap();
        assert_eq!((call.call, call.actor.as_str()), (Call::Claim(ClaimKind::Approve), "bo@acme.test"));
        office.workflow.remote_claimed(Attempt { stream: &stream, id: "three" }, &call, None).await.unwrap();
        assert_eq!(office.store.first_call(&stream.petition).await.unwrap(), None, "one claim is told once");
        assert_eq!(office.store.backlog(office.now()).await.unwrap().untold, 0);
    }
}

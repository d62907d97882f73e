//! From the question to the lease and its end: who may decide, and what follows for the access.

use std::sync::Arc;

use latchkey::{
    domain::{
        event::Wanted,
        id::SlackUserId,
        lease::EndCause,
        petition::{ClaimKind, CloseReason, Grant, Petition, PetitionState},
    },
    policy::Policy,
    store::Provisioning,
    workflow::{Error, Opened, Reviewed, Truth},
};

use crate::harness::{
    databases::TestDb,
    office::{Office, email, hours, minutes, morning, policy},
};

/// Ana is a reviewer too.
fn with_ana(needed: usize) -> Policy {
    let mut policy = policy(needed);
    policy.groups.get_mut("leads").unwrap().insert(email("ana"));
    policy
}

async fn state(office: &Office, petition: &Petition) -> PetitionState {
    office.store.petition(&petition.name).await.unwrap().unwrap().state
}

/// What production is to be told of the access behind a petition.
async fn told(office: &Office, petition: &Petition) -> Provisioning {
    let lease = office.store.lease_of(&petition.name).await.unwrap().unwrap();
    office.store.provisionings(&lease.access).await.unwrap().remove(0)
}

both_databases! {
    async fn an_approved_petition_gives_access_from_then_until_its_end(db: TestDb) {
        let office = Office::new(&db).await;
        let petition = office.open("ana", "123", hours(4)).await;
        assert!(!office.may("ana", "123").await, "asking gives nothing");
        office.clock.advance(hours(1));
        let reviewed = office.workflow.approve(&office.review(&petition.name, "bo")).await.unwrap();
        let end = morning() + hours(5);
        assert!(matches!(reviewed, Reviewed::Granted { until, shortened: false, .. } if until == end), "{reviewed:?}");
        let granted = PetitionState::Granted { at: morning() + hours(1), by: vec![email("bo")], until: end };
        assert_eq!(state(&office, &petition).await, granted, "the clock starts at the approval");
        match office.check("ana", "123").await {
            Truth::Allowed(held) => assert_eq!((held.petition.as_str(), held.expires_at), (petition.name.as_str(), end)),
            Truth::Denied => panic!("denied"),
        }
        assert!(!office.may("ana", "124").await);
        assert!(!office.may("bo", "123").await);
        let news = told(&office, &petition).await;
        assert_eq!((news.wanted, news.wanted_version, news.event.expires_at), (Wanted::Grant, 1, end));
        assert_eq!((news.event.petition.as_str(), news.event.actor.as_str()), (petition.name.as_str(), "bo@acme.test"));

        office.clock.advance(hours(4));
        assert!(!office.may("ana", "123").await, "over at its end, though nobody has ended it yet");
        office.expire().await;
        let closed = PetitionState::Closed { at: end, why: CloseReason::Expired, granted: Some(Grant { at: morning() + hours(1), by: vec![email("bo")], until: end }) };
        assert_eq!(state(&office, &petition).await, closed);
        let news = told(&office, &petition).await;
        assert_eq!((news.wanted, news.wanted_version, news.event.actor.as_str()), (Wanted::Revoke, 2, "system"));
        let words = office.record_of(&petition.name).await;
        let wanted = [
            "petition.opened", "claim.made", "petition.granted", "lease.began", "access.began", "petition.closed",
            "lease.ended", "access.ended",
        ];
        assert_eq!(words, wanted);
    }

    async fn the_end_of_one_lease_leaves_the_other(db: TestDb) {
        let office = Office::new(&db).await;
        let (short, _) = office.grant("ana", "123", hours(2)).await;
        let (long, _) = office.grant("ana", "123", hours(4)).await;
        let news = told(&office, &short).await;
        assert_eq!((news.wanted_version, news.event.expires_at), (2, morning() + hours(4)), "told of the longer end");
        office.clock.advance(hours(2));
        office.expire().await;
        assert_eq!(told(&office, &short).await.wanted_version, 2, "nothing to tell: the end has not moved");
        assert!(matches!(state(&office, &short).await, PetitionState::Closed { .. }));
        assert!(matches!(state(&office, &long).await, PetitionState::Granted { .. }));
        assert!(office.may("ana", "123").await);
        office.clock.advance(hours(2));
        office.expire().await;
        assert_eq!(told(&office, &long).await.wanted, Wanted::Revoke);
    }

    async fn giving_back_the_longer_lease_leaves_the_shorter(db: TestDb) {
        let office = Office::new(&db).await;
        let (short, _) = office.grant("ana", "123", hours(2)).await;
        let (long, _) = office.grant("ana", "123", hours(4)).await;
        let result = office.workflow.give_back(&office.review(&long.name, "bo")).await;
        assert!(matches!(result, Err(Error::Forbidden(_))), "only its holder: {result:?}");
        office.workflow.give_back(&office.review(&long.name, "ana")).await.unwrap();
        let news = told(&office, &short).await;
        assert_eq!((news.wanted, news.wanted_version), (Wanted::Grant, 3));
        assert_eq!((news.event.expires_at, news.event.petition.as_str()), (morning() + hours(2), short.name.as_str()));
        assert!(office.may("ana", "123").await);
        office.clock.advance(minutes(1));
        office.workflow.give_back(&office.review(&short.name, "ana")).await.unwrap();
        assert!(!office.may("ana", "123").await);
        let news = told(&office, &short).await;
        assert_eq!((news.wanted, news.event.petition.as_str()), (Wanted::Revoke, short.name.as_str()));
        let again = office.workflow.give_back(&office.review(&short.name, "ana")).await;
        assert!(matches!(again, Err(Error::WrongState(_))), "{again:?}");
    }

    async fn asking_again_before_the_end_leaves_no_gap(db: TestDb) {
        let office = Office::new(&db).await;
        let (first, until) = office.grant("ana", "123", hours(2)).await;
        office.clock.advance(hours(2) - minutes(1));
        let (second, _) = office.grant("ana", "123", hours(2)).await;
        office.clock.advance(minutes(1));
        assert_eq!(office.now(), until);
        assert!(office.may("ana", "123").await);
        office.expire().await;
        assert!(office.may("ana", "123").await);
        let news = told(&office, &second).await;
        assert_eq!((news.wanted, news.wanted_version), (Wanted::Grant, 2), "one grant with the new end, and no revoke");
        let ended = office.store.lease_of(&first.name).await.unwrap().unwrap().ended;
        assert_eq!(ended, Some((until, EndCause::Expired)));
    }

    async fn a_revoke_denies_at_once(db: TestDb) {
        let office = Office::new(&db).await;
        let (petition, _) = office.grant("ana", "123", hours(4)).await;
        let mut review = office.review(&petition.name, "cy");
        review.note = "wrong customer".to_owned();
        office.workflow.revoke(&review).await.unwrap();
        assert!(!office.may("ana", "123").await);
        assert_eq!(told(&office, &petition).await.wanted, Wanted::Revoke);
        let why = CloseReason::Revoked { by: Some(email("cy")), note: "wrong customer".to_owned() };
        let closed = PetitionState::Closed { at: morning(), why, granted: Some(Grant { at: morning(), by: vec![email("bo")], until: morning() + hours(4) }) };
        assert_eq!(state(&office, &petition).await, closed);
        let again = office.workflow.revoke(&review).await;
        assert!(matches!(again, Err(Error::WrongState(_))), "{again:?}");
    }

    async fn approving_from_many_sides_at_once_grants_once(db: TestDb) {
        let office = Office::new(&db).await;
        for _ in 0..5 {
            let petition = office.open("ana", "123", hours(4)).await;
            let approving: Vec<_> = ["bo", "cy", "dan", "bo", "cy", "dan"]
                .into_iter()
                .map(|who| {
                    let (office, review) = (office.clone(), office.review(&petition.name, who));
                    tokio::spawn(async move { office.workflow.approve(&review).await })
                })
                .collect();
            let mut granted = 0;
            for one in approving {
                match one.await.unwrap() {
                    Ok(Reviewed::Granted { .. }) => granted += 1,
                    Err(Error::WrongState(now)) => assert!(matches!(now.state, PetitionState::Granted { .. })),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(granted, 1);
            let words = office.record_of(&petition.name).await;
            let count = |word: &str| words.iter().filter(|other| *other == word).count();
            assert_eq!((count("petition.granted"), count("lease.began"), count("claim.made")), (1, 1, 1), "{words:?}");
        }
    }

    async fn two_who_approve_at_once_where_two_are_needed_grant_once(db: TestDb) {
        let office = Office::with(&db, policy(2)).await;
        for _ in 0..5 {
            let petition = office.open("ana", "123", hours(4)).await;
            let approving: Vec<_> = ["bo", "cy"]
                .into_iter()
                .map(|who| {
                    let (office, review) = (office.clone(), office.review(&petition.name, who));
                    tokio::spawn(async move { office.workflow.approve(&review).await.unwrap() })
                })
                .collect();
            let (mut counted, mut granted) = (0, 0);
            for one in approving {
                match one.await.unwrap() {
                    Reviewed::Counted(_) => counted += 1,
                    Reviewed::Granted { petition, .. } => {
                        granted += 1;
                        let by = [email("bo"), email("cy")];
                        let both = matches!(&petition.state, PetitionState::Granted { by: who, .. }
                            if by.iter().all(|one| who.contains(one)));
                        assert!(both, "{:?}", petition.state);
                    }
                    other @ Reviewed::Closed(_) => panic!("{other:?}"),
                }
            }
            assert_eq!((counted, granted), (1, 1));
        }
    }

    async fn one_person_never_counts_for_two(db: TestDb) {
        let office = Office::with(&db, policy(2)).await;
        let petition = office.open("ana", "123", hours(4)).await;
        for account in ["UBO", "UBO", "UBO2"] {
            let mut review = office.review(&petition.name, "bo");
            review.maker.facts.slack = Some(SlackUserId::new(account));
            let reviewed = office.workflow.approve(&review).await.unwrap();
            assert!(matches!(reviewed, Reviewed::Counted(_)), "{account}: {reviewed:?}");
        }
        assert!(!office.may("ana", "123").await);
        assert_eq!(office.store.claims(&petition.name).await.unwrap().len(), 1);
    }

    async fn an_earlier_approval_counts_only_while_its_maker_has_the_right(db: TestDb) {
        let office = Office::with(&db, policy(2)).await;
        let petition = office.open("ana", "123", hours(4)).await;
        office.workflow.approve(&office.review(&petition.name, "bo")).await.unwrap();
        let mut unknown = office.review(&petition.name, "cy");
        unknown.known.clear();
        let result = office.workflow.approve(&unknown).await;
        assert!(matches!(result, Err(Error::FactsMissing)), "{result:?}");
        assert_eq!(office.store.claims(&petition.name).await.unwrap().len(), 1, "nothing was stored");
        let mut guest = office.review(&petition.name, "cy");
        for facts in &mut guest.known {
            facts.full_member = facts.email != email("bo");
        }
        let reviewed = office.workflow.approve(&guest).await.unwrap();
        assert!(matches!(reviewed, Reviewed::Counted(_)), "Bo has lost the right: {reviewed:?}");
        let reviewed = office.workflow.approve(&office.review(&petition.name, "dan")).await.unwrap();
        assert!(matches!(reviewed, Reviewed::Granted { .. }), "{reviewed:?}");
    }

    async fn nobody_approves_their_own_petition(db: TestDb) {
        let office = Office::with(&db, with_ana(1)).await;
        let petition = office.open("ana", "123", hours(4)).await;
        let mut second_account = office.review(&petition.name, "ana");
        second_account.maker.facts.slack = Some(SlackUserId::new("UOTHER"));
        second_account.maker.facts.email = "ANA@Acme.test".to_owned().try_into().unwrap();
        for review in [office.review(&petition.name, "ana"), second_account] {
            let result = office.workflow.approve(&review).await;
            assert!(matches!(result, Err(Error::Forbidden(_))), "{result:?}");
        }
        assert!(!office.may("ana", "123").await);
        assert!(office.store.claims(&petition.name).await.unwrap().is_empty(), "what was refused is no claim");
        let reviewed = office.workflow.approve(&office.review(&petition.name, "bo")).await.unwrap();
        assert!(matches!(reviewed, Reviewed::Granted { .. }));
    }

    async fn only_reviewers_decide(db: TestDb) {
        let office = Office::new(&db).await;
        let petition = office.open("bo", "123", hours(4)).await;
        let review = office.review(&petition.name, "ana");
        for result in [office.workflow.approve(&review).await, office.workflow.deny(&review).await] {
            assert!(matches!(result, Err(Error::Forbidden(_))), "{result:?}");
        }
        office.workflow.approve(&office.review(&petition.name, "cy")).await.unwrap();
        let result = office.workflow.revoke(&review).await;
        assert!(matches!(result, Err(Error::Forbidden(_))), "{result:?}");
        assert!(office.may("bo", "123").await);
        let nothing = office.review(&latchkey::domain::id::PetitionName::new("none"), "bo");
        let result = office.workflow.approve(&nothing).await;
        assert!(matches!(result, Err(Error::NoSuchPetition(_))), "{result:?}");
    }

    /// Whether or not the worker has closed it by then.
    async fn after_its_time_nobody_decides_it_in_any_way(db: TestDb) {
        let office = Office::new(&db).await;
        let petition = office.open("ana", "123", hours(4)).await;
        office.clock.advance(hours(24));
        let review = office.review(&petition.name, "bo");
        let withdrawn = office.workflow.withdraw(&office.review(&petition.name, "ana")).await;
        for error in [
            office.workflow.approve(&review).await.unwrap_err(),
            office.workflow.deny(&review).await.unwrap_err(),
            withdrawn.unwrap_err(),
        ] {
            let Error::WrongState(found) = error else { panic!("{error:?}") };
            assert!(matches!(found.state, PetitionState::Closed { why: CloseReason::Undecided, .. }), "{found:?}");
        }
        assert_eq!(state(&office, &petition).await, PetitionState::Open, "closing it is the worker's");
        office.workflow.close_undecided().await.unwrap();
        assert_eq!(office.record_of(&petition.name).await, ["petition.opened", "petition.undecided"]);
    }

    async fn what_was_decided_stays_decided(db: TestDb) {
        let office = Office::new(&db).await;
        let wrong_state = |result: &Result<Reviewed, Error>| matches!(result, Err(Error::WrongState(_)));
        let denied = office.open("ana", "123", hours(4)).await;
        let mut review = office.review(&denied.name, "bo");
        review.note = "not today".to_owned();
        office.workflow.deny(&review).await.unwrap();
        let why = CloseReason::Denied { by: email("bo"), note: "not today".to_owned() };
        assert_eq!(state(&office, &denied).await, PetitionState::Closed { at: morning(), why, granted: None });
        let withdrawn = office.open("ana", "123", hours(4)).await;
        let result = office.workflow.withdraw(&office.review(&withdrawn.name, "bo")).await;
        assert!(matches!(result, Err(Error::Forbidden(_))), "{result:?}");
        office.workflow.withdraw(&office.review(&withdrawn.name, "ana")).await.unwrap();
        for petition in [&denied, &withdrawn] {
            let review = office.review(&petition.name, "cy");
            assert!(wrong_state(&office.workflow.approve(&review).await));
            assert!(wrong_state(&office.workflow.deny(&review).await));
            assert!(wrong_state(&office.workflow.revoke(&review).await));
            assert!(office.workflow.give_back(&office.review(&petition.name, "ana")).await.is_err());
        }
        let (granted, _) = office.grant("ana", "124", hours(4)).await;
        assert!(wrong_state(&office.workflow.deny(&office.review(&granted.name, "cy")).await));
        assert!(office.workflow.withdraw(&office.review(&granted.name, "ana")).await.is_err());
        assert!(!office.may("ana", "123").await && office.may("ana", "124").await);
    }

    async fn what_the_policy_refuses_is_on_record_and_asks_nobody(db: TestDb) {
        let office = Office::new(&db).await;
        let ask = office.ask("ana", "123", hours(25));
        let Opened::Refused(petition, because) = office.workflow.open_petition(&ask).await.unwrap() else {
            panic!("not refused")
        };
        assert!(because.contains("24h"), "{because}");
        let why = CloseReason::Refused { because };
        assert_eq!(state(&office, &petition).await, PetitionState::Closed { at: morning(), why, granted: None });
        assert_eq!(office.record_of(&petition.name).await, ["petition.refused"]);
        assert_eq!(office.store.backlog(morning()).await.unwrap().unsent_messages, 0, "no card is sent");
        let mut ask = office.ask("ana", "123", hours(1));
        ask.reason = "hm".to_owned();
        let result = office.workflow.open_petition(&ask).await;
        assert!(matches!(result, Err(Error::Invalid(_))), "{result:?}");
        assert_eq!(office.record().await.len(), 1, "what was incomplete leaves no petition");
    }

    async fn a_shorter_maximum_of_today_shortens_the_grant(db: TestDb) {
        let office = Office::new(&db).await;
        let petition = office.open("ana", "123", hours(4)).await;
        let mut today = policy(1);
        today.rules[0].max_duration = Some(hours(1));
        let mut stricter = office.clone();
        stricter.workflow = latchkey::workflow::Workflow::new(
            office.store.clone(),
            Arc::new(today),
            Arc::new(office.clock.clone()),
            Arc::new(crate::harness::office::CountingEntropy),
            Vec::new(),
        );
        let reviewed = stricter.workflow.approve(&office.review(&petition.name, "bo")).await.unwrap();
        let end = morning() + hours(1);
        assert!(matches!(reviewed, Reviewed::Granted { until, shortened: true, .. } if until == end), "{reviewed:?}");
    }

    async fn the_story_of_a_petition_tells_what_is_so(db: TestDb) {
        let office = Office::with(&db, policy(2)).await;
        let petition = office.open("ana", "123", hours(4)).await;
        office.workflow.approve(&office.review(&petition.name, "bo")).await.unwrap();
        let story = office.workflow.story(&petition.name).await.unwrap();
        assert_eq!((story.needed, story.claims.len(), story.lease, story.provisionings.len()), (2, 1, None, 0));
        assert_eq!((story.claims[0].kind, &story.claims[0].maker.email), (ClaimKind::Approve, &email("bo")));
        office.workflow.approve(&office.review(&petition.name, "cy")).await.unwrap();
        let story = office.workflow.story(&petition.name).await.unwrap();
        assert_eq!(story.claims.len(), 2);
        assert_eq!(story.lease.unwrap().expires_at, morning() + hours(4));
        assert_eq!(story.provisionings[0].word(), "pending");
    }
}

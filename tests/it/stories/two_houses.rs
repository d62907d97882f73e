//! Two Latchkeys: what is asked in the one is decided in the other, over nothing but their HTTP.

use latchkey::http::auth::Scope;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpSocket;

use crate::harness::{
    databases::TestDb,
    house::{ANA, BO, CHANNEL, COMMAND, CY, FILE, House, WEBHOOK_SECRET, file_with},
    office::{hours, minutes, seconds},
};

/// Where people ask, and where it is decided.
struct Street {
    near: House,
    far: House,
    _ports: [TcpSocket; 2],
}

/// A port that nobody else is given while the socket is there, and that a house can listen at all the same.
fn reserved() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

impl Street {
    async fn new(db: TestDb) -> Self {
        Self::with(db, FILE).await
    }

    /// With the rules of the house that decides.
    async fn with(db: TestDb, rules: &str) -> Self {
        let ((near_socket, near_port), (far_socket, far_port)) = (reserved(), reserved());
        let rules = rules.split("[[provisioner]]").next().unwrap();
        let provisioner = file_with(&format!(
            "[[provisioner]]\nname = \"near\"\nkind = \"webhook\"\nsecret = \"{WEBHOOK_SECRET}\"\n\
             url = \"http://127.0.0.1:{near_port}/webhooks/indent\"\n"
        ));
        let provisioner = provisioner.split_once("[[provisioner]]").unwrap().1;
        let far = House::plan(db.at(db.another().await))
            .file(&format!("{rules}[[provisioner]]{provisioner}"))
            // Its customers come from the other house alone.
            .env("CUSTOMERS_DATABASE_URL", "")
            .port(far_port)
            .build()
            .await;
        let token = far.token_of("near", &[Scope::Admin, Scope::Delegate], None).await;
        let near = House::plan(db)
            .env("INDENT_API_URL", &format!("{}/v1", far.bot))
            .env("INDENT_API_TOKEN", &token)
            .clock(&far.clock)
            .port(near_port)
            .build()
            .await;
        let street = Self { near, far, _ports: [near_socket, far_socket] };
        street.settle().await;
        street
    }

    async fn settle(&self) {
        for _ in 0..3 {
            self.near.settle().await;
            self.far.settle().await;
        }
    }

    async fn advance(&self, by: jiff::SignedDuration) {
        self.near.clock.advance(by);
        self.settle().await;
    }

    /// Both say the same.
    async fn allow(&self) -> bool {
        let (near, far) = (self.near.allows("ana", "123").await, self.far.allows("ana", "123").await);
        assert_eq!(near, far);
        near
    }

    async fn asks(&self, words: &str) {
        let answer = self.near.types(ANA, words).await;
        assert_eq!(answer.problem, None, "{}", answer.text());
        self.settle().await;
    }

    async fn finish(self) {
        self.settle().await;
        self.near.finish().await;
        self.far.finish().await;
    }
}

both_databases! {
    async fn asked_here_decided_there_given_back_here(db: TestDb) {
        let street = Street::new(db).await;
        street.asks(COMMAND).await;
        assert!(street.near.reads(ANA).contains("The space “default” decides"), "{}", street.near.reads(ANA));
        assert_eq!(street.far.recorded("petition.opened").await, 1);
        assert!(!street.allow().await);
        street.near.press(BO, "Approve").await;
        street.settle().await;
        assert!(street.allow().await);
        let until = (street.near.now() + hours(4)).to_string();
        assert_eq!(street.near.check("ana", "123").await.1["expires_at"], until);
        assert!(street.near.production.allows("ana@acme.test", "123"));
        assert!(street.near.reads(ANA).contains("approved by bo"), "{}", street.near.reads(ANA));
        street.near.press(ANA, "I'm done").await;
        assert!(!street.near.allows("ana", "123").await);
        street.settle().await;
        assert!(!street.allow().await);
        assert!(!street.near.production.allows("ana@acme.test", "123"));
        assert_eq!(street.near.recorded("access.ended").await, 1);
        street.finish().await;
    }

    async fn what_is_decided_there_by_others_holds_here(db: TestDb) {
        let street = Street::new(db).await;
        street.asks(COMMAND).await;
        street.far.press(CY, "Approve").await;
        street.settle().await;
        assert!(street.allow().await);
        street.far.press(CY, "Revoke").await;
        street.settle().await;
        assert!(!street.allow().await);
        assert!(street.near.reads(ANA).contains("cy@acme.test revoked your access"), "{}", street.near.reads(ANA));
        street.finish().await;
    }

    async fn a_house_that_was_away_is_asked_once(db: TestDb) {
        let mut street = Street::new(db).await;
        street.far.stop().await;
        let answer = street.near.types(ANA, COMMAND).await;
        assert!(answer.text().contains("on its way"), "{}", answer.text());
        street.near.settle().await;
        assert!(street.near.reads(ANA).contains("has not answered"), "{}", street.near.reads(ANA));
        street.near.press(BO, "Approve").await;
        street.near.advance(minutes(3)).await;
        street.far.start().await;
        street.advance(seconds(61)).await;
        assert_eq!(street.far.recorded("petition.opened").await, 1);
        assert!(street.allow().await);
        street.finish().await;
    }

    async fn an_end_that_nobody_tells_comes_all_the_same(db: TestDb) {
        let mut street = Street::new(db).await;
        street.asks(COMMAND).await;
        street.near.press(BO, "Approve").await;
        street.settle().await;
        street.far.stop().await;
        street.near.advance(hours(4)).await;
        assert!(!street.near.allows("ana", "123").await);
        street.far.start().await;
        street.advance(seconds(61)).await;
        assert!(!street.allow().await);
        street.finish().await;
    }

    /// The other house tells accesses, not leases: here each petition still ends when it ends there.
    async fn two_petitions_for_one_customer_end_each_in_its_time(db: TestDb) {
        let street = Street::new(db).await;
        street.asks("customer 123 for 2h to debug BUG-1").await;
        street.near.press(BO, "Approve").await;
        street.settle().await;
        street.asks("customer 123 for 6h to debug BUG-2").await;
        street.near.press(BO, "Approve").await;
        street.settle().await;
        let start = street.near.now();
        let end = async || street.near.check("ana", "123").await.1["expires_at"].as_str().map(str::to_owned);
        assert_eq!(end().await, Some((start + hours(6)).to_string()));
        // The longer one is revoked there: what is left is the shorter, at once.
        street.far.press_in(CY, CHANNEL, "Revoke").await;
        street.settle().await;
        assert_eq!(end().await, Some((start + hours(2)).to_string()));
        street.advance(seconds(61)).await;
        assert_eq!(end().await, Some((start + hours(2)).to_string()));
        street.advance(hours(2)).await;
        assert!(!street.allow().await);
        assert!(!street.near.production.allows("ana@acme.test", "123"));
        street.finish().await;
    }

    async fn a_petition_takes_the_place_of_another_in_both(db: TestDb) {
        let street = Street::new(db).await;
        street.asks("customer 123 for 2h to debug BUG-1").await;
        street.near.press(BO, "Approve").await;
        street.settle().await;
        let first = street.near.check("ana", "123").await.1["petition"].as_str().unwrap().to_owned();
        let ana = street.near.program("ana", &[Scope::Petition]).await;
        let body = json!({ "petition": {
            "reason": "debug BUG-1 on", "resources": [{ "kind": "customer", "id": "123" }],
            "meta": { "labels": { "PetitionReplaces": first, "indent.com/petition/duration": "6h0m0s" } },
        } });
        assert_eq!(ana.call(Method::POST, "/petitions", Some(body)).await.status, 200);
        street.settle().await;
        street.near.press(BO, "Approve").await;
        street.settle().await;
        street.advance(seconds(61)).await;
        assert!(street.allow().await);
        for house in [&street.near, &street.far] {
            let (_, check) = house.check("ana", "123").await;
            assert_ne!(check["petition"].as_str(), Some(&*first));
            assert_eq!(house.store().open_leases(house.now(), "", "", "", 9).await.unwrap().len(), 1);
        }
        assert_eq!(street.near.applied(), ["access/grant", "access/grant"], "extending leaves no gap");
        street.finish().await;
    }

    /// The other house is told what it replaces, and there is no gap in either.
    async fn an_extension_is_one_in_both(db: TestDb) {
        let street = Street::new(db).await;
        street.asks("customer 123 for 2h to debug BUG-1").await;
        street.near.press(BO, "Approve").await;
        street.settle().await;
        let old_end = street.near.now() + hours(2);
        let said = street.near.types(ANA, "extend 123 by 1h because BUG-1 goes on").await;
        assert!(said.text().contains("Waiting for approval"), "{}", said.text());
        street.settle().await;
        assert!(street.near.reads(BO).contains("asks to extend access to AcmeCorp (123) by 1h"), "{}", street.near.reads(BO));
        street.near.press(BO, "Approve").await;
        street.settle().await;
        street.advance(seconds(61)).await;
        for house in [&street.near, &street.far] {
            let (_, check) = house.check("ana", "123").await;
            assert_eq!(check["expires_at"], (old_end + hours(1)).to_string());
            assert_eq!(house.store().open_leases(house.now(), "", "", "", 9).await.unwrap().len(), 1);
        }
        assert_eq!(street.near.applied(), ["access/grant", "access/grant"]);
        street.finish().await;
    }

    async fn who_is_no_reviewer_there_decides_nothing(db: TestDb) {
        let strict = FILE.replace(r#"leads = ["bo@acme.test", "cy@acme.test"]"#, r#"leads = ["cy@acme.test"]"#);
        let street = Street::with(db, &strict).await;
        street.asks(COMMAND).await;
        street.near.press(BO, "Approve").await;
        street.settle().await;
        assert!(!street.allow().await);
        assert!(street.near.reads(ANA).contains("bo approved, but the space “default” did not take it"), "{}", street.near.reads(ANA));
        street.near.press(CY, "Approve").await;
        street.settle().await;
        assert!(street.allow().await);
        street.finish().await;
    }

    async fn what_the_other_house_refuses_is_refused_here_with_its_words(db: TestDb) {
        let strict = FILE.replace(r#"max_duration = "8h""#, r#"max_duration = "1h""#);
        let street = Street::with(db, &strict).await;
        street.asks(COMMAND).await;
        let reads = street.near.reads(ANA);
        assert!(reads.contains("was refused") && reads.contains("1h"), "{reads}");
        assert!(!street.allow().await);
        street.finish().await;
    }
}

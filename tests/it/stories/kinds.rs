//! Several webhooks: each is told about the kinds and labels that it names, in Indent's words.

use std::collections::BTreeMap;

use latchkey::{
    audit::Via,
    domain::{
        person::Email,
        petition::{ClaimKind, Petition},
        resource::Resource,
    },
    workflow::{Ask, Freshness, NewClaim, Opened, Repeat, Subject, Wish},
};
use serde_json::{Value, json};

use crate::harness::{
    databases::TestDb,
    hook::Hook,
    house::{ANA, BO, COMMAND, House, file_with},
    office::hours,
};

fn provisioner(name: &str, hook: &Hook, more: &str) -> String {
    format!("[[provisioner]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"s\"\n{more}\n", hook.url)
}

fn vault(labels: &[(&str, &str)]) -> Resource {
    Resource {
        kind: "acme.v1.Vault".to_owned(),
        id: "eu/1".to_owned(),
        display_name: "Vault one".to_owned(),
        labels: labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        ..Resource::default()
    }
}

async fn asks(house: &House, resource: Resource, labels: &[(&str, &str)]) -> Petition {
    let ana = Email::parse("ana@acme.test").unwrap();
    let petitioner = house.workflow().actor(&ana, "Ana", &Default::default(), Freshness::Now).await.unwrap();
    let ask = Ask {
        filed_by: ana,
        for_other: None,
        petitioner,
        subject: Subject::Other(resource),
        role: None,
        length: Wish::Default,
        until: None,
        reason: "debug BUG-482".to_owned(),
        labels: labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        repeat: Repeat::Never,
        slack_groups: BTreeMap::new(),
        signature: None,
        via: Via::Worker,
    };
    let Opened::Open(petition) = house.workflow().open_petition(&ask).await.unwrap() else { panic!("not opened") };
    petition
}

async fn bo_approves(house: &House, petition: &Petition) {
    let claim = NewClaim {
        petition: petition.name.clone(),
        kind: ClaimKind::Approve,
        maker: Email::parse("bo@acme.test").unwrap(),
        delegate: None,
        note: String::new(),
        length: None,
        labels: Default::default(),
        via: Via::Worker,
    };
    house.workflow().post_claim(&claim).await.unwrap();
    house.settle().await;
}

/// Event and resource of everything that was told.
fn told(hook: &Hook) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let last = |body: &Value| body["events"].as_array().unwrap().last().unwrap().clone();
    let events = hook.asked().into_iter().map(|asked| last(&asked.json()));
    events
        .map(|one| (text(&one["event"]), text(&one["resources"][1]["kind"]), text(&one["resources"][1]["id"])))
        .collect()
}

fn line(event: &str, kind: &str, id: &str) -> (String, String, String) {
    (format!("access/{event}"), kind.to_owned(), id.to_owned())
}

both_databases! {
    async fn each_webhook_is_told_about_its_kinds_and_labels(db: TestDb) {
        let fine = json!({ "status": {} });
        let [usual, vaults, both, asia, dry] = [
            Hook::saying(fine.clone()).await, Hook::saying(fine.clone()).await, Hook::saying(fine.clone()).await,
            Hook::saying(fine.clone()).await, Hook::saying(fine).await,
        ];
        let file = [
            provisioner("usual", &usual, ""),
            provisioner("vaults", &vaults, "kinds = [\"acme.v1.Vault\"]"),
            provisioner("both", &both, "kinds = [\"customer\", \"acme.v1.Vault\"]\nheaders = { x-team = \"it\" }"),
            provisioner("asia", &asia, "kinds = [\"customer\", \"acme.v1.Vault\"]\nmatch = { region = \"asia\" }"),
            provisioner("dry", &dry, "kinds = [\"acme.v1.Vault\"]\ndry_run = true"),
        ];
        let house = House::plan(db).file(&file_with(&file.join("\n"))).build().await;
        assert_eq!(house.types(ANA, COMMAND).await.problem, None);
        house.settle().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        let customer = |event: &str| line(event, "customer", "123");
        assert_eq!((told(&usual), told(&vaults), told(&both)), (vec![customer("grant")], vec![], vec![customer("grant")]));

        let petition = asks(&house, vault(&[("region", "eu"), ("7", "x")]), &[]).await;
        bo_approves(&house, &petition).await;
        house.advance(hours(5)).await;
        let of_vault = |event: &str| line(event, "acme.v1.Vault", "eu/1");
        assert_eq!(told(&usual), [customer("grant"), customer("revoke")]);
        assert_eq!(told(&vaults), [of_vault("grant"), of_vault("revoke")]);
        assert_eq!(told(&both).len(), 4);
        assert!(told(&asia).is_empty() && told(&dry).is_empty());
        assert!(both.asked().iter().all(|asked| asked.header("x-team") == "it"));
        assert!(vaults.asked().iter().all(|asked| asked.header("x-team").is_empty()));
        // Production is never told by a check that a resource of another kind is a customer.
        assert!(!house.allows("ana", "eu/1").await);

        let petition = asks(&house, vault(&[("region", "asia")]), &[]).await;
        bo_approves(&house, &petition).await;
        assert_eq!(told(&asia), [of_vault("grant")]);
        house.finish().await;
    }

    /// Petitioner first, then the resource; the petition's earlier events before the one that is to be applied.
    async fn a_resource_of_another_kind_is_told_as_it_was_given(db: TestDb) {
        let hook = Hook::saying(json!({})).await;
        let file = file_with(&provisioner("vaults", &hook, "kinds = [\"acme.v1.Vault\"]"));
        let house = House::plan(db).file(&file).build().await;
        let petition = asks(&house, vault(&[("region", "eu"), ("7", "x")]), &[]).await;
        bo_approves(&house, &petition).await;
        let ana = r#"{"kind":"user","id":"ana@acme.test","email":"ana@acme.test"}"#;
        let bo = r#"{"kind":"user","id":"bo@acme.test","email":"bo@acme.test"}"#;
        let vault = r#"{"kind":"acme.v1.Vault","id":"eu/1","displayName":"Vault one","labels":{"region":"eu"}}"#;
        let (at, reason) = (r#""timestamp":"2026-03-02T09:00:00Z""#, r#""reason":"debug BUG-482""#);
        let name = &petition.name;
        let asked = hook.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].body, format!(
            r#"{{"events":[{{"event":"access/request",{at},"actor":{ana},{reason},"resources":[{ana},{vault}]}},{{"event":"access/approve",{at},"actor":{bo},"resources":[{ana},{vault}]}},{{"event":"access/grant",{at},"actor":{bo},{reason},"resources":[{ana},{vault}],"meta":{{"labels":{{"indent.com/petition":"{name}","indent.com/time/duration":"4h0m0s","indent.com/time/expires":"2026-03-02T13:00:00Z","latchkey/version":"1","petition":"{name}"}}}}}}]}}"#
        ));
        house.finish().await;
    }

    /// The petition's own labels come back to the bot; ours cannot be forged with them.
    async fn a_bot_is_asked_about_its_kinds_with_the_labels_of_the_petition(db: TestDb) {
        let approves = json!({ "claims": [{ "event": "access/approve" }] });
        let [vaults, customers, asia] = [Hook::saying(approves.clone()).await, Hook::saying(approves.clone()).await, Hook::saying(approves).await];
        let decision = |name: &str, hook: &Hook, more: &str| {
            format!("[[decision]]\nname = \"{name}\"\nbot = \"bot@acme.test\"\nurl = \"{}\"\nsecret = \"s\"\n{more}\n", hook.url)
        };
        let decisions = [
            decision("vaults", &vaults, "kinds = [\"acme.v1.Vault\"]\nmatch = { region = \"eu\" }"),
            decision("customers", &customers, ""),
            decision("asia", &asia, "kinds = [\"acme.v1.Vault\"]\nmatch = { region = \"asia\" }"),
        ];
        let file = file_with(&decisions.join("\n")).replace("\"group:leads\"", "\"group:leads\", \"bot@acme.test\"");
        let house = House::plan(db).file(&file).build().await;
        let own = [("indent.com/workflow/origin/id", "w1"), ("petition", "forged"), ("7", "x"), ("team", "é\"")];
        let petition = asks(&house, vault(&[("region", "eu")]), &own).await;
        house.settle().await;
        assert_eq!((vaults.asked().len(), customers.asked().len(), asia.asked().len()), (1, 0, 0));
        let name = &petition.name;
        let ana = r#"{"kind":"user","id":"ana@acme.test","email":"ana@acme.test"}"#;
        assert_eq!(vaults.asked()[0].body, format!(
            r#"{{"events":[{{"event":"access/request","timestamp":"2026-03-02T09:00:00Z","actor":{ana},"reason":"debug BUG-482","resources":[{{"kind":"acme.v1.Vault","id":"eu/1","displayName":"Vault one","labels":{{"region":"eu"}}}}],"meta":{{"labels":{{"indent.com/petition":"{name}","indent.com/petition/duration":"4h0m0s","indent.com/workflow/origin/id":"w1","petition":"{name}","team":"é\""}}}}}}]}}"#
        ));
        assert_eq!(house.recorded("petition.granted").await, 1);
        house.finish().await;
    }
}

//! Petitions: asked for, listed, waited for, closed by an administrator.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    caller::{Client, Payload},
    described,
    input::{self, PetitionBody, PetitionInput, ResourceInput, invalid},
    output::{PetitionOut, Told},
    page::{Params, page_token},
    sight::Sight,
};
use crate::{
    audit::Via,
    domain::{
        customer::Labels,
        id::{PetitionName, Role},
        petition::{Claim, Petition, PetitionState},
    },
    http::{BODY_LIMIT, auth::Scope, error::ApiError, openapi, signed::single},
    policy,
    store::Listed,
    workflow::{Ask, Freshness, Opened, Repeat, Subject, Wish},
};

/// Petitions that are read at once, and the most that are looked through for one page.
const BATCH: i64 = 500;
const MOST_READ: usize = 20_000;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Petitions {
    petitions: Vec<PetitionOut>,
    /// Not there on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

type Named = Path<HashMap<String, String>>;

/// The part of the path that names the petition.
pub fn petition_of(path: &HashMap<String, String>) -> &str {
    path.get("petition").map(String::as_str).unwrap_or_default()
}

impl Api {
    fn tell(&self, petition: Petition, labels: Option<&Labels>, claims: &[Claim]) -> PetitionOut {
        let petition = petition.at(self.http.workflow.now());
        self.told(&petition, labels, claims).petition()
    }

    pub fn told<'a>(&'a self, petition: &'a Petition, labels: Option<&'a Labels>, claims: &'a [Claim]) -> Told<'a> {
        let rule = policy::rule_for(self.http.workflow.policy(), labels);
        let asked = rule.map(|rule| rule.require.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "));
        let asked = asked.unwrap_or_default();
        Told { space: &self.http.space, customer_kind: &self.customer_kind, petition, claims, labels, asked }
    }
}

/// Petitions that the caller may see
///
/// Those that the caller may see, newest first.
#[utoipa::path(
    get, path = "/v1/spaces/{space}/petitions", operation_id = "listPetitions", tag = "petitions",
    params(described::InSpace, described::Paging, described::Selected, described::Among, described::Ascending),
    security(("token" = ["petition"]), ("token" = ["admin"])),
    responses(
        (status = 200, description = "One page, newest first", body = Petitions),
        openapi::Invalid, openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn list(State(api): State<Api>, client: Client, params: Params) -> Result<Json<Petitions>, ApiError> {
    let sight = api.sight(&client).await?;
    let (selector, size, ascending) = (params.selector()?, params.page_size()?, params.flag("ascending")?);
    let store = api.http.workflow.store();
    let fits = |one: &Listed| {
        let petition = &one.petition;
        if !api.sees(&sight, petition, one.labels.as_ref()) {
            return false;
        }
        if selector.is_empty() {
            return true;
        }
        let by_now = petition.clone().at(api.http.workflow.now());
        let shown = api.told(&by_now, one.labels.as_ref(), &[]).shown_labels();
        selector.matches(|key| match key {
            "indent.com/resource/id" => Some(petition.customer.bare()),
            "indent.com/resource/kind" => Some(petition.customer.kind().unwrap_or(&api.customer_kind)),
            "indent.com/resource/email" => Some(petition.petitioner.email.as_str()),
            other => shown.get(other).map(String::as_str),
        })
    };
    let among = params.all("among");
    let (mut found, mut next) = (Vec::new(), None);
    let mut from = params.page_token()?.unwrap_or_default();
    if !among.is_empty() {
        let names: Vec<PetitionName> = among.iter().take(1000).map(|name| PetitionName::new(*name)).collect();
        found = store.petitions_named(&names).await?.into_iter().filter(fits).collect();
        found.sort_by(|a, b| b.petition.name.cmp(&a.petition.name));
        if ascending {
            found.reverse();
        }
    } else {
        let mut read = 0;
        // One more than is shown, to see whether there is more; a few, where not all of them are the caller's.
        let at_once = (size as i64 + 1).clamp(20, BATCH);
        'pages: loop {
            let batch = store.petitions_page(&from, ascending, at_once).await?;
            let last_batch = batch.len() < at_once as usize;
            for one in batch {
                from = one.petition.name.to_string();
                read += 1;
                if fits(&one) {
                    if found.len() == size {
                        // There is a next page, and it begins with this one.
                        break 'pages;
                    }
                    next = Some(from.clone());
                    found.push(one);
                }
            }
            if last_batch {
                next = None;
                break;
            }
            if read >= MOST_READ {
                next = Some(from.clone());
                break;
            }
        }
    }
    let names: Vec<PetitionName> = found.iter().map(|one| one.petition.name.clone()).collect();
    let claims = store.claims_of(&names).await?;
    let none = Vec::new();
    let tell = |one: Listed| {
        let of = claims.get(&one.petition.name).unwrap_or(&none);
        api.tell(one.petition, one.labels.as_ref(), of)
    };
    let petitions = found.into_iter().map(tell).collect();
    Ok(Json(Petitions { petitions, next_page_token: next.as_deref().map(page_token) }))
}

/// One petition; with `wait` when it is decided
///
/// As it stands; with `?wait=30s` as soon as it is decided, or as it stands when the wait is over.
#[utoipa::path(
    get, path = "/v1/spaces/{space}/petitions/{petition}", operation_id = "getPetition", tag = "petitions",
    params(described::InSpace, described::OfPetition, described::Wait),
    security(("token" = ["petition"]), ("token" = ["admin"])),
    responses(
        (status = 200, description = "As it stands", body = PetitionOut),
        openapi::Invalid, openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn show(
    State(api): State<Api>,
    client: Client,
    Path(path): Named,
    params: Params,
) -> Result<Response, ApiError> {
    let sight = api.sight(&client).await?;
    let wait = params.wait()?;
    let found = api.seen(&sight, petition_of(&path)).await?;
    let workflow = &api.http.workflow;
    let name = found.petition.name.clone();
    if wait.is_zero() {
        let (petition, claims) = workflow.look(&name).await?;
        return Ok(Json(api.tell(petition, found.labels.as_ref(), &claims)).into_response());
    }
    let until = workflow.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
    let seen = workflow.wait_decided(&name, until, api.closing.cancelled()).await?;
    let petition = seen.petition.clone().at(workflow.now());
    let write = || {
        let told = api.told(&petition, found.labels.as_ref(), &seen.claims).petition();
        // Only maps with keys that are no strings cannot be written, and there are none.
        Bytes::from(serde_json::to_vec(&told).unwrap_or_default())
    };
    // Thousands may be answered with it at once: it is written once. Not where time alone has closed it since.
    let as_stored = petition.state == seen.petition.state;
    let json = if as_stored { seen.written.get_or_init(write).clone() } else { write() };
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

/// Ask for access
///
/// Asks. For somebody else only with the scope `admin`; both are on record.
#[utoipa::path(
    post, path = "/v1/spaces/{space}/petitions", operation_id = "createPetition", tag = "petitions",
    params(described::InSpace, described::Once),
    request_body(content = PetitionBody, example = json!({ "petition": { "reason": "debug BUG-482", "petitioners": [{ "kind": "user", "email": "ana@acme.test" }], "resources": [{ "kind": "customer", "id": "123", "labels": { "role": "readonly" } }], "meta": { "labels": { "indent.com/petition/duration": "4h0m0s" } } } })),
    security(("token" = ["petition"]), ("token" = ["admin"])),
    responses(
        (status = 200, description = "The petition, with its `name`", body = PetitionOut),
        openapi::Invalid, openapi::NotFound, openapi::Conflict, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn create(
    State(api): State<Api>,
    client: Client,
    headers: HeaderMap,
    Payload(body): Payload<PetitionBody, BODY_LIMIT>,
) -> Result<Json<PetitionOut>, ApiError> {
    client.demand_sight()?;
    let input = body.petition;
    let mut labels = input::petition_labels(input.meta.unwrap_or_default().labels)?;
    let length = input::asked_length(input.default_duration.as_ref(), &labels)?;
    // Kept as the length; a bot that spreads them over its answer would approve what was asked instead.
    labels.retain(|key, _| !key.starts_with("indent.com/time/") && key != "expires");
    let reason = input::reason(input.reason)?;
    let workflow = &api.http.workflow;
    let key = single(&headers, "idempotency-key").or(labels.get(input::KEY_LABEL).map(String::as_str));
    let key = key.map(|key| input::text("the idempotency key", key, 255)).transpose()?;

    let mut petitioners = input.petitioners.unwrap_or_default();
    if petitioners.len() > 1 {
        return Err(invalid("one petitioner a petition; file one petition for each"));
    }
    let named = petitioners.pop();
    let (email, name) = match &named {
        None => (client.0.email.clone(), String::new()),
        Some(petitioner) => {
            let email = petitioner.person()?.ok_or_else(|| invalid("the petitioner needs an `email`"))?;
            // What people are called on cards is not for them to say.
            let name = petitioner.display_name.as_ref().filter(|_| client.is_admin());
            let name = name.map(|name| input::text("a displayName", &name.0, 500));
            (email, name.transpose()?.unwrap_or_default())
        }
    };
    if email != client.0.email {
        client.0.demand(Scope::Admin)?;
    }
    let (subject, role) = api.subject(input.resources.unwrap_or_default()).await?;
    let labels_of = match &subject {
        Subject::Customer(customer) => Some(&customer.labels),
        Subject::Other(_) => None,
    };
    let rule = policy::rule_for(workflow.policy(), labels_of);
    let groups = rule.map(policy::Rule::slack_groups).unwrap_or_default();
    let ask = Ask {
        petitioner: workflow.actor(&email, &name, &groups, Freshness::AMinuteAgo).await?,
        filed_by: client.0.email.clone(),
        // With the scope that lets it, it asks for anybody.
        for_other: None,
        role,
        length,
        until: None,
        reason,
        labels,
        repeat: key.map_or(Repeat::Never, Repeat::SameKey),
        slack_groups: workflow.slack_groups(rule).await,
        signature: None,
        via: Via::Api,
        subject,
    };
    let opened = workflow.open_petition(&ask).await?;
    let sight = Sight::Everything(ask.petitioner);
    match opened {
        Opened::Open(petition) | Opened::Same(petition) => api.now(&sight, &petition.name).await,
        Opened::Refused(petition, because) => Err(ApiError::Refused { because, petition: petition.name }),
    }
}

/// Close a petition, or write other labels on it
///
/// An administrator closes it, or writes other labels on it. Nothing else of a petition can change.
#[utoipa::path(
    put, path = "/v1/spaces/{space}/petitions/{petition}", operation_id = "updatePetition", tag = "petitions",
    params(described::InSpace, described::OfPetition),
    request_body(content = PetitionBody, example = json!({ "petition": { "state": { "status": { "phase": "closed" } } } })),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "As it stands now", body = PetitionOut),
        openapi::Invalid, openapi::NotFound, openapi::Conflict, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn update(
    State(api): State<Api>,
    client: Client,
    Path(path): Named,
    Payload(body): Payload<PetitionBody, BODY_LIMIT>,
) -> Result<Json<PetitionOut>, ApiError> {
    client.0.demand(Scope::Admin)?;
    let sight = api.sight(&client).await?;
    let found = api.seen(&sight, petition_of(&path)).await?;
    let (workflow, petition) = (&api.http.workflow, &found.petition);
    let input = body.petition;
    unchanged(&api, petition, &input)?;
    let labels = match input.meta.and_then(|meta| meta.labels) {
        Some(labels) => Some(input::petition_labels(Some(labels))?),
        None => None,
    };
    let phase = input.state.and_then(|state| state.status).and_then(|status| status.phase);
    let now = petition.clone().at(workflow.now()).state;
    match (phase.as_deref().unwrap_or_default(), &now) {
        ("" | "open", PetitionState::Open) | ("" | "granted", PetitionState::Granted { .. }) => {}
        ("" | "closed", PetitionState::Closed { .. }) => {}
        ("closed" | "revoked", PetitionState::Open | PetitionState::Granted { .. }) => {
            workflow.dismiss(&petition.name, &client.0.email, "closed by an administrator", Via::Api).await?;
        }
        ("open" | "granted" | "revoked", _) => {
            return Err(ApiError::Conflict(
                "a phase can only be set to `closed`; granting takes the claims of reviewers".to_owned(),
            ));
        }
        (_, _) => return Err(invalid("`state.status.phase` is `open`, `granted` or `closed`")),
    }
    if let Some(labels) = labels {
        workflow.relabel(&petition.name, labels, &client.0.email, Via::Api).await?;
    }
    api.now(&sight, &petition.name).await
}

/// Its reviewers decide about what they were shown.
fn unchanged(api: &Api, petition: &Petition, input: &PetitionInput) -> Result<(), ApiError> {
    let told = api.told(petition, None, &[]).petition();
    let mut changed = Vec::new();
    if input.reason.as_ref().is_some_and(|reason| *reason != petition.reason) {
        changed.push("reason");
    }
    let same = |given: &ResourceInput, is: &super::output::Resource| {
        let id = given.id.as_ref().map_or("", |id| id.0.as_str());
        let email = given.email.as_deref().unwrap_or_default().to_lowercase();
        let kind = given.kind.as_deref().unwrap_or_default();
        let role = given.labels.as_ref().and_then(|labels| labels.get("role"));
        (id.is_empty() || id == is.id)
            && (email.is_empty() || email == is.email)
            && (kind.is_empty() || kind == is.kind)
            && role.is_none_or(|role| is.labels.get("role") == Some(&role.0))
    };
    let all_same = |given: &Option<Vec<ResourceInput>>, are: &[super::output::Resource]| {
        given.as_ref().is_none_or(|given| {
            given.is_empty() || given.len() == are.len() && given.iter().zip(are).all(|(one, is)| same(one, is))
        })
    };
    if !all_same(&input.petitioners, &told.petitioners) {
        changed.push("petitioners");
    }
    if !all_same(&input.resources, &told.resources) {
        changed.push("resources");
    }
    match input::asked_length(input.default_duration.as_ref(), &Labels::new())? {
        Wish::Default => {}
        Wish::For(length) if length == petition.length => {}
        Wish::For(_) | Wish::WithoutEnd => changed.push("defaultDuration"),
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("{} of a petition cannot change; close it and file another", changed.join(" and "))))
}

impl Api {
    async fn now(&self, sight: &Sight, name: &PetitionName) -> Result<Json<PetitionOut>, ApiError> {
        let found = self.seen(sight, name.as_str()).await?;
        let claims = self.http.workflow.store().claims(name).await?;
        Ok(Json(self.tell(found.petition, found.labels.as_ref(), &claims)))
    }

    /// The one thing that is asked for: a customer that we know, or anything else as it is given.
    async fn subject(&self, given: Vec<ResourceInput>) -> Result<(Subject, Option<Role>), ApiError> {
        let mut resources = given.into_iter();
        let (Some(resource), None) = (resources.next(), resources.next()) else {
            return Err(invalid("a petition is for exactly one resource; file one petition for each"));
        };
        let resource = resource.read()?;
        let workflow = &self.http.workflow;
        let store = workflow.store();
        if resource.kind != *self.customer_kind {
            // What provisioners act on is for an administrator to say, not for whoever asks.
            return match store.resource_of(&resource.kind, &resource.id).await? {
                Some(known) => Ok((Subject::Other(known.resource), None)),
                None if workflow.is_provisioned(&resource.kind) => {
                    let (kind, id) = (resource.kind, resource.id);
                    Err(invalid(format!("there is no resource of the kind `{kind}` with the id `{id}`")))
                }
                None => Ok((Subject::Other(resource), None)),
            };
        }
        let role = resource.labels.get("role").filter(|role| !role.is_empty()).map(Role::new);
        if let Some(customer) = store.customer(&resource.id).await? {
            return Ok((Subject::Customer(customer), role));
        }
        // `123:readonly`
        let roles = &workflow.policy().access.roles;
        if let Some((id, word)) = resource.id.rsplit_once(':')
            && let Some(role) = roles.iter().find(|role| role.as_str().eq_ignore_ascii_case(word))
            && let Some(customer) = store.customer(id).await?
        {
            return Ok((Subject::Customer(customer), Some(role.clone())));
        }
        Err(invalid(format!("there is no customer with the id `{}`", resource.id)))
    }
}

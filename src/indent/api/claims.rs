//! Claims: what people and bots say on a petition.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Path, State},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    caller::{Client, Payload},
    described,
    input::{self, ClaimBody, invalid},
    output::Event,
    page::{Params, page_token},
    petitions::petition_of,
};
use crate::{
    audit::Via,
    domain::{
        id::PetitionName,
        person::Email,
        petition::{Claim, ClaimKind, Petition, PetitionState},
    },
    http::{BODY_LIMIT, auth::Scope, error::ApiError, openapi},
    workflow::{Error, NewClaim},
};

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    claims: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// What was said on a petition
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/spaces/{space}/petitions/{petition}/claims", operation_id = "listClaims", tag = "claims",
    params(described::InSpace, described::OfPetition, described::Paging, described::Selected),
    security(("token" = ["petition"]), ("token" = ["admin"])),
    responses(
        (status = 200, description = "One page, oldest first", body = Claims),
        openapi::Invalid, openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn list(
    State(api): State<Api>,
    client: Client,
    Path(path): Path<HashMap<String, String>>,
    params: Params,
) -> Result<Json<Claims>, ApiError> {
    let sight = api.sight(&client).await?;
    let (selector, size, after) = (params.selector()?, params.page_size()?, params.page_token()?.unwrap_or_default());
    let found = api.seen(&sight, petition_of(&path)).await?;
    let mut claims = api.http.workflow.store().claims(&found.petition.name).await?;
    // To the millisecond the order in which they were made, and one that never changes.
    claims.sort_by(|a, b| a.id.cmp(&b.id));
    let told = api.told(&found.petition, found.labels.as_ref(), &claims);
    let mut events: Vec<Event> = claims
        .iter()
        .filter(|claim| claim.id.as_str() > after.as_str())
        .map(|claim| told.claim(claim))
        .filter(|event| selector.matches(|key| event.meta.labels.get(key).map(String::as_str)))
        .collect();
    let more = events.len() > size;
    events.truncate(size);
    let next_page_token = events.last().filter(|_| more).map(|event| page_token(&event.meta.name));
    Ok(Json(Claims { claims: events, next_page_token }))
}

/// One claim
#[utoipa::path(
    get, path = "/v1/spaces/{space}/petitions/{petition}/claims/{claim}", operation_id = "getClaim", tag = "claims",
    params(described::InSpace, described::OfPetition, described::OfClaim),
    security(("token" = ["petition"]), ("token" = ["admin"])),
    responses(
        (status = 200, description = "The claim", body = Event),
        openapi::Invalid, openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn show(
    State(api): State<Api>,
    client: Client,
    Path(path): Path<HashMap<String, String>>,
) -> Result<Json<Event>, ApiError> {
    let sight = api.sight(&client).await?;
    let found = api.seen(&sight, petition_of(&path)).await?;
    let claims = api.http.workflow.store().claims(&found.petition.name).await?;
    let name = path.get("claim").map(String::as_str).unwrap_or_default();
    let claim = claims.iter().find(|claim| claim.id.as_str() == name).ok_or(ApiError::NotFound)?;
    Ok(Json(api.told(&found.petition, found.labels.as_ref(), &claims).claim(claim)))
}

/// Approve, deny or revoke
///
/// Makes a claim as the token's subject; only a trusted bot may name another person. Again is the same claim.
#[utoipa::path(
    post, path = "/v1/spaces/{space}/petitions/{petition}/claims", operation_id = "createClaim", tag = "claims",
    params(described::InSpace, described::OfPetition),
    request_body(content = ClaimBody, example = json!({ "claim": { "event": "access/approve", "reason": "ok", "meta": { "labels": { "indent.com/time/duration": "3h0m0s" } } } })),
    security(("token" = ["petition"]), ("token" = ["delegate"])),
    responses(
        (status = 200, description = "The claim as it is stored", body = Event),
        openapi::Invalid, openapi::NotFound, openapi::Conflict, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn create(
    State(api): State<Api>,
    client: Client,
    Path(path): Path<HashMap<String, String>>,
    Payload(body): Payload<ClaimBody, BODY_LIMIT>,
) -> Result<Json<Event>, ApiError> {
    client.0.demand_any(&[Scope::Petition, Scope::Delegate])?;
    let input = body.claim;
    let kind = match input.event.as_deref().unwrap_or_default() {
        "access/approve" => ClaimKind::Approve,
        "access/deny" => ClaimKind::Deny,
        "access/revoke" => ClaimKind::Revoke,
        _ => return Err(invalid("`claim.event` is `access/approve`, `access/deny` or `access/revoke`")),
    };
    let named = match &input.actor {
        Some(actor) if client.0.has(Scope::Delegate) => {
            let person = actor.person()?;
            // A bot that means somebody else must not speak for itself by mistake.
            Some(person.ok_or_else(|| invalid("`claim.actor` needs an `email`; leave it out to speak as yourself"))?)
        }
        Some(_) | None => None,
    };
    let (maker, delegate) = match named {
        Some(person) if person != client.0.email => (person, Some(client.0.email.clone())),
        Some(_) | None => {
            client.0.demand(Scope::Petition)?;
            (client.0.email.clone(), None)
        }
    };
    let labels = input::labels(input.meta.unwrap_or_default().labels)?;
    let note = input::reason(input.reason)?;
    let length = input::approved_length(&labels)?;
    let end = match kind {
        ClaimKind::Approve => input::approved_end(&labels)?,
        // Taking away needs no length, and so none that can be read.
        ClaimKind::Deny | ClaimKind::Revoke => None,
    };
    let labels = input::claim_labels(labels, end.is_some());
    let found = api.visible_to(&client, &maker, delegate.as_ref(), petition_of(&path)).await?;
    let claim = NewClaim { petition: found.name.clone(), kind, maker, delegate, note, length, labels, via: Via::Api };
    let workflow = &api.http.workflow;
    let claim = match end {
        None => workflow.post_claim(&claim).await?,
        Some(end) => api.approve_until(&found, claim, end).await?,
    };
    let labels = workflow.customer_labels(&found).await?;
    let claims = workflow.store().claims(&found.name).await?;
    Ok(Json(api.told(&found, labels.as_ref(), &claims).claim(&claim)))
}

impl Api {
    /// Approves for no longer than until `end`. The same again is the same claim, though less time is left by then.
    async fn approve_until(&self, petition: &Petition, mut new: NewClaim, end: Timestamp) -> Result<Claim, ApiError> {
        let workflow = &self.http.workflow;
        new.length = match self.same_times(&new).await? {
            Some(first) => first.length,
            None => {
                let from = self.counts_from(petition).await?;
                Some(input::length_until(new.length.unwrap_or(petition.length), from, end)?)
            }
        };
        match workflow.post_claim(&new).await {
            Ok(claim) => Ok(claim),
            // Two at once, to which not the same second was left: the other was first.
            Err(Error::Conflict(sentence)) => match self.same_times(&new).await? {
                Some(first) if first.length != new.length => {
                    new.length = first.length;
                    Ok(workflow.post_claim(&new).await?)
                }
                Some(_) | None => Err(ApiError::Conflict(sentence)),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// The approval that its maker has made before in the same words about its time.
    async fn same_times(&self, new: &NewClaim) -> Result<Option<Claim>, ApiError> {
        let claims = self.http.workflow.store().claims(&new.petition).await?;
        Ok(claims.into_iter().find(|claim| {
            let own = claim.kind == ClaimKind::Approve && claim.maker.email == new.maker;
            own && input::times(&claim.labels).eq(input::times(&new.labels))
        }))
    }

    /// Where the length of an approval that is made now begins: that of an extension of ours at the end that it moves.
    async fn counts_from(&self, petition: &Petition) -> Result<Timestamp, ApiError> {
        let (store, now) = (self.http.workflow.store(), self.http.workflow.now());
        let Some(extends) = &petition.extends else { return Ok(now) };
        if store.remote_truth(&petition.name).await?.is_some() {
            return Ok(now);
        }
        let old = store.petition(&extends.of).await?;
        Ok(match old.map(|old| old.state) {
            Some(PetitionState::Granted { until, .. }) => until.max(now),
            Some(PetitionState::Open | PetitionState::Closed { .. }) | None => now,
        })
    }

    /// A bot that speaks for others sees what it brings; anybody else only what is theirs to see.
    async fn visible_to(
        &self,
        client: &Client,
        maker: &Email,
        delegate: Option<&Email>,
        name: &str,
    ) -> Result<Petition, ApiError> {
        match delegate {
            None => {
                // Whose own it is needs no fact from Slack, so that it can be taken back while that is away.
                let own = self.http.workflow.store().petition(&PetitionName::new(name)).await?;
                if let Some(own) = own.filter(|own| own.is_of(maker)) {
                    return Ok(own);
                }
                let sight = self.sight(client).await?;
                Ok(self.seen(&sight, name).await?.petition)
            }
            Some(bot) => {
                let name = PetitionName::new(name);
                let petition = self.http.workflow.store().petition(&name).await?.ok_or(ApiError::NotFound)?;
                if petition.petitioner.email == *bot {
                    let sentence = format!("{bot} cannot speak for {maker} on a petition of its own");
                    return Err(ApiError::Forbidden(sentence));
                }
                Ok(petition)
            }
        }
    }
}

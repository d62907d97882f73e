//! Resources: customers, and whatever else somebody put here.

use std::collections::{HashMap, HashSet};

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    caller::{Admin, Client, Payload},
    described,
    input::{NamesBody, ResourceBody, ResourceInput, ResourcesBody, invalid},
    output::{self, NAME_LABEL, Resource},
    page::{Params, page_token},
    sight::Sight,
};
use crate::{
    audit::Via,
    domain::{customer::Customer, resource::Source, selector::Selector},
    http::{BODY_LIMIT, auth::Scope, error::ApiError, openapi},
    store::StoredResource,
    workflow::{Named, Put, SourceRow},
};

/// The most bytes of a bulk update.
pub const BULK_LIMIT: usize = 16 * 1024 * 1024;
/// Rows that are read at once.
const BATCH: i64 = 1000;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    resources: Vec<Resource>,
    /// Not there on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Written {
    resources: Vec<Resource>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Nothing {}

/// What a list is narrowed to.
struct Filter {
    selector: Selector,
    /// Only what the caller may ask for.
    requestable: bool,
    /// Only what has an e-mail.
    people: bool,
}

impl Filter {
    fn of(params: &Params, sight: &Sight) -> Result<Self, ApiError> {
        let all = Self { selector: params.selector()?, requestable: false, people: false };
        let narrowed = match params.get("view") {
            None => all,
            // A view is used instead of the selector.
            Some("requestable" | "requestable:modal") => {
                Self { selector: Selector::default(), requestable: true, people: false }
            }
            Some("people" | "email" | "recipients") => {
                Self { selector: Selector::default(), requestable: false, people: true }
            }
            Some(_) => {
                return Err(invalid(
                    "`view` is one of `requestable`, `requestable:modal`, `people`, `email`, `recipients`",
                ));
            }
        };
        Ok(match sight {
            Sight::Everything(_) => narrowed,
            Sight::Own(_) => Self { requestable: true, ..narrowed },
        })
    }

    fn matches(&self, resource: &Resource) -> bool {
        self.selector.matches(|key| match key {
            "indent.com/resource/email" => Some(resource.email.as_str()).filter(|email| !email.is_empty()),
            "indent.com/resource/kind" => Some(resource.kind.as_str()),
            "indent.com/resource/id" => Some(resource.id.as_str()),
            other => resource.labels.get(other).map(String::as_str),
        })
    }
}

/// Where a page begins: customers come first, in the order of their ids, then the others, by kind and id.
enum From {
    Customers { after: String },
    Others { kind: String, id: String },
}

impl From {
    fn read(token: Option<String>) -> Result<Self, ApiError> {
        let Some(token) = token else { return Ok(Self::Customers { after: String::new() }) };
        let others = |rest: &str| rest.split_once('\u{1f}').map(|(kind, id)| (kind.to_owned(), id.to_owned()));
        match (token.strip_prefix("c:"), token.strip_prefix("r:").and_then(others)) {
            (Some(after), _) => Ok(Self::Customers { after: after.to_owned() }),
            (None, Some((kind, id))) => Ok(Self::Others { kind, id }),
            (None, None) => Err(invalid("`pageToken` is not one that we gave")),
        }
    }

    fn token(&self) -> String {
        match self {
            Self::Customers { after } => page_token(&format!("c:{after}")),
            Self::Others { kind, id } => page_token(&format!("r:{kind}\u{1f}{id}")),
        }
    }
}

/// Customers, and whatever else can be asked for
///
/// Administrators see all resources, others the customers that they may ask for.
#[utoipa::path(
    get, path = "/v1/spaces/{space}/resources", operation_id = "listResources", tag = "resources",
    params(described::InSpace, described::Paging, described::Selected, described::Among, described::View),
    security(("token" = ["petition"]), ("token" = ["admin"])),
    responses(
        (status = 200, description = "One page", body = Resources),
        openapi::Invalid, openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn list(State(api): State<Api>, client: Client, params: Params) -> Result<Json<Resources>, ApiError> {
    let sight = api.sight(&client).await?;
    let filter = Filter::of(&params, &sight)?;
    let size = params.page_size()?;
    let mut from = From::read(params.page_token()?)?;
    let among = params.all("among");
    if !among.is_empty() {
        let mut resources = Vec::new();
        for name in among.into_iter().take(BATCH as usize).collect::<HashSet<_>>() {
            resources.extend(api.named(&sight, &filter, name).await?);
        }
        resources.sort_by(|a: &Resource, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
        return Ok(Json(Resources { resources, next_page_token: None }));
    }
    let mut resources = Vec::new();
    loop {
        let (batch, next) = api.batch(&sight, &filter, &from).await?;
        for (place, resource) in batch {
            if resources.len() == size {
                return Ok(Json(Resources { resources, next_page_token: Some(from.token()) }));
            }
            from = place;
            resources.push(resource);
        }
        match next {
            Some(next) => from = next,
            None => return Ok(Json(Resources { resources, next_page_token: None })),
        }
    }
}

impl Api {
    /// Some rows from a place on, those that fit of them each with its own place, and where to go on.
    async fn batch(
        &self,
        sight: &Sight,
        filter: &Filter,
        from: &From,
    ) -> Result<(Vec<(From, Resource)>, Option<From>), ApiError> {
        let store = self.http.workflow.store();
        let email = filter.selector.equals("indent.com/resource/email").unwrap_or_default();
        let kind = filter.selector.equals("indent.com/resource/kind");
        match from {
            From::Customers { after } => {
                let others = From::Others { kind: String::new(), id: String::new() };
                // No customer has an e-mail.
                if filter.people || !email.is_empty() || kind.is_some_and(|kind| kind != &*self.customer_kind) {
                    return Ok((Vec::new(), Some(others)));
                }
                let rows = store.customers_page(after, BATCH).await?;
                let next = match rows.last() {
                    Some(last) if rows.len() == BATCH as usize => Some(From::Customers { after: last.id.to_string() }),
                    Some(_) | None if filter.requestable => None,
                    Some(_) | None => Some(others),
                };
                let shown = rows.into_iter().filter_map(|customer| {
                    let place = From::Customers { after: customer.id.to_string() };
                    Some((place, self.shown(sight, filter, customer)?))
                });
                Ok((shown.collect(), next))
            }
            From::Others { .. } if filter.requestable => Ok((Vec::new(), None)),
            From::Others { kind, id } => {
                let rows = store.resources_page((kind, id), email, BATCH).await?;
                let next = match rows.last() {
                    Some(StoredResource { resource: last, .. }) if rows.len() == BATCH as usize => {
                        Some(From::Others { kind: last.kind.clone(), id: last.id.clone() })
                    }
                    Some(_) | None => None,
                };
                let shown = rows
                    .into_iter()
                    .map(output::other)
                    .filter(|resource| filter.matches(resource) && (!filter.people || !resource.email.is_empty()));
                let placed = |resource: Resource| {
                    (From::Others { kind: resource.kind.clone(), id: resource.id.clone() }, resource)
                };
                Ok((shown.map(placed).collect(), next))
            }
        }
    }

    fn shown(&self, sight: &Sight, filter: &Filter, customer: Customer) -> Option<Resource> {
        if filter.requestable && !self.may_ask(sight.actor(), &customer.labels) {
            return None;
        }
        Some(output::customer(customer, &self.customer_kind)).filter(|resource| filter.matches(resource))
    }

    /// By its name, where the caller may see it.
    async fn named(&self, sight: &Sight, filter: &Filter, name: &str) -> Result<Option<Resource>, ApiError> {
        let store = self.http.workflow.store();
        if let Some(id) = output::customer_id(name) {
            let customer = if id.contains('\0') { None } else { store.customer(&id).await? };
            return Ok(customer.and_then(|customer| self.shown(sight, filter, customer)));
        }
        if filter.requestable || name.contains('\0') {
            return Ok(None);
        }
        let found = store.resource(name).await?.map(output::other);
        Ok(found.filter(|resource| filter.matches(resource) && (!filter.people || !resource.email.is_empty())))
    }

    /// What is to be put; a pair of kind and id must not come twice.
    fn put_of(&self, given: Vec<ResourceInput>) -> Result<Put, ApiError> {
        let mut put = Put::default();
        let mut seen = HashSet::new();
        for (n, resource) in given.into_iter().enumerate() {
            let mut resource = resource.read().map_err(|error| match error {
                ApiError::Invalid(sentence) => invalid(format!("resources[{n}]: {sentence}; nothing was written")),
                other => other,
            })?;
            if !seen.insert((resource.kind.clone(), resource.id.clone())) {
                let (kind, id) = (resource.kind, resource.id);
                return Err(invalid(format!(
                    "resources[{n}]: the {kind} `{id}` comes twice in one batch; nothing was written"
                )));
            }
            // Ours, whatever was sent.
            resource.labels.remove(NAME_LABEL);
            if resource.kind == *self.customer_kind {
                let name = if resource.display_name.is_empty() { resource.id.clone() } else { resource.display_name };
                put.customers.push(SourceRow { id: resource.id, name, labels: resource.labels });
            } else {
                put.others.push(resource);
            }
        }
        Ok(put)
    }

    /// As they are stored now, in the order in which they were given.
    pub(super) async fn written(&self, put: Put) -> Result<Vec<Resource>, ApiError> {
        let mut resources = Vec::with_capacity(put.customers.len() + put.others.len());
        let ids: Vec<&str> = put.customers.iter().map(|row| row.id.as_str()).collect();
        let found = self.http.workflow.store().customers_named(&ids).await?;
        let mut found: HashMap<String, Customer> =
            found.into_iter().map(|customer| (customer.id.to_string(), customer)).collect();
        let customers = put.customers.iter().filter_map(|row| found.remove(&row.id));
        resources.extend(customers.map(|customer| output::customer(customer, &self.customer_kind)));
        for other in put.others {
            let stored = self.http.workflow.store().resource_of(&other.kind, &other.id).await?;
            resources.extend(stored.map(output::other));
        }
        Ok(resources)
    }
}

fn named_in(path: &HashMap<String, String>) -> &str {
    path.get("resource").map(String::as_str).unwrap_or_default()
}

/// One resource
#[utoipa::path(
    get, path = "/v1/spaces/{space}/resources/{resource}", operation_id = "getResource", tag = "resources",
    params(described::InSpace, described::OfResource),
    security(("token" = ["petition"]), ("token" = ["admin"])),
    responses(
        (status = 200, description = "The resource", body = Resource),
        openapi::Invalid, openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn show(
    State(api): State<Api>,
    client: Client,
    Path(path): Path<HashMap<String, String>>,
) -> Result<Json<Resource>, ApiError> {
    let sight = api.sight(&client).await?;
    let requestable = matches!(sight, Sight::Own(_));
    let filter = Filter { selector: Selector::default(), requestable, people: false };
    api.named(&sight, &filter, named_in(&path)).await?.map(Json).ok_or(ApiError::NotFound)
}

/// Put a resource here
///
/// One that is not there yet.
#[utoipa::path(
    post, path = "/v1/spaces/{space}/resources", operation_id = "createResource", tag = "resources",
    params(described::InSpace),
    request_body(content = ResourceBody, example = json!({ "resource": { "kind": "customer", "id": "123", "displayName": "AcmeCorp", "labels": { "plan": "enterprise" } } })),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "The resource as it is stored", body = Resource),
        openapi::Invalid, openapi::NotFound, openapi::Conflict, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn create(
    State(api): State<Api>,
    client: Client,
    Payload(body): Payload<ResourceBody, BODY_LIMIT>,
) -> Result<Json<Resource>, ApiError> {
    client.0.demand(Scope::Admin)?;
    let put = api.put_of(vec![body.resource])?;
    api.http.workflow.create_resource(&put, client.0.email.as_str(), Via::Api).await?;
    api.written(put).await?.pop().map(Json).ok_or(ApiError::NotFound)
}

/// Write anew what is known of a resource
///
/// Replaces what is known of one that is there; its kind and id stay.
#[utoipa::path(
    put, path = "/v1/spaces/{space}/resources/{resource}", operation_id = "updateResource", tag = "resources",
    params(described::InSpace, described::OfResource),
    request_body(content = ResourceBody, example = json!({ "resource": { "kind": "customer", "id": "123", "displayName": "AcmeCorp", "labels": { "plan": "enterprise" } } })),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "The resource as it is stored now", body = Resource),
        openapi::Invalid, openapi::NotFound, openapi::Conflict, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn update(
    State(api): State<Api>,
    client: Client,
    Path(path): Path<HashMap<String, String>>,
    Payload(body): Payload<ResourceBody, BODY_LIMIT>,
) -> Result<Json<Resource>, ApiError> {
    client.0.demand(Scope::Admin)?;
    let sight = api.sight(&client).await?;
    let everything = Filter { selector: Selector::default(), requestable: false, people: false };
    let found = api.named(&sight, &everything, named_in(&path)).await?.ok_or(ApiError::NotFound)?;
    let mut given = body.resource;
    let same = |given: Option<&str>, is: &str| given.is_none_or(|given| given.is_empty() || given == is);
    let id = given.id.as_ref().map(|id| id.0.as_str());
    if !same(given.kind.as_deref(), &found.kind) || !same(id, &found.id) {
        return Err(invalid("the kind and the id of a resource cannot change; delete it and create another"));
    }
    given.kind = Some(found.kind);
    given.id = Some(super::input::Text(found.id));
    let put = api.put_of(vec![given])?;
    api.http.workflow.replace_resource(&put, client.0.email.as_str(), Via::Api).await?;
    api.written(put).await?.pop().map(Json).ok_or(ApiError::NotFound)
}

/// Take a resource away
///
/// The resource as it was.
#[utoipa::path(
    delete, path = "/v1/spaces/{space}/resources/{resource}", operation_id = "deleteResource", tag = "resources",
    params(described::InSpace, described::OfResource),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "The resource as it was", body = Resource),
        openapi::Invalid, openapi::NotFound, openapi::Conflict, openapi::Guarded,
    ),
)]
pub async fn remove(
    State(api): State<Api>,
    client: Client,
    Path(path): Path<HashMap<String, String>>,
) -> Result<Json<Resource>, ApiError> {
    client.0.demand(Scope::Admin)?;
    let sight = api.sight(&client).await?;
    let everything = Filter { selector: Selector::default(), requestable: false, people: false };
    let found = api.named(&sight, &everything, named_in(&path)).await?.ok_or(ApiError::NotFound)?;
    let gone = [name_to_remove(named_in(&path))];
    if api.http.workflow.remove_resources(&gone, client.0.email.as_str(), Via::Api).await? {
        Ok(Json(found))
    } else {
        Err(ApiError::NotFound)
    }
}

fn name_to_remove(name: &str) -> Named {
    output::customer_id(name).map_or_else(|| Named::Other(name.to_owned()), Named::Customer)
}

/// Create or update many resources
///
/// Creates or updates all of them, or none.
#[utoipa::path(
    put, path = "/v1/spaces/{space}/resources:bulkUpdate", operation_id = "bulkUpdateResources", tag = "resources",
    params(described::InSpace),
    request_body(content = ResourcesBody, example = json!({ "resources": [{ "kind": "customer", "id": 123, "displayName": "AcmeCorp", "labels": { "plan": "enterprise" } }] })),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "Those that were written", body = Written),
        openapi::Invalid, openapi::NotFound, openapi::Conflict, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn bulk_update(
    State(api): State<Api>,
    Admin(client): Admin,
    Payload(body): Payload<ResourcesBody, BULK_LIMIT>,
) -> Result<Json<Written>, ApiError> {
    let put = api.put_of(body.resources)?;
    if !put.customers.is_empty() || !put.others.is_empty() {
        api.http.workflow.put_resources(&put, &Source::Upload, client.0.email.as_str(), Via::Api).await?;
    }
    Ok(Json(Written { resources: api.written(put).await? }))
}

/// Create or update many resources, as Indent's JavaScript SDK calls it
///
/// The same as PUT.
#[utoipa::path(
    post, path = "/v1/spaces/{space}/resources:bulkUpdate", operation_id = "bulkUpdateResourcesByPost", tag = "resources",
    params(described::InSpace),
    request_body(content = ResourcesBody),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "Those that were written", body = Written),
        openapi::Invalid, openapi::NotFound, openapi::Conflict, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn bulk_update_by_post(
    api: State<Api>,
    admin: Admin,
    body: Payload<ResourcesBody, BULK_LIMIT>,
) -> Result<Json<Written>, ApiError> {
    bulk_update(api, admin, body).await
}

/// Take many resources away
///
/// Deletes all of them, or none.
#[utoipa::path(
    post, path = "/v1/spaces/{space}/resources:bulkDelete", operation_id = "bulkDeleteResources", tag = "resources",
    params(described::InSpace),
    request_body(content = NamesBody, example = json!({ "resourceNames": ["cus_123"] })),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "They are gone", body = Nothing),
        openapi::Invalid, openapi::NotFound, openapi::Conflict, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn bulk_delete(
    State(api): State<Api>,
    Admin(client): Admin,
    Payload(body): Payload<NamesBody, BULK_LIMIT>,
) -> Result<Json<Nothing>, ApiError> {
    if body.resource_names.iter().any(|name| name.contains('\0')) {
        return Err(invalid("a name holds a NUL character"));
    }
    let names: std::collections::BTreeSet<String> = body.resource_names.into_iter().collect();
    let gone: Vec<Named> = names.iter().map(|name| name_to_remove(name)).collect();
    if gone.is_empty() || api.http.workflow.remove_resources(&gone, client.0.email.as_str(), Via::Api).await? {
        Ok(Json(Nothing {}))
    } else {
        Err(invalid("one of `resourceNames` is not there; nothing was deleted"))
    }
}

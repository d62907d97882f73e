//! What many routes take, for the document of the API.

use utoipa::{
    IntoParams,
    openapi::{
        Array, KnownFormat, Object, RefOr, Required, Schema, SchemaFormat, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

fn in_path(name: &str, says: &str, example: &str) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
    parameter.description(Some(says)).schema(Some(of(Type::String))).example(Some(example.into())).build()
}

fn in_query(name: &str, says: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(Required::False);
    parameter.description(Some(says)).schema(Some(schema)).build()
}

fn of(kind: Type) -> Object {
    Object::with_type(kind)
}

/// Groups of parameters, to be named in `params(…)`.
macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident = [$($parameter:expr),* $(,)?];)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![$($parameter),*]
            }
        }
    )*};
}

groups! {
    /// Every route of the API is below a space.
    InSpace = [in_path("space", "The space", "default")];
    OfPetition = [in_path("petition", "The petition's `name`", "05ccd8a7a31f4c00")];
    OfClaim = [in_path("claim", "The claim's `meta.name`", "clm_019b7e6f3b1c7d2e8f4a5b6c7d8e9f01")];
    OfResource = [in_path("resource", "The resource's label `indent.com/block`", "cus_123")];
    OfWebhook = [in_path("webhook", "The webhook's `name`", "production")];
    OfPolicy = [in_path("policy", "The policy's name", "requestable")];
    /// What every list takes.
    Paging = [
        in_query("pageSize", "At most so many; 1000 is the most, and what you get without it", page_size()),
        in_query("pageToken", "The `nextPageToken` of the page before; without it the first page", of(Type::String)),
    ];
    Selected = [in_query(
        "labelSelector",
        "Only those whose labels match, as Kubernetes writes it: `a=b,c!=d,e in (x,y),f,!g`",
        of(Type::String),
    )];
    Among = [in_query("among", "Only these, by their names; may be repeated", Array::new(of(Type::String)))];
    Ascending = [in_query("ascending", "Oldest first; else newest first", of(Type::Boolean))];
    View = [in_query("view", "`requestable`: only what the caller may ask for", of(Type::String))];
    /// A create that is sent again is the same petition.
    Once = [ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("A key of yours: sent again with it, this is the same petition; also the label `latchkey/petition`"))
        .schema(Some(of(Type::String)))
        .build()];
    Wait = [in_query(
        "wait",
        "Answer when the petition is decided, or after so long (at most a minute) as it stands then; like `30s`",
        wait(),
    )];
}

fn page_size() -> Object {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .build()
}

fn wait() -> Object {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[0-9]{1,2}(ms|s)?$"))
        .examples([serde_json::json!("30s")])
        .build()
}

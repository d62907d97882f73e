//! Block Kit as a table: every block, element and object we know, its fields, which are needed, and their limits.
//!
//! To add one: a row here. What is not in the table is refused, so that a typing mistake cannot pass for a feature.

/// What a field must hold. Numbers are the most characters or items.
#[derive(Clone, Copy)]
pub enum Rule {
    /// A plain_text object.
    Plain(usize),
    /// A plain_text or mrkdwn object.
    Text(usize),
    /// One to so many text objects, each of at most so many characters.
    Texts(usize, usize),
    Str(usize),
    Url,
    Bool,
    Int(i64, i64),
    /// A calendar day, `2026-11-24`.
    Day,
    /// A time of day, `17:00`.
    Hour,
    OneOf(&'static [&'static str]),
    Strings(usize),
    /// One to so many of these words.
    Words(&'static [&'static str], usize),
    /// One element of these types.
    Element(&'static [&'static str]),
    /// One to so many elements of these types.
    Elements(&'static [&'static str], usize),
    /// So many options; `true`: their text may be mrkdwn.
    Options(usize, bool),
    Groups,
    Option,
    Confirm,
    /// When a typed input tells of itself.
    Dispatch,
    /// Rows and columns of cells.
    Table(usize, usize),
    /// Anything but nothing.
    Any,
}

pub struct Field {
    pub name: &'static str,
    pub needed: bool,
    pub rule: Rule,
}

const fn must(name: &'static str, rule: Rule) -> Field {
    Field { name, needed: true, rule }
}

const fn may(name: &'static str, rule: Rule) -> Field {
    Field { name, needed: false, rule }
}

const STYLES: Rule = Rule::OneOf(&["primary", "danger"]);
const PICKERS: [Field; 3] =
    [may("placeholder", Rule::Plain(150)), may("confirm", Rule::Confirm), may("focus_on_load", Rule::Bool)];
const TYPED: [Field; 3] = [
    may("placeholder", Rule::Plain(150)),
    may("dispatch_action_config", Rule::Dispatch),
    may("focus_on_load", Rule::Bool),
];

const ACCESSORY: &[&str] = &[
    "button",
    "image",
    "overflow",
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "multi_static_select",
    "multi_external_select",
    "multi_users_select",
    "multi_conversations_select",
    "multi_channels_select",
    "datepicker",
    "timepicker",
    "radio_buttons",
    "checkboxes",
];
const ACTIONS: &[&str] = &[
    "button",
    "overflow",
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "datepicker",
    "timepicker",
    "datetimepicker",
    "radio_buttons",
    "checkboxes",
];
const INPUTS: &[&str] = &[
    "plain_text_input",
    "number_input",
    "email_text_input",
    "url_text_input",
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "multi_static_select",
    "multi_external_select",
    "multi_users_select",
    "multi_conversations_select",
    "multi_channels_select",
    "datepicker",
    "timepicker",
    "datetimepicker",
    "radio_buttons",
    "checkboxes",
];
/// What a context block may hold, text objects included.
pub const CONTEXT: &[&str] = &["plain_text", "mrkdwn", "image"];

/// The fields of a block, besides `type` and `block_id`. `None`: no such block.
pub fn block(kind: &str) -> Option<Vec<Field>> {
    Some(match kind {
        "section" => vec![
            may("text", Rule::Text(3000)),
            may("fields", Rule::Texts(10, 2000)),
            may("accessory", Rule::Element(ACCESSORY)),
            may("expand", Rule::Bool),
        ],
        "header" => vec![must("text", Rule::Plain(150))],
        "context" => vec![must("elements", Rule::Elements(CONTEXT, 10))],
        "actions" => vec![must("elements", Rule::Elements(ACTIONS, 25))],
        "divider" => vec![],
        "image" => {
            vec![must("image_url", Rule::Url), must("alt_text", Rule::Str(2000)), may("title", Rule::Plain(2000))]
        }
        "input" => vec![
            must("label", Rule::Plain(2000)),
            must("element", Rule::Element(INPUTS)),
            may("hint", Rule::Plain(2000)),
            may("optional", Rule::Bool),
            may("dispatch_action", Rule::Bool),
        ],
        "markdown" => vec![must("text", Rule::Str(12_000))],
        "rich_text" => vec![must("elements", Rule::Any)],
        "table" => vec![must("rows", Rule::Table(100, 20)), may("column_settings", Rule::Any)],
        _ => return None,
    })
}

/// The fields of an element, besides `type` and `action_id`. `None`: no such element.
pub fn element(kind: &str) -> Option<Vec<Field>> {
    let with = |more: Vec<Field>, base: [Field; 3]| more.into_iter().chain(base).collect();
    Some(match kind {
        "button" => vec![
            must("text", Rule::Plain(75)),
            may("value", Rule::Str(2000)),
            may("url", Rule::Url),
            may("style", STYLES),
            may("confirm", Rule::Confirm),
            may("accessibility_label", Rule::Str(75)),
        ],
        "image" => vec![must("image_url", Rule::Url), must("alt_text", Rule::Str(2000))],
        "overflow" => vec![must("options", Rule::Options(5, false)), may("confirm", Rule::Confirm)],
        "static_select" => with(
            vec![
                may("options", Rule::Options(100, false)),
                may("option_groups", Rule::Groups),
                may("initial_option", Rule::Option),
            ],
            PICKERS,
        ),
        "multi_static_select" => with(
            vec![
                may("options", Rule::Options(100, false)),
                may("option_groups", Rule::Groups),
                may("initial_options", Rule::Options(100, false)),
                may("max_selected_items", Rule::Int(1, 100)),
            ],
            PICKERS,
        ),
        "external_select" => {
            with(vec![may("initial_option", Rule::Option), may("min_query_length", Rule::Int(0, 3000))], PICKERS)
        }
        "multi_external_select" => with(
            vec![
                may("initial_options", Rule::Options(100, false)),
                may("min_query_length", Rule::Int(0, 3000)),
                may("max_selected_items", Rule::Int(1, 100)),
            ],
            PICKERS,
        ),
        "users_select" => with(vec![may("initial_user", Rule::Str(255))], PICKERS),
        "multi_users_select" => {
            with(vec![may("initial_users", Rule::Strings(100)), may("max_selected_items", Rule::Int(1, 100))], PICKERS)
        }
        "channels_select" => {
            with(vec![may("initial_channel", Rule::Str(255)), may("response_url_enabled", Rule::Bool)], PICKERS)
        }
        "multi_channels_select" => with(
            vec![may("initial_channels", Rule::Strings(100)), may("max_selected_items", Rule::Int(1, 100))],
            PICKERS,
        ),
        "conversations_select" => with(
            vec![
                may("initial_conversation", Rule::Str(255)),
                may("default_to_current_conversation", Rule::Bool),
                may("response_url_enabled", Rule::Bool),
                may("filter", Rule::Any),
            ],
            PICKERS,
        ),
        "multi_conversations_select" => with(
            vec![
                may("initial_conversations", Rule::Strings(100)),
                may("default_to_current_conversation", Rule::Bool),
                may("max_selected_items", Rule::Int(1, 100)),
                may("filter", Rule::Any),
            ],
            PICKERS,
        ),
        "datepicker" => with(vec![may("initial_date", Rule::Day)], PICKERS),
        "timepicker" => with(vec![may("initial_time", Rule::Hour), may("timezone", Rule::Str(255))], PICKERS),
        "datetimepicker" => vec![
            may("initial_date_time", Rule::Int(1_000_000_000, 9_999_999_999)),
            may("confirm", Rule::Confirm),
            may("focus_on_load", Rule::Bool),
        ],
        "radio_buttons" => vec![
            must("options", Rule::Options(10, true)),
            may("initial_option", Rule::Option),
            may("confirm", Rule::Confirm),
            may("focus_on_load", Rule::Bool),
        ],
        "checkboxes" => vec![
            must("options", Rule::Options(10, true)),
            may("initial_options", Rule::Options(10, true)),
            may("confirm", Rule::Confirm),
            may("focus_on_load", Rule::Bool),
        ],
        "plain_text_input" => with(
            vec![
                may("initial_value", Rule::Str(3000)),
                may("multiline", Rule::Bool),
                may("min_length", Rule::Int(0, 3000)),
                may("max_length", Rule::Int(1, 3000)),
            ],
            TYPED,
        ),
        "number_input" => with(
            vec![
                must("is_decimal_allowed", Rule::Bool),
                may("initial_value", Rule::Str(255)),
                may("min_value", Rule::Str(255)),
                may("max_value", Rule::Str(255)),
            ],
            TYPED,
        ),
        "email_text_input" | "url_text_input" => with(vec![may("initial_value", Rule::Str(3000))], TYPED),
        _ => return None,
    })
}

pub const CONFIRM: &[Field] = &[
    must("title", Rule::Plain(100)),
    must("text", Rule::Text(300)),
    must("confirm", Rule::Plain(30)),
    must("deny", Rule::Plain(30)),
    may("style", STYLES),
];

pub const DISPATCH: &[Field] =
    &[must("trigger_actions_on", Rule::Words(&["on_enter_pressed", "on_character_entered"], 2))];

/// An option; `url` is for overflow menus only.
pub fn option(mrkdwn: bool, url: bool) -> Vec<Field> {
    let text = |most| if mrkdwn { Rule::Text(most) } else { Rule::Plain(most) };
    let mut fields = vec![must("text", text(75)), must("value", Rule::Str(150)), may("description", text(75))];
    if url {
        fields.push(may("url", Rule::Url));
    }
    fields
}

pub fn option_group() -> Vec<Field> {
    vec![must("label", Rule::Plain(75)), must("options", Rule::Options(100, false))]
}

/// The fields of a view, besides `type` and `blocks`. `None`: no such view.
pub fn view(kind: &str) -> Option<Vec<Field>> {
    let common = [
        may("private_metadata", Rule::Str(3000)),
        may("callback_id", Rule::Str(255)),
        may("external_id", Rule::Str(255)),
    ];
    let modal = [
        must("title", Rule::Plain(24)),
        may("submit", Rule::Plain(24)),
        may("close", Rule::Plain(24)),
        may("clear_on_close", Rule::Bool),
        may("notify_on_close", Rule::Bool),
        may("submit_disabled", Rule::Bool),
    ];
    match kind {
        "modal" => Some(modal.into_iter().chain(common).collect()),
        "home" => Some(common.into()),
        _ => None,
    }
}

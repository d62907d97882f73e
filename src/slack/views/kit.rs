//! The pieces of messages, and the one place that keeps the limits of Block Kit.
//!
//! A [`Line`] says one thing twice: as mrkdwn for a block, and as text that stands alone, where no date and no mention
//! works. A [`Message`] puts lines into blocks. Lengths are UTF-16 units of the escaped text.

use jiff::Timestamp;
use slack_morphism::prelude::{
    SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackBlockButtonElement, SlackBlockButtonStyle,
    SlackBlockChoiceItem, SlackBlockConfirmItem, SlackBlockDateTimePickerElement, SlackBlockMarkDownText,
    SlackBlockMultiExternalSelectElement, SlackBlockPlainText, SlackBlockPlainTextInputElement,
    SlackBlockPlainTextOnly, SlackBlockStaticSelectElement, SlackBlockText, SlackBlockUsersSelectElement,
    SlackContextBlock, SlackHeaderBlock, SlackHomeView, SlackInputBlock, SlackInputBlockElement, SlackModalView,
    SlackSectionBlock, SlackView,
};

use super::Content;
use crate::{
    domain::person::Person,
    slack::text::{self, DateStyle},
};

const BLOCKS: usize = 50;
const TEXT: usize = 3000;
const ELEMENTS: usize = 25;
const BUTTON_TEXT: usize = 75;
const BUTTON_VALUE: usize = 2000;
const CONFIRM_TITLE: usize = 100;
const CONFIRM_TEXT: usize = 300;
const CONFIRM_BUTTON: usize = 30;
const MODAL_TITLE: usize = 24;
const LABEL: usize = 2000;
const METADATA: usize = 3000;
const OPTIONS: usize = 100;
const OPTION_VALUE: usize = 150;
const PLACEHOLDER: usize = 150;
const HOME_BLOCKS: usize = 100;
const HEADER: usize = 150;

/// Somebody's or something's name; leaves room for the sentence around it.
pub const NAME: usize = 120;
/// A sentence that was made elsewhere and may hold what somebody typed.
pub const SENTENCE: usize = 1500;
/// A reason or a note, in a block and in the text that stands alone.
const QUOTED: usize = 2000;
const QUOTED_ALONE: usize = 800;
const COMMAND: usize = 900;

/// One thing, said for a block and for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    shown: String,
    alone: String,
}

impl Line {
    pub fn new(words: &str) -> Self {
        Self::default().say(words)
    }

    /// Words of our own: taken as they are, so never anything that came from outside.
    pub fn say(mut self, words: &str) -> Self {
        self.shown.push_str(words);
        self.alone.push_str(words);
        self
    }

    /// The word that tells the state, bold.
    pub fn strong(mut self, words: &str) -> Self {
        self.shown.push_str(&format!("*{words}*"));
        self.alone.push_str(words);
        self
    }

    /// Text from outside.
    pub fn text(self, text: &str, max: usize) -> Self {
        self.say(&text::mrkdwn_user_text(text, max))
    }

    pub fn at(mut self, at: Timestamp, style: DateStyle) -> Self {
        self.shown.push_str(&text::date(at, style));
        self.alone.push_str(&match style {
            DateStyle::Moment | DateStyle::Time => text::utc(at),
            DateStyle::Second => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        });
        self
    }

    /// A label that leads somewhere.
    pub fn link(mut self, address: &str, label: &str) -> Self {
        self.shown.push_str(&text::link(address, label));
        self.alone.push_str(&text::mrkdwn_user_text(label, NAME));
        self
    }

    /// Mentioned, with the name for those whose client shows none.
    pub fn person(mut self, person: &Person) -> Self {
        let called = if person.name.trim().is_empty() { person.email.as_str() } else { &person.name };
        let name = text::mrkdwn_user_text(called, NAME);
        match &person.slack {
            Some(id) => self.shown.push_str(&format!("{} ({name})", text::mention(id.as_str()))),
            None => self.shown.push_str(&name),
        }
        self.alone.push_str(&name);
        self
    }

    /// Something to copy and type: code, in which nothing is formatted, so only its own fence could break it.
    pub fn code(mut self, command: &str) -> Self {
        let code = fit(&text::escape(&text::plain(command, COMMAND)).replace('`', "\u{2cb}"), COMMAND);
        self.shown.push_str(&format!("`{code}`"));
        self.alone.push_str(&code);
        self
    }

    pub fn then(mut self, other: &Line) -> Self {
        self.shown.push_str(&other.shown);
        self.alone.push_str(&other.alone);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }
}

/// A message under construction.
#[derive(Debug, Default)]
pub struct Message {
    blocks: Vec<SlackBlock>,
    alone: Vec<String>,
}

impl Message {
    pub fn new(first: &Line) -> Self {
        Self::default().say(first)
    }

    /// A section; an empty line adds none.
    pub fn say(mut self, line: &Line) -> Self {
        if !line.is_empty() {
            self.alone.push(line.alone.clone());
            self.blocks.push(section(&line.shown).into());
        }
        self
    }

    /// What somebody wrote, under a label; nothing for no text.
    pub fn quote(mut self, label: &str, text: &str) -> Self {
        let quoted = text::quote(text, QUOTED);
        if !quoted.is_empty() {
            self.blocks.push(section(&format!("*{label}*\n{quoted}")).into());
            self.alone.push(format!("{label}: “{}”", text::mrkdwn_user_text(text, QUOTED_ALONE)));
        }
        self
    }

    /// What somebody said, after who said it.
    pub fn said(mut self, who: &Line, words: &str, max: usize) -> Self {
        self.blocks.push(section(&format!("{}:\n{}", who.shown, text::quote(words, max))).into());
        self.alone.push(format!("{}: “{}”", who.alone, text::mrkdwn_user_text(words, QUOTED_ALONE)));
        self
    }

    /// Small print; an empty line adds none.
    pub fn note(mut self, line: &Line) -> Self {
        if !line.is_empty() {
            self.alone.push(line.alone.clone());
            self.blocks.push(SlackContextBlock::new(vec![mrkdwn(&line.shown).into()]).into());
        }
        self
    }

    pub fn buttons(mut self, buttons: Vec<Button>) -> Self {
        let elements: Vec<SlackActionBlockElement> =
            buttons.into_iter().take(ELEMENTS).map(|button| button.element().into()).collect();
        if !elements.is_empty() {
            self.blocks.push(SlackActionsBlock::new(elements).into());
        }
        self
    }

    /// The title of a part of the Home tab.
    pub fn header(mut self, words: &str) -> Self {
        self.blocks.push(SlackHeaderBlock::new(plain(words, HEADER)).into());
        self.alone.push(words.to_owned());
        self
    }

    /// The whole as a form that asks nothing: it can only be closed.
    pub fn modal(mut self, title: &str) -> SlackView {
        self.blocks.truncate(HOME_BLOCKS);
        SlackView::Modal(
            SlackModalView::new(plain(title, MODAL_TITLE), self.blocks).with_close(plain("Close", MODAL_TITLE)),
        )
    }

    /// The whole as a Home tab, which shows no text beside its blocks.
    pub fn home(mut self) -> SlackView {
        self.blocks.truncate(HOME_BLOCKS);
        SlackView::Home(SlackHomeView::new(self.blocks))
    }

    pub fn finish(mut self) -> Content {
        self.blocks.truncate(BLOCKS);
        Content { text: fit(&self.alone.join("\n"), TEXT), blocks: self.blocks }
    }
}

/// A button; `value` is a petition's name, which carries no right.
#[derive(Clone, Debug)]
pub struct Button {
    action: &'static str,
    text: &'static str,
    value: String,
    style: Option<SlackBlockButtonStyle>,
    confirm: Option<SlackBlockConfirmItem>,
}

impl Button {
    pub fn new(action: &'static str, text: &'static str, value: &str) -> Self {
        Self { action, text, value: value.to_owned(), style: None, confirm: None }
    }

    pub fn primary(self) -> Self {
        Self { style: Some(SlackBlockButtonStyle::Primary), ..self }
    }

    pub fn danger(self) -> Self {
        Self { style: Some(SlackBlockButtonStyle::Danger), ..self }
    }

    /// Asks again before it is sent. `text` is the sentence that says what will happen.
    pub fn confirm(self, title: &str, text: &Line, yes: &str, no: &str) -> Self {
        let text = SlackBlockText::MarkDown(mrkdwn_of(&text.alone, CONFIRM_TEXT));
        let item = SlackBlockConfirmItem::new(
            plain(title, CONFIRM_TITLE),
            text,
            plain(yes, CONFIRM_BUTTON),
            plain(no, CONFIRM_BUTTON),
        );
        let style = match self.style {
            Some(SlackBlockButtonStyle::Danger) => "danger",
            Some(SlackBlockButtonStyle::Primary) | None => "primary",
        };
        Self { confirm: Some(item.with_style(style.to_owned())), ..self }
    }

    fn element(self) -> SlackBlockButtonElement {
        SlackBlockButtonElement::new(plain(self.text, BUTTON_TEXT))
            .with_action_id(self.action.into())
            .with_value(text::plain(&self.value, BUTTON_VALUE))
            .opt_style(self.style)
            .opt_confirm(self.confirm)
    }
}

/// A form with one field of several lines that must be filled in.
pub struct Form<'a> {
    pub callback_id: &'static str,
    pub title: &'static str,
    pub submit: &'static str,
    pub close: &'static str,
    /// What comes back when it is sent; everybody who is shown the form could read it.
    pub metadata: &'a str,
    pub intro: Line,
    pub block_id: &'static str,
    pub action_id: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    /// At most 3000.
    pub max_length: u64,
}

impl Form<'_> {
    pub fn view(self) -> SlackView {
        let field = SlackBlockPlainTextInputElement::new()
            .with_action_id(self.action_id.into())
            .with_multiline(true)
            .with_max_length(self.max_length)
            .with_focus_on_load(true);
        let input = SlackInputBlock::new(plain(self.label, LABEL), SlackInputBlockElement::PlainTextInput(field))
            .with_block_id(self.block_id.to_owned().into())
            .with_hint(plain(self.hint, LABEL));
        let blocks = vec![section(&self.intro.shown).into(), input.into()];
        SlackView::Modal(
            SlackModalView::new(plain(self.title, MODAL_TITLE), blocks)
                .with_submit(plain(self.submit, MODAL_TITLE))
                .with_close(plain(self.close, MODAL_TITLE))
                .with_callback_id(self.callback_id.into())
                .with_private_metadata(text::plain(self.metadata, METADATA)),
        )
    }
}

/// A form of several fields, each in a block that is called like its input.
pub struct Fields {
    blocks: Vec<SlackBlock>,
}

impl Fields {
    pub fn new(intro: &Line) -> Self {
        Self { blocks: vec![section(&intro.shown).into()] }
    }

    /// One of these values, by their labels; nothing where there is nothing to choose from.
    pub fn choose(mut self, block: &'static str, label: &str, options: &[(String, String)], first: usize) -> Self {
        let options: Vec<_> = options
            .iter()
            .take(OPTIONS)
            .map(|(value, label)| SlackBlockChoiceItem::new(plain(label, BUTTON_TEXT), text::plain(value, BUTTON_TEXT)))
            .collect();
        if let Some(initial) = options.get(first).cloned() {
            let select = SlackBlockStaticSelectElement::new()
                .with_action_id(block.into())
                .with_options(options)
                .with_initial_option(initial);
            let input = SlackInputBlock::new(plain(label, LABEL), SlackInputBlockElement::StaticSelect(select));
            self.blocks.push(input.with_block_id(block.to_owned().into()).into());
        }
        self
    }

    /// Up to `most` of what [`Choice`]s a typeahead offers, already from the first letter on and before it.
    pub fn look_up(mut self, block: &'static str, label: &str, hint: &str, initial: Vec<Choice>, most: u64) -> Self {
        let select = SlackBlockMultiExternalSelectElement::new()
            .with_action_id(block.into())
            .with_placeholder(plain(hint, PLACEHOLDER))
            .with_min_query_length(0)
            .with_max_selected_items(most)
            .opt_initial_options(Some(initial).filter(|initial| !initial.is_empty()));
        let input = SlackInputBlock::new(plain(label, LABEL), SlackInputBlockElement::MultiExternalSelect(select));
        self.blocks.push(input.with_block_id(block.to_owned().into()).into());
        self
    }

    /// Somebody of the workspace, or nobody.
    pub fn person(mut self, block: &'static str, label: &str, hint: &str) -> Self {
        let select = SlackBlockUsersSelectElement::new().with_action_id(block.into());
        let input = SlackInputBlock::new(plain(label, LABEL), SlackInputBlockElement::UsersSelect(select));
        self.blocks.push(optional(input, block, hint));
        self
    }

    /// A moment on the clock of whoever fills it in, or none.
    pub fn moment(mut self, block: &'static str, label: &str, hint: &str) -> Self {
        let picker = SlackBlockDateTimePickerElement::new().with_action_id(block.into());
        let input = SlackInputBlock::new(plain(label, LABEL), SlackInputBlockElement::DateTimePicker(picker));
        self.blocks.push(optional(input, block, hint));
        self
    }

    /// One line, which may stay empty, or several, which must not.
    pub fn text(mut self, block: &'static str, label: &str, hint: &str, initial: &str, long: bool, max: u64) -> Self {
        let initial = text::plain(&inert(initial), usize::try_from(max).unwrap_or(TEXT));
        let field = SlackBlockPlainTextInputElement::new()
            .with_action_id(block.into())
            .with_multiline(long)
            .with_max_length(max)
            .opt_initial_value((!initial.is_empty()).then_some(initial));
        let input = SlackInputBlock::new(plain(label, LABEL), SlackInputBlockElement::PlainTextInput(field));
        let input = input.with_block_id(block.to_owned().into()).with_hint(plain(hint, LABEL)).with_optional(!long);
        self.blocks.push(input.into());
        self
    }

    pub fn view(self, callback_id: &'static str, title: &str, submit: &str, metadata: &str) -> SlackView {
        SlackView::Modal(
            SlackModalView::new(plain(title, MODAL_TITLE), self.blocks)
                .with_submit(plain(submit, MODAL_TITLE))
                .with_close(plain("Cancel", MODAL_TITLE))
                .with_callback_id(callback_id.into())
                .opt_private_metadata(Some(text::plain(&inert(metadata), METADATA)).filter(|text| !text.is_empty())),
        )
    }
}

/// Something that a typeahead offers.
pub type Choice = SlackBlockChoiceItem<SlackBlockPlainTextOnly>;

/// `None` where nobody could see it, or Slack would not send back the value as it is. The description may be empty.
pub fn choice(label: &str, value: &str, description: &str) -> Option<Choice> {
    let (label, description) = (text::plain(&inert(label), BUTTON_TEXT), text::plain(&inert(description), BUTTON_TEXT));
    if label.is_empty() || value.is_empty() || units(value) > OPTION_VALUE {
        return None;
    }
    let described = Some(plain(&description, BUTTON_TEXT)).filter(|_| !description.is_empty());
    Some(SlackBlockChoiceItem::new(plain(&label, BUTTON_TEXT), value.to_owned()).opt_description(described))
}

/// What a typeahead is answered: groups that are not empty, each under its label.
pub fn choices(groups: Vec<(&str, Vec<Choice>)>) -> serde_json::Value {
    let groups: Vec<serde_json::Value> = groups
        .into_iter()
        .filter(|(_, choices)| !choices.is_empty())
        .map(|(label, choices)| {
            let choices = &choices[..choices.len().min(OPTIONS)];
            serde_json::json!({ "label": plain(label, BUTTON_TEXT), "options": choices })
        })
        .collect();
    match groups.is_empty() {
        true => serde_json::json!({ "options": [] }),
        false => serde_json::json!({ "option_groups": groups }),
    }
}

/// Nothing is markup in what is shown as it stands, and nothing is to become a ping where somebody copies it on.
fn inert(text: &str) -> String {
    text.replace("<!", "< !")
}

fn optional(input: SlackInputBlock, block: &'static str, hint: &str) -> SlackBlock {
    input.with_block_id(block.to_owned().into()).with_hint(plain(hint, LABEL)).with_optional(true).into()
}

fn section(shown: &str) -> SlackSectionBlock {
    SlackSectionBlock::new().with_text(mrkdwn(shown).into())
}

fn mrkdwn(shown: &str) -> SlackBlockMarkDownText {
    mrkdwn_of(shown, TEXT)
}

/// `verbatim`: Slack makes no links and no mentions of its own from what somebody typed.
fn mrkdwn_of(shown: &str, max: usize) -> SlackBlockMarkDownText {
    SlackBlockMarkDownText::new(fit(shown, max)).with_verbatim(true)
}

fn plain(words: &str, max: usize) -> SlackBlockPlainTextOnly {
    SlackBlockPlainText::new(text::plain(words, max)).with_emoji(false).into()
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Cuts escaped text to so many units, never inside an entity, a mention or a date.
fn fit(escaped: &str, max: usize) -> String {
    if units(escaped) <= max {
        return escaped.to_owned();
    }
    let mut end = 0;
    let mut left = max.saturating_sub(1);
    while let Some(c) = escaped[end..].chars().next() {
        let rest = &escaped[end..];
        let close = match c {
            '<' => rest.find('>'),
            '&' => rest.find(';'),
            _ => None,
        };
        let length = close.map_or(c.len_utf8(), |close| close + 1);
        let Some(after) = left.checked_sub(units(&rest[..length])) else { break };
        left = after;
        end += length;
    }
    format!("{}…", escaped[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_never_inside_what_belongs_together() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abcde…");
        assert_eq!(fit("ab &amp; cd", 7), "ab…");
        assert_eq!(fit("ab <@U0BO> cd", 11), "ab <@U0BO>…");
        assert_eq!(fit("ab <@U0BO> cd", 10), "ab…");
        assert_eq!(fit("😀😀", 3), "😀…");
    }

    #[test]
    fn code_can_be_copied_and_not_broken_out_of() {
        let line = Line::default().code("/access customer \"R&D\" to `fix` *it*");
        assert_eq!(line.shown, "`/access customer \"R&amp;D\" to \u{2cb}fix\u{2cb} *it*`");
        assert_eq!(line.alone, "/access customer \"R&amp;D\" to \u{2cb}fix\u{2cb} *it*");
    }
}

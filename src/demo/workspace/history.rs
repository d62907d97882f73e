//! `conversations.history` and `conversations.replies`: what stands in a place, a page at a time.

use serde_json::{Value, json};

use super::{
    Workspace,
    methods::{Args, Failure, Outcome, needed, text, yes},
    model::{Message, State},
};

/// As many as one page may have.
const MOST: usize = 999;
const USUALLY: usize = 100;

/// The message from which a page begins.
const CURSOR: &str = "next_ts:";

struct Window {
    oldest: String,
    latest: Option<String>,
    inclusive: bool,
    limit: usize,
    cursor: Option<String>,
}

impl Window {
    fn of(args: &Args) -> Result<Self, Failure> {
        let stamp = |name: &str, error: &str| match text(args, name) {
            None => Ok(None),
            Some(ts) if ts.parse::<f64>().is_ok_and(|ts| ts >= 0.0) => Ok(Some(ts)),
            Some(_) => Err(Failure::new(error)),
        };
        let limit = match text(args, "limit").map(|limit| limit.parse::<usize>()) {
            None => USUALLY,
            Some(Ok(limit @ 1..=MOST)) => limit,
            Some(Ok(_) | Err(_)) => return Err(Failure::new("invalid_limit")),
        };
        let cursor = match text(args, "cursor") {
            None => None,
            Some(cursor) => match cursor.strip_prefix(CURSOR) {
                Some(ts) => Some(ts.to_owned()),
                None => return Err(Failure::new("invalid_cursor")),
            },
        };
        Ok(Self {
            oldest: stamp("oldest", "invalid_ts_oldest")?.unwrap_or_else(|| "0".to_owned()),
            latest: stamp("latest", "invalid_ts_latest")?,
            inclusive: yes(args, "inclusive"),
            limit,
            cursor,
        })
    }

    fn has(&self, ts: &str) -> bool {
        let number = |ts: &str| ts.parse::<f64>().unwrap_or_default();
        let (oldest, ts) = (number(&self.oldest), number(ts));
        let latest = self.latest.as_deref().map_or(f64::INFINITY, number);
        (oldest < ts && ts < latest) || (self.inclusive && (ts == oldest || ts == latest))
    }

    /// The page that begins at the cursor, and the cursor of the next.
    fn page<'a>(&self, mut messages: Vec<&'a Message>) -> Result<(Vec<&'a Message>, Option<String>), Failure> {
        if let Some(ts) = &self.cursor {
            let at = messages.iter().position(|message| message.ts == *ts);
            messages.drain(..at.ok_or_else(|| Failure::new("invalid_cursor"))?);
        }
        let next = messages.get(self.limit).map(|message| format!("{CURSOR}{}", message.ts));
        messages.truncate(self.limit);
        Ok((messages, next))
    }
}

impl Workspace {
    /// Newest first, without what is in threads.
    pub(super) fn history(&self, state: &State, args: &Args) -> Outcome {
        let channel = self.readable(state, &needed(args, "channel")?)?;
        let window = Window::of(args)?;
        let there = state.messages.iter().rev().filter(|message| message.channel == channel);
        let there = there.filter(|message| !message.ephemeral && !message.is_reply() && window.has(&message.ts));
        self.shown(args, window.page(there.collect())?)
    }

    /// The message above, and what is under it, oldest first.
    pub(super) fn thread(&self, state: &State, args: &Args) -> Outcome {
        let (channel, ts) = (self.readable(state, &needed(args, "channel")?)?, needed(args, "ts")?);
        let above = state.message(&channel, &ts).filter(|message| !message.ephemeral);
        let above = above.ok_or_else(|| Failure::new("thread_not_found"))?;
        let root = above.thread_ts.clone().unwrap_or(ts);
        let window = Window::of(args)?;
        let there = state.messages.iter().filter(|message| message.channel == channel && !message.ephemeral);
        let there = there.filter(|message| {
            message.ts == root || (message.thread_ts.as_ref() == Some(&root) && window.has(&message.ts))
        });
        self.shown(args, window.page(there.collect())?)
    }

    /// Where the bot may read: what it is in, archived or not. It is not told of private channels of others.
    fn readable(&self, state: &State, id: &str) -> Result<String, Failure> {
        match state.channel(id) {
            Some(channel) if channel.bot_is_member => Ok(channel.id.clone()),
            Some(channel) if !channel.private => Err(Failure::new("not_in_channel")),
            Some(_) => Err(Failure::new("channel_not_found")),
            // Unlike chat.postMessage this takes no person's id.
            None => state.dm_owner(id).map(|_| id.to_owned()).ok_or_else(|| Failure::new("channel_not_found")),
        }
    }

    fn shown(&self, args: &Args, (messages, next): (Vec<&Message>, Option<String>)) -> Outcome {
        let told = yes(args, "include_all_metadata");
        let shown = messages.iter().map(|message| {
            let mut shown = self.message_json(message);
            if let (false, Value::Object(fields)) = (told, &mut shown) {
                fields.remove("metadata");
            }
            shown
        });
        let mut answer = json!({ "messages": shown.collect::<Vec<_>>(), "has_more": next.is_some() });
        if let Some(next) = next {
            answer["response_metadata"] = json!({ "next_cursor": next });
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::bench::Bench;

    const ALL: [&str; 4] = ["chat:write", "channels:history", "groups:history", "im:history"];

    fn texts(answer: &Value) -> Vec<&str> {
        answer["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_place_is_read_by_pages_and_metadata_where_it_is_asked_for() {
        let bench = Bench::new().await;
        bench.slack.set_scopes(&ALL);
        let metadata = json!({ "event_type": "latchkey_message", "event_payload": { "id": "msg_1" } });
        let stamped = json!({ "channel": "C0ACCESS", "text": "one", "metadata": metadata });
        let first = bench.post("chat.postMessage", stamped).await["ts"].as_str().unwrap().to_owned();
        let reply = json!({ "channel": "C0ACCESS", "text": "under one", "thread_ts": first });
        bench.post("chat.postMessage", reply).await;
        for text in ["two", "three"] {
            bench.say("C0ACCESS", text).await;
        }
        let page = bench.get("conversations.history", "channel=C0ACCESS&limit=2&include_all_metadata=true").await;
        assert_eq!((texts(&page), &page["has_more"]), (vec!["three", "two"], &json!(true)));
        let next = page["response_metadata"]["next_cursor"].as_str().unwrap();
        let query = format!("channel=C0ACCESS&limit=2&include_all_metadata=true&cursor={next}");
        let rest = bench.get("conversations.history", &query).await;
        assert_eq!((texts(&rest), &rest["has_more"]), (vec!["one"], &json!(false)));
        assert_eq!(rest["messages"][0]["metadata"], metadata);
        let plain = bench.get("conversations.history", "channel=C0ACCESS").await;
        assert!(plain["messages"][2].get("metadata").is_none(), "{plain}");
        let since = bench.get("conversations.history", &format!("channel=C0ACCESS&oldest={first}")).await;
        assert_eq!(texts(&since), ["three", "two"]);
        let thread = bench.get("conversations.replies", &format!("channel=C0ACCESS&ts={first}")).await;
        assert_eq!(texts(&thread), ["one", "under one"]);
        assert!(bench.slack.violations().is_empty(), "{:?}", bench.slack.violations());
    }

    #[tokio::test]
    async fn only_what_the_bot_is_in_and_may_read_is_read() {
        let bench = Bench::new().await;
        bench.slack.set_scopes(&ALL);
        bench.slack.add_channel("C0SECRET", "secret", &["U0ANA"], false);
        bench.slack.make_private("C0SECRET");
        bench.slack.archive_channel("C0ACCESS");
        let places = [
            ("C0ACCESS", Value::Null),
            ("D0ANA", Value::Null),
            ("C0OTHER", json!("not_in_channel")),
            ("C0SECRET", json!("channel_not_found")),
            ("U0ANA", json!("channel_not_found")),
        ];
        for (place, error) in places {
            let answer = bench.get("conversations.history", &format!("channel={place}")).await;
            assert_eq!(answer["error"], error, "{place}");
        }
        for (query, error) in [
            ("channel=D0ANA&limit=1000", "invalid_limit"),
            ("channel=D0ANA&cursor=x", "invalid_cursor"),
            ("channel=D0ANA&oldest=x", "invalid_ts_oldest"),
        ] {
            assert_eq!(bench.get("conversations.history", query).await["error"], error, "{query}");
        }
        assert_eq!(bench.get("conversations.replies", "channel=D0ANA&ts=1.0").await["error"], "thread_not_found");
        for (place, scope) in
            [("C0ACCESS", "channels:history"), ("C0SECRET", "groups:history"), ("D0ANA", "im:history")]
        {
            let rest: Vec<&str> = ALL.into_iter().filter(|has| *has != scope).collect();
            bench.slack.set_scopes(&rest);
            let answer = bench.get("conversations.history", &format!("channel={place}")).await;
            assert_eq!((&answer["error"], &answer["needed"]), (&json!("missing_scope"), &json!(scope)), "{place}");
        }
    }
}

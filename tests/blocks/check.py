"""What was sent to Slack, judged by slack_sdk's models and by what those miss. See tests/blocks.sh.

check.py FOLDER            judges the files that tests/it/harness/sent.rs left there
check.py --bad FOLDER      checks that bad ones are found, and leaves there those that slackblocks must find as well
"""

import json
import logging
import pathlib
import re
import sys

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block, Option, OptionGroup
from slack_sdk.models.views import View

# It warns of every field it does not know; the comparison below fails for those.
logging.disable(logging.CRITICAL)

# Slack does not say what it counts; in UTF-16 a text is longest.
LIMITS = {"button": 75, "option": 75, "value of an option": 75, "text": 4000, "field": 2000, "private_metadata": 3000}
# Fewer than this of a kind, and the tests did not leave what they used to.
LEAST = {"message": 100, "modal": 2, "home": 5}
SPECIAL = re.compile(r"<!(channel|here|everyone)\b")
# These take plain_text only.
PLAIN = {"label", "hint", "placeholder", "title", "submit", "close"}
ARRAYS = {"blocks", "elements", "options", "option_groups", "fields", "initial_options"}


def units(text):
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def difference(sent, understood, at=""):
    """Where what slack_sdk understood is not what was sent; None: nowhere."""
    if isinstance(sent, dict) and isinstance(understood, dict):
        for name in sorted(sent.keys() | understood.keys()):
            if name not in understood:
                return f"{at}/{name} is not understood"
            if name not in sent:
                return f"{at}/{name} is missing"
            found = difference(sent[name], understood[name], f"{at}/{name}")
            if found:
                return found
        return None
    if isinstance(sent, list) and isinstance(understood, list) and len(sent) == len(understood):
        found = (difference(one, other, f"{at}/{index}") for index, (one, other) in enumerate(zip(sent, understood)))
        return next(filter(None, found), None)
    return None if sent == understood else f"{at} is understood as {json.dumps(understood)[:80]}"


def by_slack_sdk(kind, payload):
    try:
        if kind == "message":
            blocks = payload.get("blocks", [])
            parsed = Block.parse_all(blocks)
            unknown = [block["type"] for block, known in zip(blocks, parsed) if known is None]
            if unknown:
                return [f"slack_sdk: no such block: {unknown}"]
            found = [difference(blocks, [block.to_dict() for block in parsed])]
        elif kind == "options":
            options, groups = payload.get("options", []), payload.get("option_groups", [])
            found = [
                difference(options, [option.to_dict() for option in Option.parse_all(options) or []], "/options"),
                difference(groups, [group.to_dict() for group in OptionGroup.parse_all(groups) or []], "/option_groups"),
            ]
        else:
            found = [difference(payload, View(**payload).to_dict())]
    except (SlackObjectFormationError, AttributeError, TypeError, KeyError) as error:
        return [f"slack_sdk: {error}"]
    return [f"slack_sdk: {one}" for one in found if one]


def walk(value, at=""):
    """Every object in it, with its place."""
    if isinstance(value, dict):
        yield at, value
        for name, child in value.items():
            yield from walk(child, f"{at}/{name}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from walk(child, f"{at}/{index}")


def twice(names):
    return sorted({name for name in names if names.count(name) > 1})


def by_us(kind, payload):
    faults = []
    if kind == "message":
        text = payload.get("text")
        if not isinstance(text, str) or not text.strip():
            faults.append("no text beside the blocks, for notifications and screen readers")
        elif units(text) > LIMITS["text"]:
            faults.append(f"the text has {units(text)} characters")
        if len(payload.get("blocks", [])) > 50:
            faults.append("more than 50 blocks")
        if "link_names" in payload or payload.get("parse", "none") != "none":
            faults.append("names in the text would be linked")
    if kind == "modal":
        blocks = payload.get("blocks", [])
        if any(block.get("type") == "input" for block in blocks) and not payload.get("submit"):
            faults.append("inputs without submit")
        if units(payload.get("private_metadata", "")) > LIMITS["private_metadata"]:
            faults.append("private_metadata is too long")
    if kind == "options" and len(payload.get("options", [])) > 100:
        faults.append("more than 100 options")
    ids = [block["block_id"] for block in payload.get("blocks", []) if "block_id" in block]
    if twice(ids):
        faults.append(f"two blocks with one block_id: {twice(ids)}")
    for at, found in walk(payload):
        for name in ARRAYS & found.keys():
            # The answer to a search may be that there is nothing.
            if found[name] == [] and not (kind == "options" and at == ""):
                faults.append(f"{at}/{name} is empty")
        texts = {name: found[name] for name in PLAIN & found.keys()}
        if found.get("type") in ("button", "header"):
            texts["text"] = found.get("text", {})
        for name, text in texts.items():
            if isinstance(text, dict) and text.get("type") != "plain_text":
                faults.append(f"{at}/{name} is not plain_text")
        for index, field in enumerate(found.get("fields", [])):
            if units(field["text"]) > LIMITS["field"]:
                faults.append(f"{at}/fields/{index} is too long")
        parts = [*found.get("elements", []), *filter(None, [found.get("accessory"), found.get("element")])]
        actions = [part["action_id"] for part in parts if isinstance(part, dict) and "action_id" in part]
        if twice(actions):
            faults.append(f"{at}: two elements with one action_id: {twice(actions)}")
        if found.get("type") == "button" and units(found.get("text", {}).get("text", "")) > LIMITS["button"]:
            faults.append(f"{at}: the text of a button is too long")
        for name in ("options", "initial_options"):
            for option in found.get(name, []):
                if units(option["text"]["text"]) > LIMITS["option"] or units(option["value"]) > LIMITS["value of an option"]:
                    faults.append(f"{at}/{name}: an option is too long")
            if name == "options" and twice([option["value"] for option in found.get(name, [])]):
                faults.append(f"{at}: two options with one value")
        if found.get("type") in ("mrkdwn", "plain_text") or "text" in found and at == "":
            text = found.get("text") if isinstance(found.get("text"), str) else ""
            most = 3000 if "type" in found else LIMITS["text"]
            if SPECIAL.search(text):
                faults.append(f"{at}: calls everybody: {text[:80]}")
            if units(text) > most:
                faults.append(f"{at}: {units(text)} characters")
    return faults


def judge(kind, payload):
    if kind not in ("message", "modal", "home", "options"):
        return [f"no such kind: {kind}"]
    return by_slack_sdk(kind, payload) + by_us(kind, payload)


def judge_folder(folder):
    counts, wrong = {}, 0
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        kept = json.loads(path.read_text())
        counts[kept["kind"]] = counts.get(kept["kind"], 0) + 1
        faults = judge(kept["kind"], kept["payload"])
        wrong += bool(faults)
        for fault in faults:
            print(f"{path}: {kept['by']}: {fault}")
    print("slack_sdk:", ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())), f"payloads, {wrong} of them wrong")
    few = [kind for kind, least in LEAST.items() if counts.get(kind, 0) < least]
    if few:
        print(f"too few of {few} in {folder}: did the tests run?")
    return not wrong and not few


def plain(text):
    return {"type": "plain_text", "text": text}


def section(text, **more):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def message(*blocks, text="Ana asks"):
    return {"channel": "C0ACCESS", "text": text, "blocks": list(blocks)}


def button(action, text="Approve", **more):
    return {"type": "button", "action_id": action, "text": plain(text), **more}


def modal(*blocks, **more):
    return {"type": "modal", "title": plain("Deny"), "blocks": list(blocks), **more}


GOOD = ("message", message(section("*Ana* asks"), {"type": "actions", "elements": [button("approve", style="primary")]}))
INPUT = {"type": "input", "block_id": "a", "label": plain("Why?"), "element": {"type": "plain_text_input", "action_id": "a"}}
# What must be found; True: by slackblocks as well.
BAD = [
    (True, "message", message(section("x" * 3001))),
    (True, "message", message({"type": "of_a_later_version"})),
    (True, "message", message({"type": "header", "text": {"type": "mrkdwn", "text": "*x*"}})),
    (True, "message", message({"type": "actions", "elements": [button("approve", "x" * 76)]})),
    (True, "message", message({"type": "actions", "elements": [button("approve", style="loud")]})),
    (True, "message", message(*[section("x")] * 51)),
    (True, "modal", modal(INPUT)),
    (True, "modal", modal(section("x"), title=plain("x" * 25))),
    (True, "home", {"type": "home", "blocks": [section("x")] * 101}),
    (True, "options", {"options": [{"text": plain("x" * 76), "value": "1"}]}),
    (False, "message", message(section("x", colour="red"))),
    (False, "message", message(section("x"), text="")),
    (False, "message", message(section("see <!here>"))),
    (False, "message", message(section("x"), text="<!channel|all>")),
    (False, "message", message(section("😀" * 1600))),
    (False, "message", message(section("x", block_id="a"), section("y", block_id="a"))),
    (False, "message", message({"type": "actions", "elements": [button("a"), button("a")]})),
    (False, "message", message({"type": "actions", "elements": []})),
    (True, "message", message({"type": "section", "fields": [plain("x" * 2001)]})),
    (False, "options", {"options": [{"text": plain("x"), "value": "1"}, {"text": plain("y"), "value": "1"}]}),
]


def find_bad(folder):
    assert not judge(*GOOD), judge(*GOOD)
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    for index, (by_both, kind, payload) in enumerate(BAD):
        assert judge(kind, payload), f"nothing is found wrong with {json.dumps(payload)[:200]}"
        if by_both:
            kept = {"kind": kind, "by": "nobody", "payload": payload}
            (pathlib.Path(folder) / f"{index:02}.json").write_text(json.dumps(kept))
    return True


if __name__ == "__main__":
    done = find_bad(sys.argv[2]) if sys.argv[1] == "--bad" else judge_folder(sys.argv[1])
    sys.exit(0 if done else 1)

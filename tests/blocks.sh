#!/usr/bin/env bash
# What the tests made Latchkey send to Slack, judged by two validators that are not ours: the models of Slack's own Python
# SDK, and the Rust crate slackblocks; and by what both of them miss. `cargo test --test it` leaves the payloads. Needs
# python3 with venv, and PyPI and crates.io for the first run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source .ci/shared.sh

target=$(target_folder)
payloads=$target/tmp/slack-payloads
[[ -d $payloads ]] || fail "there is no $payloads; it is what \`cargo test --test it\` leaves"

venv=$target/blocks-venv
venv "$venv" slack_sdk==3.47.0
CARGO_TARGET_DIR=$target/blocks cargo build --quiet --locked --manifest-path tests/blocks/Cargo.toml
slackblocks=$target/blocks/debug/blocks

# Each must find what is bad, or its word is worth nothing.
bad=$(mktemp -d)
trap 'rm -rf "$bad"' EXIT
"$venv/bin/python" tests/blocks/check.py --bad "$bad"
for one in "$bad"/*.json; do
    mkdir "$bad/one"
    mv "$one" "$bad/one/"
    ! "$slackblocks" "$bad/one" >/dev/null || fail "slackblocks finds nothing wrong with $(cat "$bad"/one/*)"
    rm -r "$bad/one"
done

"$venv/bin/python" tests/blocks/check.py "$payloads" || fail "what slack_sdk or we find is above"
"$slackblocks" "$payloads" || fail "what slackblocks finds is above"

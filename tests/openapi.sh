#!/usr/bin/env bash
# Thousands of generated requests to a running server: whatever they are, what comes back is what /openapi.json says, and
# never a 5xx. Needs python3 with venv, and PyPI for the first run. `tests/openapi.sh [BINARY]`; one is built if need be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source .ci/shared.sh

target=$(target_folder)
if [[ -n ${1:-} ]]; then
    latchkey=$(realpath "$1")
else
    cargo build --locked
    latchkey=$target/debug/latchkey
fi

venv=$target/openapi-venv
venv "$venv" schemathesis==4.32.5 openapi-spec-validator==0.7.1

scratch=$(mktemp -d)
server=
finish() {
    [[ -z $server ]] || { kill "$server" 2>/dev/null && wait "$server"; } || true
    rm -rf "$scratch"
}
trap finish EXIT

cat >"$scratch/latchkey.toml" <<'TOML'
[access]
default_duration = "4h"
max_duration = "24h"
roles = ["readonly", "admin"]

[[rule]]
name = "alone"
match = { plan = "free" }
require = [{ reviewers = ["ana@acme.test"] }]
self_approval = true

[[rule]]
name = "everyone else"
require = [{ reviewers = ["bo@acme.test", "cy@acme.test"] }]

[[provisioner]]
name = "production"
kind = "webhook"
url = "http://127.0.0.1:9/"
secret = "wks0GENERATEDREQUESTS"
dry_run = true
TOML
python3 - "$scratch/customers.db" <<'PYTHON'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, plan TEXT)")
    db.executemany("INSERT INTO customers VALUES (?, ?, ?)",
        [(123, "AcmeCorp", "enterprise"), (124, "Globex", "free"), (125, "Initech", None)])
PYTHON

# Nothing of the environment outside reaches it.
run() {
    exec env -i PATH="$PATH" LISTEN=127.0.0.1:0 LOG_FORMAT=json DATABASE_URL="sqlite://$scratch/latchkey.db" \
        CUSTOMERS_DATABASE_URL="sqlite://$scratch/customers.db" LATCHKEY_CONFIG="$scratch/latchkey.toml" \
        INDENT_WEBHOOK_SECRET=wks0GENERATEDREQUESTS "$latchkey" "$@"
}
token=$(run token create --email ana@acme.test --scope petition --scope admin --scope check)
: >"$scratch/log"
run serve 2>>"$scratch/log" &
server=$!
url=
for _ in $(seq 100); do
    url=$(sed -n 's/.*"latchkey runs".*"listen":"\([^"]*\)".*/http:\/\/\1/p' "$scratch/log" | head -n 1)
    if [[ -n $url ]] && python3 -c "import urllib.request as r; r.urlopen('$url/readyz')" 2>/dev/null; then break; fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
[[ -n $url ]] || fail "the server did not start:"$'\n'"$(cat "$scratch/log")"

python3 -c "import urllib.request as r; r.urlretrieve('$url/openapi.json', '$scratch/openapi.json')"
"$venv/bin/openapi-spec-validator" --schema 3.1 "$scratch/openapi.json"

# Something of everything, so that what is generated can meet it.
python3 - "$url" "$token" "$scratch" <<'PYTHON'
import json, sys, urllib.request
url, token, scratch = sys.argv[1:]
def post(path, body):
    request = urllib.request.Request(url + "/v1/spaces/default/" + path, json.dumps(body).encode(),
        {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))
def ask(customer):
    return post("petitions", {"petition": {"reason": "debug BUG-482", "petitioners": [{"email": "ana@acme.test"}],
        "resources": [{"kind": "customer", "id": customer}]}})["name"]
ask("123"), ask("124")
petition = ask("124")
claim = post("petitions/" + petition + "/claims", {"claim": {"event": "access/approve"}})["meta"]["name"]
post("resources:bulkUpdate", {"resources": [{"kind": "customer", "id": 900, "displayName": "Uploaded"}]})

# Most requests go to our own space, and none waits long.
usual = '[parameters]\n"path.space" = "default"\n"query.wait" = "1s"\n'
known = {"petition": petition, "claim": claim, "resource": "cus_900", "webhook": "production", "policy": "alone"}
with open(scratch + "/any.toml", "w") as file:
    file.write(usual)
with open(scratch + "/known.toml", "w") as file:
    file.write(usual + "".join(f'"path.{name}" = "{value}"\n' for name, value in known.items()))
PYTHON

checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
# Nobody gets in without a token, and what is gone stays gone.
checks+=,ignored_auth,use_after_free
generate() { # CONFIG ARGUMENT…
    (cd "$scratch" && "$venv/bin/schemathesis" --config-file "$1" run "$url/openapi.json" --url "$url" \
        --header "Authorization: Bearer $token" \
        --checks "$checks" \
        --seed 20260102 --generation-database none --request-timeout 40 --warnings off --no-color "${@:2}") ||
        fail "what the server answers is not what /openapi.json says; its log:"$'\n'"$(grep -E '"(WARN|ERROR)"' "$scratch/log" | tail -n 20)"
}
generate any.toml --max-examples 40
# The same below things that are there.
generate known.toml --max-examples 40 --phases examples,coverage,fuzzing --include-path-regex '\{(petition|claim|resource|webhook|policy)\}'

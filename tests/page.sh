#!/usr/bin/env bash
# Drives the page of the demo in a headless browser, as Ana, Bo and Cy would: see tests/page/drive.mjs. As root on Debian it
# installs the browser; needs npm's registry for the first run. `tests/page.sh [BINARY]`; one is built if need be. Pictures of
# the page are left in the target folder, under page/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source .ci/shared.sh

command -v node >/dev/null && command -v npm >/dev/null || install nodejs npm
command -v chromium >/dev/null || install chromium

target=$(target_folder)
if [[ -n ${1:-} ]]; then
    latchkey=$(realpath "$1")
else
    cargo build --locked
    latchkey=$target/debug/latchkey
fi

# Drives the browser of the system; pinned, so that it changes only when we want it to.
page=$target/page
mkdir -p "$page"
rm -f "$page"/*.png
wanted=1.64.1
if [[ $(cat "$page/installed" 2>/dev/null) != "$wanted" ]]; then
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 timeout 120 npm install --silent --no-audit --no-fund --no-save --prefix "$page" "playwright-core@$wanted"
    echo "$wanted" >"$page/installed"
fi

timeout --kill-after=10 240 node tests/page/drive.mjs "$latchkey" "$(command -v chromium)" "$page" ||
    fail "the page was not seen to do that; its last picture is $page/failed.png"

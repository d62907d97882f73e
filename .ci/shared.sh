# For the scripts of the checks, which source it from the root of the repository.

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# Packages by their Debian names.
install() {
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || fail "please install: $*"
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null
}

# Where cargo builds.
target_folder() {
    cargo metadata --format-version 1 --no-deps --locked | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])'
}

# A folder with Python packages of these versions. They are pinned, so that what they find changes only when we want it to.
venv() { # FOLDER PACKAGE==VERSION…
    [[ $(cat "$1/installed" 2>/dev/null) != "${*:2}" ]] || return 0
    python3 -m venv --clear "$1"
    "$1/bin/pip" install -q --disable-pip-version-check "${@:2}"
    echo "${*:2}" >"$1/installed"
}

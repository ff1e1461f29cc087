#!/usr/bin/env bash
# Sourced by run.sh and test.sh: system packages and the Release build.
# After it, these are set: project (root of the checkout) and build (the Release build folder).

project="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
build="$project/build/release"

say() { printf '%s\n' "$@"; }

fail() {
    printf 'Epitome: %s\n' "$*" >&2
    exit 1
}

wantedPackages() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$project/installer/packages.txt"; }

isInstalled() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

installPackages() {
    if ! command -v dpkg-query >/dev/null; then
        say "This is not a Debian system: the packages in installer/packages.txt are taken as present."
        return
    fi
    local package missing=()
    while read -r package; do
        isInstalled "$package" || missing+=("$package")
    done < <(wantedPackages)
    if [ "${#missing[@]}" -eq 0 ]; then
        say "All system packages are present."
        return
    fi

    say "Installing ${#missing[@]} system packages: ${missing[*]}"
    aptGet update || say "The package lists could not be refreshed; going on with the known ones."
    aptGet install --yes --no-install-recommends "${missing[@]}" ||
        fail "the packages could not be installed. Install them by hand and start again: ${missing[*]}"
}

# Only the superuser may; anyone else needs sudo.
aptGet() {
    local asRoot=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "please let an administrator install what is in installer/packages.txt"
        asRoot=(sudo)
    fi
    "${asRoot[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null </dev/null
}

# buildTargets [TARGET...]: configures and builds with the release preset; no target means everything.
buildTargets() {
    say "Building in $build (the first time takes some minutes)."
    local target arguments=()
    for target in "$@"; do
        arguments+=(--target "$target")
    done
    local log
    log="$(mktemp)"
    if ! (cd -- "$project" && cmake --preset release && cmake --build --preset release "${arguments[@]}") \
        >"$log" 2>&1; then
        cat -- "$log" >&2
        rm -f -- "$log"
        fail "the build failed; its messages are above."
    fi
    rm -f -- "$log"
}

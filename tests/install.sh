# Fetches what tests need and Python packages do not bring: promtool, out of Debian's prometheus package, and the SDKs
# for Node. Both end up in .cache/. Where that cannot be done, the tests that need them skip and say so; with CI=true
# those that need promtool fail.
set -eu

# Unpacked and not installed, because installing would start a server.
fetch_promtool() {
    command -v promtool >/dev/null && return 0
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        echo "promtool is missing: tests that lint metrics and alerts are skipped (apt install prometheus)" >&2
        return 0
    fi
    mkdir -p .cache/bin .cache/deb
    sh tests/quiet.sh .cache/deb/log sh -c '
        cd .cache/deb
        as_root="-o APT::Sandbox::User=root" # the directory is not readable for _apt
        apt-get $as_root download prometheus || { apt-get update && apt-get $as_root download prometheus; }
        dpkg -x prometheus_*.deb unpacked
        cp unpacked/usr/bin/promtool ../bin/promtool
        rm -rf unpacked prometheus_*.deb
    ' || echo "promtool could not be fetched" >&2
}

# Pinned by hash in package-lock.json, whose copy beside them tells that they are there.
fetch_node_sdks() {
    cmp -s tests/sdk/node/package-lock.json .cache/node/installed && return 0
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        echo "node or npm is missing: tests with the SDKs for Node are skipped" >&2
        return 0
    fi
    mkdir -p .cache/node
    cp tests/sdk/node/package.json tests/sdk/node/package-lock.json .cache/node/
    if sh tests/quiet.sh .cache/node/log npm ci --prefix .cache/node --ignore-scripts --no-audit --no-fund; then
        cp tests/sdk/node/package-lock.json .cache/node/installed
    else
        echo "the SDKs for Node could not be fetched" >&2
    fi
}

fetch_promtool
fetch_node_sdks
